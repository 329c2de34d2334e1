# SPDX-License-Identifier: Apache-2.0
"""LK0221 to LK0239: operating a LokiStack. LK0220 is not given again."""

from __future__ import annotations

from lokeys.core.findings.finding import Remedy, Rule
from lokeys.core.text.shell import Json, command

CREDENTIALS_REFUSED = Rule(
    code="LK0221",
    title="the storage credentials are refused",
    message="the credentials in {place} do not reach the bucket: {detail}; {kept}",
    meaning="Before changed credentials reach a pod, lokeys tries them. These did not pass.",
    why="A pod that starts with them cannot read or write the object storage.",
    remedy=(
        Remedy(
            text="put credentials into the Secret that work; lokeys tries them at once",
            command=command("kubectl -n {namespace} edit secret {name}"),
        ),
        Remedy(
            text="see the way link by link",
            command=command("lokeys probe stack -n {namespace} {stack}"),
        ),
    ),
    rank=5,
)
ENDPOINT_WOULD_MOVE_THE_STORE = Rule(
    code="LK0222",
    fault="endpoint_would_move_the_store",
    title="an endpoint that was ignored would now count",
    message="{place}: `endpoint` is {host}; the operator before lokeys ignored it in token mode",
    meaning="The stack runs with AWS's own endpoint. lokeys honours the Secret's.",
    why="Taking the stack over would move its storage: what was written so far could not be read.",
    remedy=(
        Remedy(
            text="remove the key, so that the storage stays where it is; or keep the former "
            "operator until the data is moved",
            command=command(
                "kubectl -n {namespace} patch secret {name} --type=json -p",
                Json.of([{"op": "remove", "path": "/data/endpoint"}]),
            ),
        ),
    ),
    rank=8,
)
NOT_APPLIED = Rule(
    code="LK0223",
    title="an object cannot be written",
    message="{place}: {detail}",
    meaning="The API server refuses what the stack needs: a right is missing, a policy says no, or "
    "an object of that name belongs to somebody else.",
    why="The stack is not what its spec asks for.",
    remedy=(Remedy(text="mend what the message names; lokeys tries again by itself"),),
    rank=9,
)
STORAGE_SECRET_UNREADABLE = Rule(
    code="LK0224",
    title="the operator may not read what the stack names",
    message="{place} cannot be read: {detail}",
    meaning="The operator reads a stack's Secrets and ConfigMaps by name, by a Role of its own.",
    why="Without it nothing can be said of the credentials, and nothing is changed.",
    remedy=(Remedy(text="grant `get`, `list` and `watch` on this object by name"),),
    rank=7,
)
OWNED_BY_ANOTHER = Rule(
    code="LK0225",
    fault="owned_by_another",
    title="an object that the stack needs is another's",
    message="{place} belongs to {owner}; it is left as it is",
    meaning="An object is its owner's, whatever its name. Two stacks can need objects of one name: "
    "the index gateway of `a` has the names of the gateway of `a-index`. An object without an "
    "owner becomes the stack's.",
    why="The stack cannot have what it needs, and what runs for the other must not break for it.",
    remedy=(
        Remedy(
            text="see whose it is",
            command=command("kubectl -n {namespace} get {kind} {name} -o yaml"),
        ),
        Remedy(text="give one of the two another name, or a namespace of its own"),
    ),
    rank=8,
)
CONTESTED = Rule(
    code="LK0226",
    fault="contested",
    title="somebody else keeps changing an object back",
    message="{place} was changed back three times within a minute; it is left alone for ten "
    "minutes",
    meaning="Something else writes the same fields as lokeys: another operator, a policy that "
    "mutates, or a tool that applies manifests from a repository.",
    why="Two writers of one object would undo each other's work for ever, and load the API server.",
    remedy=(
        Remedy(
            text="see who writes which field, and take the fields of lokeys from the other",
            command=command(
                "kubectl -n {namespace} get {kind} {name} -o yaml --show-managed-fields"
            ),
        ),
    ),
    rank=8,
)
