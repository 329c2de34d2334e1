# SPDX-License-Identifier: Apache-2.0
"""Every name that is put together from parts, and which of them two owners can both come to."""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from builders import a_route
from lokeys.core.place import Ref
from lokeys.core.rbac import Account, doctor_roles, operator_roles, route_roles, stack_roles
from lokeys.core.rbac import all_stacks_roles as all_roles
from lokeys.core.rbac.stack import object_names
from lokeys.core.stack.render.options import RenderOptions
from lokeys.core.stack.render.render import render
from lokeys.core.stack.resource.model import LokiStack
from lokeys.core.stack.resource.parse import parse
from lokeys.core.stack.storage.model import S3, CloudEnvironment, CredentialMode
from lokeys.core.stack.validation.named import managed_ref
from lokeys.core.validation.validate import validate
from manifests.lokistack import NOW
from unit.core.validation.manifests import Given, Object, secret
from unit.core.validation.manifests import stack as a_manifest

Name = tuple[str, str, str]
"""Kind, namespace (none of the cluster's own), name."""

HOME, BASE = "logging", "a"
GATEWAY_OF_OPENSHIFT = {"tenants": {"mode": "openshift-logging"}}
SPECS: dict[str, dict[str, Any]] = {
    "plain": {},
    "rules and network policies": {
        "rules": {"enabled": True},
        "networkPolicies": {"ruleSet": "RestrictIngressEgress"},
    },
    "a gateway on OpenShift": GATEWAY_OF_OPENSHIFT | {"rules": {"enabled": True}},
}
OPTIONS = RenderOptions(now=NOW, environment=CloudEnvironment(openshift=True, aws_role_arn="any"))
STORAGE = S3(mode=CredentialMode.TOKEN_CCO, buckets=("any",), endpoint_host="any")


def manifest(name: str, spec: dict[str, Any], namespace: str = HOME) -> Object:
    made = a_manifest(name)
    made["metadata"]["namespace"] = namespace
    made["spec"] |= spec
    return made


def read(name: str, spec: dict[str, Any], namespace: str = HOME) -> LokiStack:
    found, _ = parse(manifest(name, spec, namespace))
    assert found is not None
    return found


def composed(stack: LokiStack) -> Iterator[Name]:
    """Yield what rendering makes, what the cluster's cloud makes for it, and its Roles."""
    made = (*render(stack, STORAGE, options=OPTIONS), *stack_roles(stack))
    for each in made:
        yield each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]
    managed = managed_ref(Ref("LokiStack", stack.name, stack.namespace))
    yield managed.kind, stack.namespace, managed.name


def words() -> list[str]:
    """Return all that a name of an object has behind its stack's, cut at each of its dashes."""
    every = read(BASE, {})
    found = set()
    for name in itertools.chain.from_iterable(object_names(every).values()):
        parts = name.rpartition(".")[2].split("-")[1:]
        found |= {"-".join(parts[:count]) for count in range(1, len(parts) + 1)}
    return sorted(found)


def shared(stacks: Iterable[LokiStack]) -> set[tuple[str, str]]:
    """Return the pairs of stacks that come to one name, the longer first."""
    owners = defaultdict(set)
    for stack in stacks:
        for name in composed(stack):
            owners[name].add(stack.name)
    pairs = (itertools.permutations(each, 2) for each in owners.values())
    return {(one, other) for one, other in itertools.chain.from_iterable(pairs) if one > other}


SIDES = list(itertools.product(SPECS, repeat=2))


@pytest.mark.parametrize(("of_base", "of_others"), SIDES, ids=str)
def test_stacks_share_names_only_where_validate_says_so(of_base: str, of_others: str) -> None:
    """A stack, and one of each name that could be taken for it and a word of its objects."""
    chosen = {BASE: SPECS[of_base]} | {f"{BASE}-{word}": SPECS[of_others] for word in words()}
    collisions = shared(read(*each) for each in chosen.items())
    assert ((f"{BASE}-index", BASE) in collisions) == ("tenants" in SPECS[of_others])
    given = [Given(manifest(*each)) for each in chosen.items()]
    found = validate([*given, Given(secret())], now=NOW).findings
    told = [each.message for each in found if each.fault == "shared_names"]
    assert sorted(message.partition(" both")[0] for message in told) == sorted(
        f"LokiStack {HOME}/{one} and LokiStack {HOME}/{other}" for one, other in collisions
    )


PLACES = ["a", "a-gateway", "a-a", "stack-a", "stack", "gateway", "all-stacks", "operator"]
NAMES = [*PLACES, "a.a", "stack.a"]


def test_no_name_of_the_cluster_is_shared() -> None:
    """What has no namespace has its stack's in its name, and cannot be another's."""
    owners = defaultdict(set)
    for namespace, name in itertools.product(PLACES, PLACES):
        for made in composed(read(name, GATEWAY_OF_OPENSHIFT, namespace)):
            if not made[1]:
                owners[made].add((namespace, name))
    assert owners
    assert {name: each for name, each in owners.items() if len(each) > 1} == {}


def test_no_two_owners_have_roles_of_one_name() -> None:
    """Roles of many routes and stacks meet in one namespace, that of their common source."""
    owners = defaultdict(set)
    for namespace, name in itertools.product(PLACES, NAMES):
        for role in route_roles(a_route(namespace=namespace, name=name)):
            owners[role["metadata"]["name"]].add(("route", namespace, name))
        for role in stack_roles(read(name, {}, namespace)) if "." not in name else ():
            owners[role["metadata"]["name"]].add(("stack", namespace, name))
    account = Account()
    for role in (*operator_roles(account), *doctor_roles(account), *all_roles(account=account)):
        owners[role["metadata"]["name"]].add((role["metadata"]["name"], "", ""))
    assert {name: each for name, each in owners.items() if len(each) > 1} == {}
