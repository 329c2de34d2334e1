# SPDX-License-Identifier: Apache-2.0
"""The reason of a Degraded stack, from its first fault: the names that a Loki Operator uses."""

from __future__ import annotations

from lokeys.core.findings.catalogue import lokistacks, operation, storage_objects, tenants
from lokeys.core.findings.finding import Finding

_BY_CODE = {
    storage_objects.MISSING_STORAGE_SECRET.code: "MissingObjectStorageSecret",
    storage_objects.MISSING_MANAGED_SECRET.code: "MissingTokenCCOAuthenticationSecret",
    storage_objects.MISSING_CA_CONFIGMAP.code: "MissingObjectStorageCAConfigMap",
    storage_objects.BAD_CA_CONFIGMAP.code: "InvalidObjectStorageCAConfigMap",
    tenants.ONE_LOGIN.code: "MissingGatewayTenantAuthenticationConfig",
    tenants.NO_TLS.code: "MissingGatewayTLSConfig",
    tenants.MISSING_CLIENT.code: "MissingGatewayTenantSecret",
    tenants.BAD_CLIENT.code: "InvalidGatewayTenantSecret",
    tenants.MISSING_AUTHORITY.code: "MissingGatewayTenantConfigMap",
    tenants.BAD_AUTHORITY.code: "InvalidGatewayTenantConfigMap",
    lokistacks.TOO_LARGE.code: "TooLarge",
    operation.CREDENTIALS_REFUSED.code: "CredentialsRefused",
    operation.ENDPOINT_WOULD_MOVE_THE_STORE.code: "InvalidObjectStorageSecret",
    operation.NOT_APPLIED.code: "ObjectNotApplied",
    operation.OWNED_BY_ANOTHER.code: "ObjectOwnedByAnother",
    operation.CONTESTED.code: "ObjectContested",
    operation.STORAGE_SECRET_UNREADABLE.code: "ObjectStorageSecretUnreadable",
}
_SCHEMAS = frozenset(
    rule.code
    for rule in (
        lokistacks.NO_SCHEMAS,
        lokistacks.DATES_NOT_UNIQUE,
        lokistacks.BAD_DATE,
        lokistacks.MISSING_VALID_START_DATE,
        lokistacks.RETROACTIVELY_ADDED,
        lokistacks.RETROACTIVELY_REMOVED,
        lokistacks.RETROACTIVELY_CHANGED,
    )
)
_FIELDS = (
    ("spec.tenants.gateway.tls", "InvalidGatewayTLSConfig"),
    ("spec.tenants.passthrough", "InvalidPassthroughConfiguration"),
    ("spec.tenants", "InvalidTenantsConfiguration"),
    ("spec.replication", "InvalidReplicationConfiguration"),
    ("spec.limits", "InvalidLimits"),
    ("spec.storage.schemas", "InvalidObjectStorageSchema"),
)
_SCHEMA, _SPEC, _SECRET = "InvalidObjectStorageSchema", "InvalidSpec", "InvalidObjectStorageSecret"


def reason_of(finding: Finding) -> str:
    """Return the reason that a stack gets for a fault."""
    if finding.code in _BY_CODE:
        return _BY_CODE[finding.code]
    if finding.code in _SCHEMAS:
        return _SCHEMA
    if finding.code.startswith("LK02"):
        field = finding.field or ""
        return next((word for path, word in _FIELDS if field.startswith(path)), _SPEC)
    return _SECRET


def codes_of(reason: str) -> tuple[str, ...]:
    """Return the codes of the faults that alone give a stack this reason."""
    if place_of(reason):
        return ()
    return tuple(sorted(code for code, word in _BY_CODE.items() if word == reason))


def place_of(reason: str) -> str | None:
    """Return where the faults are that give a stack this reason, if it says no more."""
    if reason == _SECRET:
        return "the storage Secret"
    return next((path for path, word in _FIELDS if word == reason), None)
