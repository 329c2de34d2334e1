# SPDX-License-Identifier: Apache-2.0
"""What a stack's tenants name: Secrets of clients, CAs of issuers and users."""

from dataclasses import replace
from typing import Any

import pytest

from fakes.stacks import Given
from lokeys.core.findings.finding import Severity
from lokeys.core.place import Ref
from lokeys.core.stack.storage.model import CloudEnvironment
from lokeys.core.stack.validation.context import StackContext
from lokeys.core.stack.validation.objects import PlacedObjects
from lokeys.core.stack.validation.tenants import pointer_to, tenant_findings
from lokeys.core.validation.validate import validate
from manifests.lokistack import AUTHORITY, NAMESPACE, NOW, Choice, tenant_objects

STACK = Ref("LokiStack", "my-stack", NAMESPACE)


def context(objects: list[dict[str, Any]]) -> StackContext:
    given = PlacedObjects(list(map(Given, objects)), namespace=NAMESPACE)
    return StackContext(objects=given, now=NOW, environment=CloudEnvironment())


def told(
    objects: list[dict[str, Any]], *, tenancy: str = "static", **words: Any
) -> list[tuple[str, str | None, str]]:
    manifest = Choice(tenancy=tenancy).manifest
    found = tenant_findings(STACK, manifest, replace(context(objects), **words))
    return [
        (str(each.object).removesuffix(f" {NAMESPACE}/"), each.field, each.message.split(": ")[-1])
        for each in found
    ]


def changed(name: str, **data: Any) -> list[dict[str, Any]]:
    """Return the tenants' objects, with other data in one of them."""
    return [each | data if each["metadata"]["name"] == name else each for each in tenant_objects()]


@pytest.mark.parametrize("tenancy", ["static", "dynamic", "passthrough"])
def test_nothing_is_said_where_all_is_there(tenancy: str) -> None:
    """Secrets, and CAs in ConfigMaps and Secrets."""
    assert told(tenant_objects(), tenancy=tenancy) == []


@pytest.mark.parametrize("tenancy", ["openshift-logging", None])
def test_nobody_is_judged_where_there_are_no_tenants(tenancy: str | None) -> None:
    """OpenShift has tenants of its own, without objects."""
    manifest = Choice(tenancy=tenancy).manifest
    assert tenant_findings(STACK, manifest, context([])) == ()


def test_what_is_not_there_is_told_and_for_whom() -> None:
    """As errors; as warnings where Secrets are kept elsewhere."""
    manifest = Choice(tenancy="static").manifest
    found = tenant_findings(STACK, manifest, context([]))
    assert [(each.fault, str(each.object)) for each in found] == [
        ("missing_tenant_secret", "Secret logging/client-123"),
        ("missing_tenant_ca", "ConfigMap logging/tenants-ca"),
        ("missing_tenant_ca", "ConfigMap logging/tenants-ca"),
    ]
    assert "an issuer" in found[1].message
    assert "clients" in found[2].message
    kept = tenant_findings(STACK, manifest, replace(context([]), secrets_optional=True))
    assert {each.severity for each in kept} == {Severity.WARNING}


def test_a_ca_that_openshift_fills_is_known_by_its_key_alone() -> None:
    """Empty in Git; the key that is not filled is missed."""
    marks = {"service.beta.openshift.io/inject-cabundle": "true"}
    metadata = {"name": "tenants-ca", "namespace": NAMESPACE, "annotations": marks}
    ((_, field, said),) = told(changed("tenants-ca", data={}, metadata=metadata))
    assert field == "issuer.crt"
    assert said.startswith("`issuer.crt` is missing")


_ENTRIES = [{"secretKey": "ca.crt", "remoteRef": {"key": "x"}}]


@pytest.mark.parametrize(
    ("kind", "more", "expected"),
    [
        pytest.param("ExternalSecret", {"spec": {"data": _ENTRIES}}, None, id="delivered"),
        pytest.param(
            "ExternalSecret",
            {"spec": {"data": _ENTRIES, "target": {"creationPolicy": "Merge"}}},
            "(creationPolicy Merge) does not make it",
            id="not delivered",
        ),
        pytest.param("SealedSecret", {"spec": {"encryptedData": {"ca.crt": "A"}}}, None, id="seal"),
        pytest.param(
            "SealedSecret",
            {"spec": {"encryptedData": {"x": "A"}}},
            "`ca.crt` is missing",
            id="other",
        ),
        pytest.param(
            "Secret",
            {"data": {"ca.crt": "ENC[x]"}, "sops": {}},
            "of `ca.crt` are not",
            id="encrypted",
        ),
        pytest.param("Secret", {"data": {"ca.crt": "?"}}, "`ca.crt` is not base64", id="spoilt"),
    ],
)
def test_a_ca_in_a_secret_may_be_known_by_its_name_alone(
    kind: str, more: dict[str, Any], expected: str | None
) -> None:
    """Then nothing is said of what it holds."""
    version = {"SealedSecret": "bitnami.com/v1alpha1"}.get(kind, "v1")
    names = {"apiVersion": version, "kind": kind}
    made = {**names, "metadata": {"name": "clients-ca", "namespace": NAMESPACE}, **more}
    manifest = Choice(tenancy="passthrough").manifest
    found = tenant_findings(STACK, manifest, context([made]))
    assert [expected in each.message if expected else each for each in found] == (
        [True] if expected else []
    )
    assert len(told([], tenancy="passthrough")) == 1


def test_a_ca_that_every_namespace_has_is_in_no_manifest() -> None:
    """OpenShift's, under its key; in a cluster it must be there."""
    manifest = Choice(tenancy="static").manifest
    _, second = manifest["spec"]["tenants"]["authentication"]
    second["mTLS"]["ca"]["caName"] = "openshift-service-ca.crt"
    found = tenant_findings(STACK, manifest, context(tenant_objects()))
    assert found == ()
    there = replace(context(tenant_objects()), absent="does not exist")
    assert len(tenant_findings(STACK, manifest, there)) == 1


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param({"clientSecret": "s"}, [("clientID", "is missing")], id="no id"),
        pytest.param({"clientID": " "}, [("clientID", "is missing")], id="a blank id"),
        pytest.param({"clientID": "id"}, [], id="no secret: tokens alone"),
        pytest.param(
            {"clientID": "id\n", "clientSecret": "s\u200b", "issuerCAPath": "/x", "other": "\n"},
            [
                ("clientID", "ends in a newline"),
                ("clientSecret", "holds a zero width space"),
            ],
            id="what nobody sees",
        ),
    ],
)
def test_a_clients_secret_is_looked_at(
    data: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    """For its id, and for what nobody sees in either value."""
    found = told(changed("client-123", stringData=data))
    assert [(field, message.split(";")[0].split("` ")[-1]) for _, field, message in found] == [
        (field, message) for field, message in expected
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(None, "is missing", id="no such key"),
        pytest.param(" ", "is empty", id="nothing"),
        pytest.param("x", "holds no certificate", id="no certificate"),
        pytest.param(AUTHORITY + "\n", "goes on behind its last certificate", id="a blank line"),
        pytest.param(AUTHORITY + "# ours", "goes on behind its last certificate", id="a comment"),
    ],
)
def test_a_ca_of_users_is_looked_at(text: str | None, expected: str) -> None:
    """The gateway takes certificates, and nothing behind them."""
    data = {"issuer.crt": AUTHORITY + "\n", "service-ca.crt": text}
    ((_, field, message),) = told(changed("tenants-ca", data=data))
    assert field == "service-ca.crt"
    assert expected in message


@pytest.mark.parametrize("data", [None, "x", {"ca.crt": 3}], ids=str)
def test_a_config_map_of_anything_is_read(data: Any) -> None:
    """Whatever stands there, it is told and not raised."""
    assert len(told(changed("tenants-ca", data=data))) == 2


def test_a_ca_in_a_secret_lacks_its_key() -> None:
    """As one in a ConfigMap."""
    (found,) = told(changed("clients-ca", stringData={"other": AUTHORITY}), tenancy="passthrough")
    assert "is missing" in found[2]


def test_each_is_named_where_the_stack_names_it() -> None:
    """The place of what is missing is the field that asks for it."""
    static, through = (Choice(tenancy=mode).manifest for mode in ("static", "passthrough"))
    authentication = "spec.tenants.authentication"
    named = {
        Ref("Secret", "client-123"): f"{authentication}[0].oidc.secret.name",
        Ref("ConfigMap", "tenants-ca"): f"{authentication}[0].oidc.issuerCA.caName",
        Ref("Secret", "clients-ca"): "",
    }
    assert {ref: pointer_to(ref, static) for ref in named} == named
    del static["spec"]["tenants"]["authentication"][0]
    assert (
        pointer_to(Ref("ConfigMap", "tenants-ca"), static) == f"{authentication}[0].mTLS.ca.caName"
    )
    assert pointer_to(Ref("Secret", "clients-ca"), through) == "spec.tenants.passthrough.ca"
    assert pointer_to(Ref("Secret", "clients-ca"), {}) == ""


def test_a_storage_secret_that_is_missing_keeps_its_place() -> None:
    """Also where a tenant's Secret is of the same name."""
    manifest = Choice(tenancy="static").manifest
    manifest["spec"]["tenants"]["authentication"][0]["oidc"]["secret"]["name"] = "store"
    (view,) = validate([Given(manifest)], now=NOW).stacks
    assert {each.fault for each in view.findings} >= {"missing_storage_secret"}
