# SPDX-License-Identifier: Apache-2.0
"""The rights of operated stacks: every object by its name, and nothing that hands out more."""

from collections import defaultdict
from dataclasses import replace

import pytest

from lokeys.core.rbac import (
    WHY,
    Account,
    StackWish,
    all_stacks_grants,
    all_stacks_roles,
    operator_grants,
    stack_grants,
    stack_roles,
)
from lokeys.core.rbac.grants import Grant
from lokeys.core.rbac.stack import object_names
from lokeys.core.stack.render.options import RenderOptions
from lokeys.core.stack.render.render import render
from manifests.lokistack import NOW, Choice, pairwise

CHANGE = {"create", "patch", "delete"}
READ = {"get", "list", "watch"}
PLAIN = Choice().read()[0]
ON_OPENSHIFT = StackWish(openshift=True)
EVERYTHING = StackWish(openshift=True, tokens=True, secrets=True)


def rights(grants: tuple[Grant, ...], resource: str) -> set[tuple[str, str]]:
    """Return each verb on a resource with the name it is for, `*` for any."""
    return {
        (verb, name)
        for grant in grants
        if grant.resource == resource
        for verb in grant.verbs
        for name in grant.names or ("*",)
    }


def rendered(choice: Choice) -> set[tuple[str, str]]:
    stack, storage = choice.read()
    options = RenderOptions(now=NOW, environment=choice.environment)
    return {
        (each["kind"], each["metadata"]["name"]) for each in render(stack, storage, options=options)
    }


@pytest.mark.parametrize("choice", pairwise(), ids=str)
def test_the_names_hold_whatever_the_spec_says(choice: Choice) -> None:
    """Each object that any spec makes has one of the names that are granted."""
    names = object_names(PLAIN)
    assert {(kind, name) for kind, name in rendered(choice) if name not in names[kind]} == set()


def test_no_name_is_granted_that_no_stack_has() -> None:
    """Each granted name is that of an object which some spec makes."""
    made = defaultdict(set)
    for choice in pairwise():
        for kind, name in rendered(choice):
            made[kind].add(name)
    assert {kind: set(names) for kind, names in object_names(PLAIN).items()} == made


@pytest.mark.parametrize("choice", pairwise(), ids=str)
def test_a_stacks_writes_are_for_names(choice: Choice) -> None:
    """No right to change names no object, but for pods, whose names are made by others."""
    for grant in stack_grants(choice.read()[0], StackWish(openshift=True, tokens=True)):
        assert grant.why
        reviews = grant.resource in ("tokenreviews", "subjectaccessreviews")
        if not reviews and grant.resource != "pods" and set(grant.verbs) & CHANGE:
            assert grant.names
        if grant.resource == "secrets":
            assert set(grant.verbs) == READ
            assert grant.names


@pytest.mark.parametrize("wish", [StackWish(), ON_OPENSHIFT, EVERYTHING], ids=str)
def test_nobody_may_hand_out_more_than_they_hold(wish: StackWish) -> None:
    """No right is called escalate, bind or impersonate, and none is for every verb."""
    openshift = Choice(tenancy="openshift-logging").read()[0]
    grants = (*stack_grants(openshift, wish), *all_stacks_grants(wish), *operator_grants(Account()))
    verbs = {verb for grant in grants for verb in grant.verbs}
    assert verbs <= READ | CHANGE | {"update"}
    assert not [grant for grant in grants if "*" in (grant.resource, grant.group, *grant.names)]


def test_a_plain_stack_gets_what_it_needs_and_no_more() -> None:
    """Its Secret by name, its objects by name, its pods; nothing in another namespace."""
    grants = stack_grants(PLAIN, StackWish())
    assert {grant.namespace for grant in grants} == {"logging"}
    assert rights(grants, "secrets") == {(verb, "store") for verb in READ}
    assert rights(grants, "pods") == {("list", "*"), ("watch", "*"), ("delete", "*")}
    made = ("my-stack-config", "my-stack-gateway", "my-stack-gateway-ca-bundle")
    changed = {(verb, name) for verb in CHANGE for name in made}
    assert rights(grants, "configmaps") == changed | {(verb, "*") for verb in READ}
    assert not rights(grants, "serviceaccounts/token")
    assert not rights(grants, "clusterroles")
    assert not rights(grants, "credentialsrequests")


def test_tokens_are_asked_for_by_name_and_only_where_allowed() -> None:
    """The operator may ask for tokens of the two accounts that reach the store, no others."""
    grants = stack_grants(PLAIN, StackWish(tokens=True))
    asked = {("create", "my-stack"), ("create", "my-stack-ruler")}
    assert rights(grants, "serviceaccounts/token") == asked
    assert not rights(all_stacks_grants(EVERYTHING), "serviceaccounts/token")


def test_managed_credentials_are_read_where_the_cluster_hands_them_out() -> None:
    """On OpenShift, or where the stack says token-cco."""
    managed = {(verb, "my-stack-managed-credentials") for verb in READ}
    assert managed <= rights(stack_grants(PLAIN, ON_OPENSHIFT), "secrets")
    cco = Choice(store="s3-cco").read()[0]
    assert managed <= rights(stack_grants(cco, StackWish()), "secrets")
    for stack, wish in ((PLAIN, ON_OPENSHIFT), (cco, StackWish())):
        requests = rights(stack_grants(stack, wish), "credentialsrequests")
        assert {(verb, "my-stack") for verb in CHANGE} <= requests


def test_the_gateways_reviews_are_held_only_where_they_are_handed_out() -> None:
    """The operator holds what the gateway's role says only for a stack whose gateway asks it."""
    stack = Choice(tenancy="openshift-logging").read()[0]
    grants = stack_grants(stack, StackWish())
    assert rights(grants, "tokenreviews") == {("create", "*")}
    name = "logging.my-stack-gateway"
    for resource in ("clusterroles", "clusterrolebindings"):
        named = {(verb, name) for verb in {"get", *CHANGE}}
        assert rights(grants, resource) == named | {("list", "*"), ("watch", "*")}
    static = replace(stack, tenants=None)
    assert not rights(stack_grants(static, StackWish()), "tokenreviews")


@pytest.mark.parametrize(
    ("tenancy", "read"),
    [("static", {"store", "client-123"}), ("passthrough", {"store", "clients-ca", "gateway-tls"})],
)
def test_what_the_gateway_reads_once_is_read_by_name(tenancy: str, read: set[str]) -> None:
    """Its change rolls the gateway. A certificate that it reads again by itself is nobody's."""
    stack = Choice(tenancy=tenancy).read()[0]
    grants = [each for each in stack_grants(stack, StackWish()) if each.resource == "secrets"]
    assert {name for each in grants for name in each.names} == read


def test_the_rights_for_all_stacks_leave_the_secrets_to_their_owners() -> None:
    """Unless asked for; the role says so itself."""
    role, binding = all_stacks_roles()
    assert (role["kind"], binding["kind"]) == ("ClusterRole", "ClusterRoleBinding")
    assert "secrets" not in {name for rule in role["rules"] for name in rule["resources"]}
    assert "not granted: the stacks' Secrets" in role["metadata"]["annotations"][WHY]
    asked, _ = all_stacks_roles(wish=StackWish(secrets=True))
    assert "secrets" in {name for rule in asked["rules"] for name in rule["resources"]}
    assert "not granted" not in asked["metadata"]["annotations"][WHY]


def test_the_role_of_a_stack_is_bound_to_the_account() -> None:
    """One Role and one binding, named for the stack."""
    role, binding = stack_roles(PLAIN, account=Account(name="a", namespace="b"))
    assert role["metadata"]["name"] == "lokeys-stack:logging.my-stack"
    assert role["metadata"]["namespace"] == "logging"
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "a", "namespace": "b"}]
