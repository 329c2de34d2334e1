# SPDX-License-Identifier: Apache-2.0
"""`spec.tenants`: who uses a stack, how they identify themselves, and what they may do.

static       users by OpenID Connect or certificate; the spec says what they may do dynamic      the
same users; a policy server says what they may do openshift-…  OpenShift says both passthrough  a
client in front says both; it may need a certificate
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lokeys.core.findings.catalogue import lokistacks
from lokeys.core.findings.catalogue import tenants as rules
from lokeys.core.findings.finding import Finding
from lokeys.core.place import Ref
from lokeys.core.schema.check import Checker
from lokeys.core.stack.resource.fields.tenants import TENANTS
from lokeys.core.stack.resource.model import (
    DEFAULT_CA_KEY,
    USUAL_ADMIN_GROUPS,
    USUAL_TENANCY,
    Entry,
    GatewayTls,
    Oidc,
    TenancyMode,
    Tenant,
    Tenants,
)
from lokeys.core.stack.storage.wording import tell
from lokeys.core.text.words import found

_WITH_USERS = (TenancyMode.STATIC, TenancyMode.DYNAMIC)
_ACTED_ON = {
    "authentication": _WITH_USERS,
    "authorization.roles": (TenancyMode.STATIC,),
    "authorization.roleBindings": (TenancyMode.STATIC,),
    "authorization.opa": (TenancyMode.DYNAMIC,),
    "openshift.adminGroups": (TenancyMode.OPENSHIFT_LOGGING, TenancyMode.OPENSHIFT_NETWORK),
    "passthrough.ca": (TenancyMode.PASSTHROUGH,),
    "passthrough.defaultTenant": (TenancyMode.PASSTHROUGH,),
}
"""Which fields count in which modes; fields that are not here count in all."""
_NEEDED = {
    TenancyMode.STATIC: ("authentication", "authorization.roles", "authorization.roleBindings"),
    TenancyMode.DYNAMIC: ("authentication", "authorization.opa"),
}


def tenants_of(fields: Mapping[str, Any]) -> Tenants:
    """Return who may read and write, of checked fields."""
    mode = TenancyMode(fields.get("mode", USUAL_TENANCY))
    authorization = fields.get("authorization", {})
    passthrough = fields.get("passthrough", {})
    static, dynamic = mode is TenancyMode.STATIC, mode is TenancyMode.DYNAMIC
    through = mode is TenancyMode.PASSTHROUGH
    users = fields.get("authentication", ()) if mode in _WITH_USERS else ()
    return Tenants(
        mode=mode,
        authentication=tuple(_tenant(each) for each in users),
        roles=tuple(authorization.get("roles", ())) if static else (),
        role_bindings=tuple(authorization.get("roleBindings", ())) if static else (),
        opa_url=authorization.get("opa", {}).get("url", "") if dynamic else "",
        admin_groups=tuple(fields.get("openshift", {}).get("adminGroups", USUAL_ADMIN_GROUPS)),
        default_tenant=passthrough.get("defaultTenant", "") if through else "",
        disable_ingress=fields.get("disableIngress", False),
        tls=_tls(fields.get("gateway", {}).get("tls", {})),
        client_ca=_entry(passthrough.get("ca")) if through else None,
    )


def not_acted_on(fields: Mapping[str, Any]) -> Iterator[str]:
    """Yield the paths of fields that only count in other modes than that of `fields`."""
    mode = fields.get("mode", USUAL_TENANCY)
    for path, modes in _ACTED_ON.items():
        if mode not in modes and _at(fields, path) is not None:
            yield f"spec.tenants.{path}"


def tenancy_of(manifest: Mapping[str, Any]) -> Tenants | None:
    """Return who may read and write, from a manifest that may have other faults.

    None if it has no tenants, or their mode is invalid.
    """
    given = _at(manifest, "spec.tenants")
    if not isinstance(given, Mapping):
        return None
    fields = Checker(describe=found).checked(given, TENANTS, "")
    bad = given.get("mode") is not None and "mode" not in fields
    return None if bad else tenants_of(fields)


def tenancy_findings(stack: Ref, manifest: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what is missing or contradictory, so that the gateway would admit nobody."""
    given = _at(manifest, "spec.tenants")
    tenants = tenancy_of(manifest)
    if tenants is None:
        return
    for path in _NEEDED.get(tenants.mode, ()):
        if not _at(given, path):
            field = f"spec.tenants.{path}"
            yield tell(lokistacks.MISSING_FIELD, stack, stack=stack, field=field)
    for place, tenant in enumerate(tenants.authentication):
        if (tenant.oidc is None) == (tenant.client_ca is None):
            found = "neither" if tenant.oidc is None else "both"
            field = f"spec.tenants.authentication[{place}]"
            yield tell(rules.ONE_LOGIN, stack, stack=stack, field=field, words={"found": found})
    yield from _twice(stack, tenants)
    yield from _unbound(stack, tenants)
    yield from _without_tls(stack, tenants)
    yield from _ambiguous(stack, given)


def _twice(stack: Ref, tenants: Tenants) -> Iterator[Finding]:
    seen: set[str] = set()
    for place, tenant in enumerate(tenants.authentication):
        if tenant.name in seen:
            field = f"spec.tenants.authentication[{place}].tenantName"
            yield tell(rules.TENANT_TWICE, stack, stack=stack, field=field)
        seen.add(tenant.name)


def _unbound(stack: Ref, tenants: Tenants) -> Iterator[Finding]:
    """Yield roles that are bound and do not exist, and tenants that are named and do not exist."""
    roles = {str(role.get("name")) for role in tenants.roles}
    known = {tenant.name for tenant in tenants.authentication}
    for place, binding in enumerate(tenants.role_bindings):
        for name in binding.get("roles", ()):
            if name not in roles:
                field = f"spec.tenants.authorization.roleBindings[{place}].roles"
                words = {"what": "role", "found": name}
                yield tell(rules.NO_SUCH, stack, stack=stack, field=field, words=words)
    for place, role in enumerate(tenants.roles):
        for name in role.get("tenants", ()):
            if name not in known:
                field = f"spec.tenants.authorization.roles[{place}].tenants"
                words = {"what": "tenant", "found": name}
                yield tell(rules.NO_SUCH, stack, stack=stack, field=field, words=words)


def _without_tls(stack: Ref, tenants: Tenants) -> Iterator[Finding]:
    tls, half = tenants.tls, (tenants.tls.certificate is None) != (tenants.tls.private_key is None)
    if half:
        lacking = "privateKey" if tls.certificate else "certificate"
        field = f"spec.tenants.gateway.tls.{lacking}"
        yield tell(lokistacks.MISSING_FIELD, stack, stack=stack, field=field)
    elif tenants.asks_for_certificates and not tls.serves:
        yield tell(rules.NO_TLS, stack, stack=stack, field="spec.tenants.gateway.tls")


def _ambiguous(stack: Ref, given: Any) -> Iterator[Finding]:
    """Yield references that name both a ConfigMap and a Secret, or neither."""
    for path in ("gateway.tls.ca", "gateway.tls.certificate", "passthrough.ca"):
        entry = _at(given, path)
        if isinstance(entry, Mapping):
            named = [word for word in ("configMapName", "secretName") if entry.get(word)]
            if len(named) != 1:
                field = f"spec.tenants.{path}"
                words = {"found": "both" if named else "neither"}
                yield tell(rules.ONE_PLACE, stack, stack=stack, field=field, words=words)


def _tenant(fields: Mapping[str, Any]) -> Tenant:
    oidc, mtls = fields.get("oidc"), fields.get("mTLS", {})
    return Tenant(
        name=fields.get("tenantName", ""),
        id=fields.get("tenantId", ""),
        oidc=_oidc(oidc) if oidc and _at(oidc, "secret.name") else None,
        client_ca=_ca(mtls.get("ca")),
    )


def _oidc(fields: Mapping[str, Any]) -> Oidc:
    return Oidc(
        secret_name=fields["secret"]["name"],
        issuer_url=fields.get("issuerURL", ""),
        redirect_url=fields.get("redirectURL", ""),
        username_claim=fields.get("usernameClaim", ""),
        group_claim=fields.get("groupClaim", ""),
        issuer_ca=_ca(fields.get("issuerCA")),
    )


def _ca(fields: Mapping[str, Any] | None) -> Entry | None:
    name = fields.get("caName") if fields else None
    if not fields or not name:
        return None
    return Entry(kind="ConfigMap", name=name, key=fields.get("caKey") or DEFAULT_CA_KEY)


def _tls(fields: Mapping[str, Any]) -> GatewayTls:
    return GatewayTls(
        certificate=_entry(fields.get("certificate")),
        private_key=_entry(fields.get("privateKey")),
        ca=_entry(fields.get("ca")),
    )


def _entry(fields: Mapping[str, Any] | None) -> Entry | None:
    if not fields or "key" not in fields:
        return None
    for kind, word in (("ConfigMap", "configMapName"), ("Secret", "secretName")):
        if fields.get(word):
            return Entry(kind=kind, name=fields[word], key=fields["key"])
    return None


def _at(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
