# SPDX-License-Identifier: Apache-2.0
"""A stack's tenants with the Secrets and CAs that they name: every fault of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from lokeys.core.findings.catalogue import tenants as rules
from lokeys.core.findings.finding import Finding, Severity
from lokeys.core.place import Ref
from lokeys.core.schema.check import MAX_FAULTS
from lokeys.core.stack.resource.model import Entry, Tenants
from lokeys.core.stack.resource.tenancy import tenancy_findings, tenancy_of
from lokeys.core.stack.storage.ca import MADE_BY_CLUSTER, CaFault, certificate_faults
from lokeys.core.stack.storage.secret_data import SecretData
from lokeys.core.stack.storage.values import unseen
from lokeys.core.stack.storage.wording import tell
from lokeys.core.stack.validation.contents import filler_of_ca
from lokeys.core.stack.validation.context import NOT_GIVEN, StackContext, named_secret, told_absent
from lokeys.core.text.certificates import behind_the_last

CLIENT_ID, CLIENT_SECRET, CA_PATH = "clientID", "clientSecret", "issuerCAPath"
_TYPES = {"ConfigMap": "configmap", "Secret": "secret generic"}


def tenant_findings(
    stack: Ref, manifest: Mapping[str, Any], context: StackContext
) -> tuple[Finding, ...]:
    """Return what is wrong with a stack's tenants; nothing if it has none."""
    found = list(islice(tenancy_findings(stack, manifest), MAX_FAULTS))
    tenants = tenancy_of(manifest)
    if tenants is not None:
        for name in tenants.client_secrets:
            found += _client(Ref("Secret", name, stack.namespace), stack, context)
        for entry in tenants.authorities:
            found += _authority(entry, stack, tenants, context)
    return tuple(found)


def _client(wanted: Ref, stack: Ref, context: StackContext) -> Iterator[Finding]:
    """Yield what is wrong with the Secret that has the gateway's client credentials."""
    found: list[Finding] = []
    secret = named_secret(wanted, stack, context, found, missing=rules.MISSING_CLIENT)
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


def _authority(
    entry: Entry, stack: Ref, tenants: Tenants, context: StackContext
) -> Iterator[Finding]:
    """Yield what is wrong with a CA of an issuer or of clients."""
    wanted = Ref(entry.kind, entry.name, stack.namespace)
    issuers = {each.issuer_ca for each in tenants.issued}
    words = {"key": entry.key, "kind": _TYPES[entry.kind]}
    asked = {**words, "whom": "an issuer" if entry in issuers else "clients"}
    found: list[Finding] = []
    known, text = _text(entry, wanted, stack, context, found, words=asked)
    yield from found
    if not known:
        return
    of_users = entry in {tenant.client_ca for tenant in tenants.authentication}
    behind = _behind(text) if of_users else ()
    for fault in (*certificate_faults(text, context.now, passes_over=False), *behind):
        more = {**words, "found": fault.found, "expected": fault.expected}
        finding = tell(rules.BAD_AUTHORITY, wanted, stack=stack, field=entry.key, words=more)
        yield replace(finding, severity=Severity.WARNING) if fault.harmless else finding


def _text(  # noqa: PLR0913 - which, for whom, and what an absence means
    entry: Entry,
    wanted: Ref,
    stack: Ref,
    context: StackContext,
    findings: list[Finding],
    *,
    words: Mapping[str, str],
) -> tuple[bool, str | None]:
    """Return whether an entry's content is known, and its text; None if it is empty."""
    missing = rules.MISSING_AUTHORITY
    if entry.kind == "Secret":
        secret = named_secret(wanted, stack, context, findings, missing=missing, words=words)
        if secret is not None and entry.key in (secret.values or {}):
            return True, secret.raw(entry.key).decode(errors="replace")
        return secret is not None and not secret.may_have(entry.key), None
    placed = context.objects.get(wanted)
    filled = filler_of_ca(wanted, context)
    if filled is not None:
        return bool(filled[1]) and entry.key not in filled[1], None
    if placed is None:
        by_cluster = MADE_BY_CLUSTER.get(entry.name) == entry.key
        if not (context.absent == NOT_GIVEN and by_cluster):
            findings.append(told_absent(missing, wanted, stack, context, words=words))
        return False, None
    texts = placed.object.get("data")
    text = texts.get(entry.key) if isinstance(texts, Mapping) else None
    return True, text if isinstance(text, str) else None


def _behind(text: str | None) -> Iterator[CaFault]:
    """Yield that there is text after the last certificate, which the gateway rejects."""
    if behind_the_last(text or ""):
        yield CaFault("goes on behind its last certificate", "the end there, without an empty line")


def pointer_to(wanted: Ref, manifest: Mapping[str, Any]) -> str:
    """Return the field under `spec.tenants` that names an object; empty if none does."""
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
