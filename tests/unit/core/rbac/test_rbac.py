# SPDX-License-Identifier: Apache-2.0
"""The rights of the operator and of a route: each named, each with its reason, none to spare."""

from dataclasses import replace
from typing import Any

import pytest

from lokeys.core.place import Ref
from lokeys.core.rbac import (
    WHY,
    Account,
    Grant,
    RouteFacts,
    collect_grants,
    collect_roles,
    doctor_grants,
    doctor_roles,
    operator_grants,
    operator_roles,
    probe_grants,
    probe_roles,
    route_grants,
    route_roles,
    unnamed,
)
from lokeys.core.rbac.issuer import issuer_grants
from lokeys.core.route.model import (
    AwsIamSource,
    PairKeys,
    RgwAdmin,
    RgwSource,
    SecretRef,
    UnknownSource,
)
from lokeys.core.route.resource.parse import parse
from manifests.storagecredential import CASES, MINIMAL, ROOK, Case

SOUND = [case for case in CASES if case.sound]
STORE = RouteFacts(
    key_secrets=("rook-ceph-object-user-storage-loki",),
    generated=True,
    secret_store=Ref("SecretStore", "op", "monitoring"),
)
READING = {"get", "list", "watch"}


def grants(
    *, base: dict[str, Any] = ROOK, known: RouteFacts | None = STORE, **changes: object
) -> tuple[Grant, ...]:
    paths = {name.replace("__", "."): value for name, value in changes.items()}
    return route_grants(parse(Case("", True, paths, base).manifest()), known=known)


def rights(
    found: tuple[Grant, ...], resource: str, namespace: str = "monitoring"
) -> set[tuple[str, str]]:
    """Return each verb on a resource with the name it is for, `*` for any."""
    return {
        (verb, name)
        for grant in found
        if (grant.resource, grant.namespace) == (resource, namespace)
        for verb in grant.verbs
        for name in grant.names or ("*",)
    }


@pytest.mark.parametrize("case", SOUND, ids=lambda case: case.says)
def test_a_secret_is_read_by_its_name_only(case: Case) -> None:
    """No route may read, change or delete a Secret that is not named; each right has a reason."""
    found = route_grants(parse(case.manifest()), known=STORE)
    assert all(grant.why for grant in found)
    for grant in found:
        if grant.resource == "secrets":
            assert grant.names or grant.verbs == ("create",)


@pytest.mark.parametrize("case", SOUND, ids=lambda case: case.says)
def test_who_observes_changes_nothing(case: Case) -> None:
    """In mode Observe a route has no right but to read."""
    spec = parse({**(made := case.manifest()), "spec": {**made["spec"], "mode": "Observe"}})
    assert {verb for grant in route_grants(spec, known=STORE) for verb in grant.verbs} <= READING


@pytest.mark.parametrize("case", SOUND, ids=lambda case: case.says)
def test_nothing_is_granted_twice(case: Case) -> None:
    """No rule of a Role repeats another, and none is for a kind of any name that it has already."""
    for role in route_roles(parse(case.manifest()), known=STORE):
        rules = [str(rule) for rule in role.get("rules", ())]
        assert len(rules) == len(set(rules))


def test_the_route_of_the_runbook_gets_what_it_needs() -> None:
    """The table of rights for Rook, 1Password, External Secrets and a StatefulSet, in full."""
    found = grants()
    read = {
        (verb, name)
        for verb in READING
        for name in ("rgw-admin", "connect-token", "loki-s3-credentials")
    }
    assert rights(found, "secrets") == read | {("patch", "loki-s3-credentials")}
    generated = "rook-ceph-object-user-storage-loki"
    there = {(verb, generated) for verb in (*READING, "patch")}
    assert rights(found, "secrets", "storage") == there
    anything = {(verb, "*") for verb in READING}
    assert rights(found, "cephobjectstoreusers", "storage") == anything
    assert rights(found, "cephobjectstores", "storage") == anything
    assert rights(found, "events", "storage") == {("list", "*")}
    assert rights(found, "externalsecrets") == {("patch", "loki-s3-credentials")}
    assert rights(found, "secretstores") == anything | {("patch", "op")}
    assert rights(found, "events") == {("list", "*")}
    assert rights(found, "statefulsets") == anything
    assert rights(found, "pods") == anything
    assert rights(found, "pods/eviction") == {("create", "*")}
    assert rights(found, "pods/log") == {("get", "*")}
    assert rights(found, "poddisruptionbudgets") == {("list", "*"), ("watch", "*")}
    leases = {("get", "lokeys-loki"), ("update", "lokeys-loki"), ("create", "*")}
    assert rights(found, "leases") == leases
    assert {grant.namespace for grant in found} == {"monitoring", "storage"}


def test_who_rotates_may_give_rooks_user_keys() -> None:
    """By `spec.keys` of this one user and two Secrets of fixed names; in mode Heal by nothing."""
    found = grants(spec__mode="Rotate")
    two = [f"lokeys-key-{number}-{ROOK['spec']['source']['rook']['user']}" for number in (1, 2)]
    more = rights(found, "secrets", "storage") - rights(grants(), "secrets", "storage")
    verbs = (*READING, "patch", "delete")
    assert more == {(verb, name) for verb in verbs for name in two} | {("create", "*")}
    user = ROOK["spec"]["source"]["rook"]["user"]
    assert ("patch", user) in rights(found, "cephobjectstoreusers", "storage")
    for resource in ("pods", "statefulsets", "deployments", "daemonsets", "cronjobs"):
        assert rights(found, resource, "storage") == {("list", "*")}
    assert rights(found, "pushsecrets", "storage") == {("list", "*")}


def test_who_gives_rgws_own_user_keys_must_see_rooks_users() -> None:
    """In all namespaces: a user that Rook manages is left alone. Other sources need nothing."""
    keys = PairKeys(access_key_id="id", secret_access_key="secret")
    admin = RgwAdmin(endpoint="http://rgw", secret=SecretRef(name="admin", keys=keys))
    (grant,) = issuer_grants(RgwSource(uid="loki", admin=admin))
    assert (grant.namespace, grant.resource, grant.verbs) == (
        None,
        "cephobjectstoreusers",
        ("list",),
    )
    assert not list(issuer_grants(AwsIamSource(user_name="loki")))


def test_a_source_that_nobody_knows_needs_no_right() -> None:
    """What is read of the route is what is read of any: nothing of another namespace."""
    spec = replace(parse(SOUND[0].manifest()), source=UnknownSource())
    assert {grant.namespace for grant in route_grants(spec, known=STORE)} <= {spec.namespace, None}


def test_an_address_that_the_object_store_does_not_name_is_looked_for() -> None:
    """Among the Services and Ingresses beside it; nobody needs these rights otherwise."""
    spec = parse(SOUND[0].manifest())
    found = route_grants(spec, known=replace(STORE, endpoint_unnamed=True))
    for resource in ("services", "ingresses"):
        assert rights(found, resource, "storage") == {("list", "*"), ("watch", "*")}
        assert not rights(grants(), resource, "storage")


@pytest.mark.parametrize(
    ("changes", "resource", "expected"),
    [
        (
            {"spec__secret__externalSecret": None},
            "secrets",
            {("create", "*"), ("patch", "loki-s3-credentials")},
        ),
        (
            {"spec__secret__externalSecret": {"name": "e", "recreate": True}},
            "secrets",
            {("delete", "loki-s3-credentials")},
        ),
        (
            {"spec__workloads": [{"kind": "Deployment", "name": "l"}]},
            "replicasets",
            {("list", "*")},
        ),
        ({"spec__workloads": [{"kind": "DaemonSet", "name": "l"}]}, "daemonsets", {("get", "*")}),
        ({"spec__workloads": [{"kind": "LokiStack", "name": "l"}]}, "lokistacks", {("get", "*")}),
    ],
    ids=[
        "lokeys writes the Secret",
        "recreate",
        "a Deployment",
        "a DaemonSet",
        "a LokiStack",
    ],
)
def test_what_a_field_asks_for_is_granted(
    changes: dict[str, Any], resource: str, expected: set[tuple[str, str]]
) -> None:
    """Each part of a spec brings the rights it needs, which it does not have otherwise."""
    assert expected <= rights(grants(**changes), resource)
    assert not expected <= rights(grants(), resource)


@pytest.mark.parametrize(
    ("changes", "resource", "namespace", "refused"),
    [
        ({"spec__source__rook__refresh": False}, "secrets", "storage", "patch"),
        ({"spec__workloads": []}, "pods", "monitoring", "list"),
        (
            {"spec__secret__externalSecret": None, "spec__vault": None},
            "secretstores",
            "monitoring",
            "get",
        ),
        ({"spec__mode": "Observe"}, "leases", "monitoring", "create"),
    ],
    ids=["no refresh", "no pod to see", "no store", "no acting"],
)
def test_what_no_field_asks_for_is_not_granted(
    changes: dict[str, Any], resource: str, namespace: str, refused: str
) -> None:
    """A right goes when the field that needs it goes."""
    assert refused in {verb for verb, _ in rights(grants(), resource, namespace)}
    assert refused not in {verb for verb, _ in rights(grants(**changes), resource, namespace)}


@pytest.mark.parametrize(
    ("source", "secrets"),
    [
        (
            {"rgw": {"endpoint": "https://r", "uid": "u", "adminSecretRef": {"name": "adm"}}},
            {"adm"},
        ),
        ({"awsIAM": {"userName": "u", "adminSecretRef": {"name": "adm"}}}, {"adm"}),
        ({"awsIAM": {"userName": "u"}}, set()),
    ],
    ids=["RGW", "IAM", "IAM, asked with the identity of the pod"],
)
def test_a_source_brings_its_admin_secret(source: dict[str, Any], secrets: set[str]) -> None:
    """The admin's Secret is read, and where there is none nothing is."""
    found = rights(grants(spec__source=source, spec__vault=None), "secrets")
    assert {name for _, name in found} == secrets | {"loki-s3-credentials"}


def test_a_source_elsewhere_is_read_there() -> None:
    """A Secret of another namespace gets a Role in that namespace."""
    found = grants(base=MINIMAL, spec__source__secret__namespace="other")
    assert rights(found, "secrets", "other") == {(verb, "from") for verb in READING}


def test_a_token_elsewhere_is_read_there_by_its_name_only() -> None:
    """One Role in the token's namespace; no store there can name it for the route."""
    found = grants(
        spec__vault__onePassword__connect__tokenSecretRef={"name": "t", "namespace": "vaults"}
    )
    assert rights(found, "secrets", "vaults") == {(verb, "t") for verb in READING}
    assert {grant.resource for grant in found if grant.namespace == "vaults"} == {"secrets"}


def test_what_makes_the_secret_is_asked_and_the_secret_never_written() -> None:
    """One right to annotate the 1Password operator's item; none where nobody can be asked."""
    secret = {"name": "s", "madeBy": {"kind": "OnePasswordItem", "name": "item"}}
    found = grants(base=MINIMAL, spec__secret=secret, spec__mode="Heal")
    assert rights(found, "onepassworditems") == {
        *((verb, "*") for verb in READING),
        ("patch", "item"),
    }
    assert {verb for verb, _ in rights(found, "secrets")} == READING
    sealed = {"name": "s", "madeBy": {"kind": "SealedSecret", "name": "item"}}
    assert not rights(grants(base=MINIMAL, spec__secret=sealed), "sealedsecrets")


def test_only_a_forced_workloads_pods_may_be_deleted() -> None:
    """All others are evicted, so that budgets decide; the reason of the right names `force`."""
    forced = {"kind": "StatefulSet", "name": "loki", "force": True}
    whys = [
        [grant.why for grant in found if grant.verbs == ("delete",)]
        for found in (grants(), grants(spec__workloads=[forced]))
    ]
    assert whys == [[], ["`force`: replaces a pod that a budget holds for five minutes"]]


def test_secrets_of_spec_keys_are_read_instead_of_the_generated_one() -> None:
    """With spec.keys the generated Secret is blank and nobody's business."""
    found = grants(known=RouteFacts(key_secrets=("a", "b")))
    assert {name for _, name in rights(found, "secrets", "storage")} == {"a", "b"}


def test_a_cluster_store_is_patched_by_its_name() -> None:
    """A ClusterSecretStore needs a ClusterRole, for that one store."""
    spec = parse(ROOK)
    known = replace(STORE, secret_store=Ref("ClusterSecretStore", "all"))
    role, binding, *_ = route_roles(spec, known=known)
    assert (role["kind"], binding["kind"]) == ("ClusterRole", "ClusterRoleBinding")
    assert role["rules"] == [
        {
            "apiGroups": ["external-secrets.io"],
            "resources": ["clustersecretstores"],
            "verbs": ["patch"],
            "resourceNames": ["all"],
        }
    ]
    assert unnamed(spec, known=known) == ()


def test_what_nobody_has_named_is_not_granted_but_noted() -> None:
    """What `spec.source.rook.store` says names no Secret; the Role says what it lacks."""
    spec = parse(Case("", True, {"spec.source.rook.store": "prod"}).manifest())
    assert not rights(route_grants(spec), "secrets", "storage")
    missing = unnamed(spec)
    assert len(missing) == 2
    role = route_roles(spec)[0]
    assert all(f"not granted: {note}" in role["metadata"]["annotations"][WHY] for note in missing)
    assert unnamed(spec, known=STORE) == ()
    assert unnamed(parse(MINIMAL)) == ()


def test_a_route_is_granted_by_a_role_in_each_namespace_it_passes() -> None:
    """Names hold namespace and route, so that no two routes share one; each rule has its reason."""
    account = Account(name="doctor", namespace="tools")
    made = route_roles(parse(ROOK), account=account, known=STORE)
    places = [(item["kind"], item["metadata"]["namespace"]) for item in made]
    assert places == [
        ("Role", "monitoring"),
        ("RoleBinding", "monitoring"),
        ("Role", "storage"),
        ("RoleBinding", "storage"),
    ]
    assert {item["metadata"]["name"] for item in made} == {"lokeys-monitoring.loki"}
    assert made[1]["subjects"] == [
        {"kind": "ServiceAccount", "name": "doctor", "namespace": "tools"}
    ]
    assert made[1]["roleRef"]["name"] == made[0]["metadata"]["name"]
    for role in made[::2]:
        assert len(role["metadata"]["annotations"][WHY].splitlines()) == len(role["rules"])


def test_a_right_that_two_hops_need_is_granted_once_for_both_reasons() -> None:
    """Rook in the route's own namespace: one rule for events, with both reasons."""
    spec = parse(Case("", True, {"spec.source.rook.namespace": "monitoring"}).manifest())
    role, _ = route_roles(spec, known=STORE)
    assert [rule["resources"] for rule in role["rules"]].count(["events"]) == 1
    assert "reconcile the user; External Secrets says" in role["metadata"]["annotations"][WHY]


def test_the_operator_itself_reads_no_secret_but_its_own() -> None:
    """What deploy/ grants: one named Secret, and making it in the operator's own namespace."""
    found = operator_grants(Account())
    secrets = [grant for grant in found if grant.resource == "secrets"]
    assert {grant.namespace for grant in secrets} == {"lokeys-system"}
    assert [(grant.verbs, grant.names) for grant in secrets] == [
        (("get",), ("lokeys-fingerprint",)),
        (("create",), ()),
    ]
    kinds = [item["kind"] for item in operator_roles()]
    assert kinds == ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]


def test_a_doctor_only_reads() -> None:
    """A doctor by the clock has no right to change anything."""
    assert {verb for grant in doctor_grants(Account()) for verb in grant.verbs} == {"get", "list"}
    kinds = [item["kind"] for item in doctor_roles(Account(name="lokeys-doctor"))]
    assert kinds == ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]


def test_why_a_pod_is_not_ready_may_be_read_without_an_external_secret() -> None:
    """Failing probes stand in events only, whoever delivers the Secret."""
    found = grants(base=MINIMAL, spec__workloads=[{"kind": "StatefulSet", "name": "loki"}])
    assert rights(found, "events") == {("list", "*")}


@pytest.mark.parametrize(
    ("namespace", "secrets", "kinds"),
    [
        pytest.param("monitoring", (), ["ClusterRole", "Role"], id="one namespace"),
        pytest.param("monitoring", ("loki-s3",), ["ClusterRole", "Role"], id="one Secret of it"),
        pytest.param(None, (), ["ClusterRole"], id="the whole cluster"),
    ],
)
def test_collecting_only_reads(
    namespace: str | None, secrets: tuple[str, ...], kinds: list[str]
) -> None:
    """No right changes anything; Secrets are only read, never listed, and by name where asked."""
    found = collect_grants(namespace, secrets)
    assert {verb for grant in found for verb in grant.verbs} == {"get", "list"}
    held = [grant for grant in found if grant.resource == "secrets"]
    assert [(g.namespace, g.verbs, g.names) for g in held] == [(namespace, ("get",), secrets)]
    roles = collect_roles(Account(), namespace=namespace, secrets=secrets)
    assert [item["kind"] for item in roles[::2]] == kinds
    assert all("not granted: " in item["metadata"]["annotations"][WHY] for item in roles[::2])


def test_a_probe_in_a_pod_reads_no_secret_and_says_what_its_rights_allow() -> None:
    """It stays in its namespace; who grants it is told that Jobs can read Secrets."""
    found = [*probe_grants("monitoring")]
    assert {grant.namespace for grant in found} == {"monitoring"}
    assert "secrets" not in {grant.resource for grant in found}
    role, _ = probe_roles(Account(), namespace="monitoring")
    assert "every Secret" in role["metadata"]["annotations"][WHY]
