# SPDX-License-Identifier: Apache-2.0
"""A stack's tenants with the Secrets and CAs that they name: every fault of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from lokeys.core.catalogue import tenants as rules
from lokeys.core.finding import Finding
from lokeys.core.lokistack.model import Entry, Tenants
from lokeys.core.lokistack.tenancy import tenancy_findings, tenancy_of
from lokeys.core.place import Ref
from lokeys.core.storage.ca import MADE_BY_CLUSTER, certificate_faults
from lokeys.core.storage.secret_data import SecretData, secret_data
from lokeys.core.storage.telling import tell
from lokeys.core.storage.values import unseen
from lokeys.core.validation.around import NOT_GIVEN, Around, named_secret, told_absent

CLIENT_ID, CLIENT_SECRET, CA_PATH = "clientID", "clientSecret", "issuerCAPath"
_LAST = re.compile(r"-----END CERTIFICATE-----[ \t]*\r?\n?")
_TYPES = {"ConfigMap": "configmap", "Secret": "secret generic"}


def tenant_findings(stack: Ref, manifest: Mapping[str, Any], around: Around) -> tuple[Finding, ...]:
    """Return what is wrong with a stack's tenants; nothing where it has none."""
    found = list(tenancy_findings(stack, manifest))
    tenants = tenancy_of(manifest)
    if tenants is not None:
        for name in tenants.client_secrets:
            found += _client(Ref("Secret", name, stack.namespace), stack, around)
        for entry in tenants.authorities:
            found += _authority(entry, stack, tenants, around)
    return tuple(found)


def _client(wanted: Ref, stack: Ref, around: Around) -> Iterator[Finding]:
    """Yield what is wrong with the Secret that says what the gateway is to an issuer."""
    found: list[Finding] = []
    secret = named_secret(wanted, stack, around, found, missing=rules.MISSING_CLIENT)
    yield from found
    if secret is None:
        return
    if not secret.may_have(CLIENT_ID):
        yield _bad_client(secret, stack, CLIENT_ID, "is missing", "what the issuer calls it")
    for key in sorted((secret.values or {}).keys() & {CLIENT_ID, CLIENT_SECRET, CA_PATH}):
        strange = unseen(secret.raw(key))
        if strange is not None:
            yield _bad_client(secret, stack, key, strange, "the value, and nothing around it")


def _bad_client(secret: SecretData, stack: Ref, key: str, found: str, expected: str) -> Finding:
    words = {"found": found, "expected": expected}
    return tell(rules.BAD_CLIENT, secret.ref, stack=stack, field=key, words=words)


def _authority(entry: Entry, stack: Ref, tenants: Tenants, around: Around) -> Iterator[Finding]:
    """Yield what is wrong with a CA by which an issuer or clients are known."""
    wanted = Ref(entry.kind, entry.name, stack.namespace)
    placed = around.objects.get(wanted)
    issuers = {each.issuer_ca for each in tenants.issued}
    words = {"key": entry.key, "kind": _TYPES[entry.kind]}
    if placed is None:
        by_cluster = MADE_BY_CLUSTER.get(entry.name) == entry.key
        made_elsewhere = entry.kind == "Secret" and around.objects.external_secrets_of(wanted)
        if not made_elsewhere and not (around.absent == NOT_GIVEN and by_cluster):
            words |= {"whom": "an issuer" if entry in issuers else "clients"}
            yield told_absent(rules.MISSING_AUTHORITY, wanted, stack, around, words=words)
        return
    text = _text(placed.object, entry, wanted, stack)
    of_users = entry in {tenant.client_ca for tenant in tenants.authentication}
    behind = _behind(text) if of_users else ()
    for found, expected in (*certificate_faults(text, around.now), *behind):
        more = {**words, "found": found, "expected": expected}
        yield tell(rules.BAD_AUTHORITY, wanted, stack=stack, field=entry.key, words=more)


def _text(manifest: Mapping[str, Any], entry: Entry, ref: Ref, stack: Ref) -> str | None:
    """Return the text at an entry; None where there is none."""
    if entry.kind == "Secret":
        data = secret_data(manifest, ref=ref, stack=stack).data
        return data.raw(entry.key).decode(errors="replace") if entry.key in data.keys else None
    texts = manifest.get("data")
    text = texts.get(entry.key) if isinstance(texts, Mapping) else None
    return text if isinstance(text, str) else None


def _behind(text: str | None) -> Iterator[tuple[str, str]]:
    """Yield that something stands behind the last certificate, at which the gateway stumbles."""
    *_, rest = _LAST.split(text or "")
    if rest and rest != text:
        yield "goes on behind its last certificate", "the end there, without an empty line"


def pointer_to(wanted: Ref, manifest: Mapping[str, Any]) -> str:
    """Return the field under `spec.tenants` that names an object; empty where none does."""
    tenants = tenancy_of(manifest)
    for place, tenant in enumerate(tenants.authentication if tenants else ()):
        path = f"spec.tenants.authentication[{place}]"
        if tenant.oidc and wanted.kind == "Secret" and tenant.oidc.secret_name == wanted.name:
            return f"{path}.oidc.secret.name"
        if tenant.oidc and _is(tenant.oidc.issuer_ca, wanted):
            return f"{path}.oidc.issuerCA.caName"
        if _is(tenant.client_ca, wanted):
            return f"{path}.mTLS.ca.caName"
    return "spec.tenants.passthrough.ca" if tenants and _is(tenants.client_ca, wanted) else ""


def _is(entry: Entry | None, wanted: Ref) -> bool:
    return entry is not None and (entry.kind, entry.name) == (wanted.kind, wanted.name)
