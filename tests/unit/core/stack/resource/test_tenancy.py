# SPDX-License-Identifier: Apache-2.0
"""Who is let in: what of `spec.tenants` counts, and what it lacks."""

from typing import Any

import pytest

from lokeys.core.place import Ref
from lokeys.core.stack.resource.model import Entry, TenancyMode
from lokeys.core.stack.resource.parse import parse
from lokeys.core.stack.resource.tenancy import tenancy_findings, tenancy_of
from manifests.lokistack import Choice

STACK = Ref("LokiStack", "my-stack", "logging")
USER = {"tenantName": "a", "tenantId": "1"}
OIDC = {"secret": {"name": "client"}, "issuerURL": "https://issuer"}
MTLS = {"ca": {"caName": "ca"}}
ROLE = {"name": "r", "permissions": ["read"], "resources": ["logs"], "tenants": ["a"]}
BINDING = {"name": "b", "roles": ["r"], "subjects": [{"kind": "user", "name": "u"}]}
RIGHTS = {"roles": [ROLE], "roleBindings": [BINDING]}
SERVED = {
    "tls": {
        "certificate": {"secretName": "t", "key": "tls.crt"},
        "privateKey": {"secretName": "t", "key": "tls.key"},
    }
}
STATIC = {"mode": "static", "authentication": [USER | {"oidc": OIDC}], "authorization": RIGHTS}


def told(tenants: Any) -> list[tuple[str | None, str | None]]:
    found = tenancy_findings(STACK, {"spec": {"tenants": tenants}})
    return [(each.fault, (each.field or "").removeprefix("spec.tenants.")) for each in found]


@pytest.mark.parametrize(
    "tenants",
    [
        pytest.param(None, id="nobody is spoken of"),
        pytest.param("x", id="no object"),
        pytest.param({"mode": "nonsense", "authentication": [USER]}, id="a mode that there is not"),
        pytest.param({}, id="OpenShift judges"),
        pytest.param(STATIC, id="an issuer"),
        pytest.param(
            STATIC | {"authentication": [USER | {"mTLS": MTLS}], "gateway": SERVED},
            id="certificates, over TLS",
        ),
        pytest.param({"mode": "passthrough"}, id="nobody judges"),
        pytest.param(
            {
                "mode": "passthrough",
                "passthrough": {"ca": {"secretName": "ca", "key": "k"}},
                "gateway": SERVED,
            },
            id="nobody judges those with a certificate",
        ),
    ],
)
def test_nothing_is_said_where_nothing_is_amiss(tenants: Any) -> None:
    """Whatever else the manifest is."""
    assert told(tenants) == []


@pytest.mark.parametrize(
    ("tenants", "expected"),
    [
        pytest.param(
            {"mode": "static"},
            [
                ("missing_field", "authentication"),
                ("missing_field", "authorization.roles"),
                ("missing_field", "authorization.roleBindings"),
            ],
            id="static, of nobody",
        ),
        pytest.param(
            {"mode": "dynamic", "authentication": [USER | {"oidc": OIDC}]},
            [("missing_field", "authorization.opa")],
            id="dynamic, and nobody is asked",
        ),
        pytest.param(
            STATIC | {"authentication": [USER]},
            [("one_login", "authentication[0]")],
            id="no way to log in",
        ),
        pytest.param(
            STATIC | {"authentication": [USER | {"oidc": OIDC, "mTLS": MTLS}], "gateway": SERVED},
            [("one_login", "authentication[0]")],
            id="two ways",
        ),
        pytest.param(
            STATIC | {"authentication": [USER | {"oidc": OIDC}, USER | {"oidc": OIDC}]},
            [("tenant_twice", "authentication[1].tenantName")],
            id="two of one name",
        ),
        pytest.param(
            STATIC
            | {
                "authorization": {
                    "roles": [ROLE | {"tenants": ["1"]}],
                    "roleBindings": [BINDING | {"roles": ["x"]}],
                }
            },
            [
                ("no_such_role", "authorization.roleBindings[0].roles"),
                ("no_such_role", "authorization.roles[0].tenants"),
            ],
            id="names that lead nowhere",
        ),
        pytest.param(
            STATIC | {"authentication": [USER | {"mTLS": MTLS}]},
            [("no_tls", "gateway.tls")],
            id="certificates in clear",
        ),
        pytest.param(
            STATIC | {"gateway": {"tls": {"certificate": SERVED["tls"]["certificate"]}}},
            [("missing_field", "gateway.tls.privateKey")],
            id="a certificate without its key",
        ),
        pytest.param(
            STATIC | {"gateway": {"tls": {"privateKey": SERVED["tls"]["privateKey"]}}},
            [("missing_field", "gateway.tls.certificate")],
            id="a key without its certificate",
        ),
        pytest.param(
            {"mode": "passthrough", "passthrough": {"ca": {"key": "k"}}},
            [("one_place", "passthrough.ca")],
            id="a file of nothing",
        ),
        pytest.param(
            {
                "mode": "openshift-network",
                "gateway": {"tls": {"ca": {"key": "k", "secretName": "s", "configMapName": "c"}}},
            },
            [("one_place", "gateway.tls.ca")],
            id="a file of two objects",
        ),
    ],
)
def test_what_would_let_nobody_in_is_told(tenants: Any, expected: list[tuple[str, str]]) -> None:
    """By the field that lacks something, or says it twice."""
    assert told(tenants) == expected


def test_only_what_the_mode_knows_counts() -> None:
    """Roles in the mode of a policy server, users in that of OpenShift: named, and passed over."""
    manifest = Choice(tenancy="static").manifest
    manifest["spec"]["tenants"] |= {
        "mode": "dynamic",
        "openshift": {"adminGroups": ["a"]},
        "passthrough": {"defaultTenant": "x", "ca": {"key": "k", "secretName": "s"}},
    }
    stack, found = parse(manifest)
    assert stack
    assert stack.tenants
    assert (stack.tenants.roles, stack.tenants.default_tenant) == ((), "")
    assert stack.tenants.client_ca is None
    assert sorted(str(each.field) for each in found) == [
        "spec.tenants.authorization.roleBindings",
        "spec.tenants.authorization.roles",
        "spec.tenants.openshift.adminGroups",
        "spec.tenants.passthrough.ca",
        "spec.tenants.passthrough.defaultTenant",
    ]


def test_tenants_are_read_of_a_manifest_with_other_faults() -> None:
    """What is sound of them is judged, whatever the rest is."""
    half = {"oidc": {"issuerURL": "https://issuer"}, "mTLS": {"ca": {"caKey": "k"}}}
    given = {"mode": "static", "authentication": [half, USER | {"mTLS": MTLS}]}
    tenants = tenancy_of({"spec": {"size": 3, "tenants": given}})
    assert tenants
    assert tenants.mode is TenancyMode.STATIC
    first, second = tenants.authentication
    assert (first.name, first.oidc, first.client_ca) == ("", None, None)
    assert second.client_ca == Entry(kind="ConfigMap", name="ca", key="service-ca.crt")
