# SPDX-License-Identifier: Apache-2.0
"""LK0221 to LK0239: operating a LokiStack. LK0220 is not given again."""

from __future__ import annotations

from lokeys.core.findings.finding import Remedy, Rule
from lokeys.core.text.shell import Json, command

CREDENTIALS_REFUSED = Rule(
    code="LK0221",
    title="the storage credentials are refused",
    message="the credentials in {place} do not reach the bucket: {detail}; {kept}",
    meaning="lokeys tests changed credentials before a pod gets them. These failed the test.",
    why="A pod that starts with them cannot read or write the object storage.",
    remedy=(
        Remedy(
            text="put working credentials into the Secret; lokeys tests them at once",
            command=command("kubectl -n {namespace} edit secret {name}"),
        ),
        Remedy(
            text="test them link by link",
            command=command("lokeys probe stack -n {namespace} {stack}"),
        ),
    ),
    rank=5,
)
ENDPOINT_WOULD_MOVE_THE_STORE = Rule(
    code="LK0222",
    fault="endpoint_would_move_the_store",
    title="an endpoint that was ignored would now be used",
    message="{place}: `endpoint` is {host}; the previous operator ignored it in token mode",
    meaning="The stack runs with AWS's own endpoint. lokeys uses the Secret's endpoint.",
    why="Taking over the stack would move its storage: existing data could not be read.",
    remedy=(
        Remedy(
            text="remove the key, so that the storage stays where it is; or keep the previous "
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
    meaning="The API server refuses an object that the stack needs: a permission is missing, a "
    "policy forbids it, or an object of that name belongs to another owner.",
    why="The stack does not match its spec.",
    remedy=(Remedy(text="fix what the message names; lokeys retries by itself"),),
    rank=9,
)
STORAGE_SECRET_UNREADABLE = Rule(
    code="LK0224",
    title="the operator cannot read what the stack references",
    message="{place} cannot be read: {detail}",
    meaning="The operator reads a stack's Secrets and ConfigMaps by name, with a separate Role "
    "for each stack.",
    why="Without it the credentials cannot be checked, and nothing is changed.",
    remedy=(Remedy(text="grant `get`, `list` and `watch` on this object by name"),),
    rank=7,
)
OWNED_BY_ANOTHER = Rule(
    code="LK0225",
    fault="owned_by_another",
    title="an object that the stack needs belongs to another owner",
    message="{place} belongs to {owner}; lokeys does not change it",
    meaning="An object belongs to its owner, whatever its name. Two stacks can need objects of "
    "the same name: the index gateway of `a` and the gateway of `a-index`. An object without an "
    "owner becomes the stack's.",
    why="The stack cannot get what it needs, and what runs for the other owner must not break.",
    remedy=(
        Remedy(
            text="see who owns it",
            command=command("kubectl -n {namespace} get {kind} {name} -o yaml"),
        ),
        Remedy(text="recreate one of the two under another name or in another namespace"),
    ),
    rank=8,
)
CONTESTED = Rule(
    code="LK0226",
    fault="contested",
    title="something else keeps changing an object back",
    message="{place} was changed back three times within a minute; lokeys does not change it for "
    "ten minutes",
    meaning="Something else writes the same fields as lokeys: another operator, a mutating "
    "policy, or a tool that applies manifests from a repository.",
    why="Two writers of one object would undo each other's changes forever and load the API "
    "server.",
    remedy=(
        Remedy(
            text="see who writes which field, and remove lokeys' fields from the other writer",
            command=command(
                "kubectl -n {namespace} get {kind} {name} -o yaml --show-managed-fields"
            ),
        ),
    ),
    rank=8,
)
