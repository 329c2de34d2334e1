# SPDX-License-Identifier: Apache-2.0
"""One LokiStack with its Secret, its CA and its managed credentials: every fault of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from lokeys.core.findings.catalogue import lokistacks
from lokeys.core.findings.catalogue import storage_objects as rules
from lokeys.core.findings.finding import Finding, Severity
from lokeys.core.kubernetes.size import MAX_STACK_BYTES, in_kib, size_of
from lokeys.core.place import Ref
from lokeys.core.stack.resource.fields.texts import calendar_date
from lokeys.core.stack.resource.model import DEFAULT_CA_KEY, LokiStack, Schema, SchemaVersion
from lokeys.core.stack.resource.parse import parse
from lokeys.core.stack.resource.schemas import schema_findings
from lokeys.core.stack.storage.ca import MADE_BY_CLUSTER, read_ca
from lokeys.core.stack.storage.model import CredentialMode, Storage
from lokeys.core.stack.storage.read import read_storage
from lokeys.core.stack.storage.secret_data import SecretData
from lokeys.core.stack.storage.wording import tell
from lokeys.core.stack.validation.contents import told_of_contents, told_of_filled_ca
from lokeys.core.stack.validation.context import NOT_GIVEN, StackContext, named_secret, told_absent
from lokeys.core.stack.validation.objects import Placed
from lokeys.core.text.words import object_name

_WITH_CA = frozenset({"s3", "swift"})


@dataclass(frozen=True, slots=True, kw_only=True)
class StackView:
    """One stack and what is wrong with it, which may leave `storage` and `stack` None."""

    ref: Ref
    stack: LokiStack | None
    storage_type: str | None
    secret_name: str | None
    mode: CredentialMode | None
    storage: Storage | None
    findings: tuple[Finding, ...]
    placed: Placed
    secret: SecretData | None = None

    @property
    def ok(self) -> bool:
        """Tell whether there is no error."""
        return not any(finding.is_error for finding in self.findings)


def view_stack(ref: Ref, placed: Placed, context: StackContext) -> StackView:
    """Return a stack with all its faults: those of the Secret, too, if the spec has some."""
    size = size_of(placed.object)
    if size > MAX_STACK_BYTES:
        return _too_large(ref, placed, size)
    stack, said = parse(placed.object, namespace=ref.namespace or "")
    findings = [*said, *_twice(ref, context)]
    storage = _at(placed.object, "spec", "storage")
    findings += _schemas(ref, placed.object, stack, now=context.now)
    kind, name = _text(storage, "secret", "type"), _text(storage, "secret", "name")
    secret: SecretData | None = None
    managed: SecretData | None = None
    if name:
        secret = named_secret(
            Ref("Secret", object_name(name), ref.namespace), ref, context, findings
        )
    managed_ref = Ref("Secret", f"{ref.name}-managed-credentials", ref.namespace)
    if context.objects.get(managed_ref):
        managed = named_secret(managed_ref, ref, context, findings)
    mode: CredentialMode | None = None
    resolved: Storage | None = None
    if kind is not None:
        reading = read_storage(
            ref,
            kind,
            _text(storage, "secret", "credentialMode"),
            secret=secret,
            managed=managed,
            environment=context.environment,
        )
        mode = reading.mode
        known = frozenset((secret and secret.values) or ())
        if secret is None or (secret.complete and secret.keys <= known):
            resolved = reading.storage  # all values are known
        findings += told_of_contents(
            reading.findings, secret, ref, storage_type=kind, mode=mode, context=context
        )
        if reading.asks_for_managed and managed is None:
            # It is in no manifest: a check of manifests alone assumes that it exists.
            optional, rule = Severity.INFO, rules.MISSING_MANAGED_SECRET
            findings.append(told_absent(rule, managed_ref, ref, context, optional=optional))
    findings += _ca(ref, storage, kind, context)
    if _at(placed.object, "spec").get("tenants") is not None:
        # Stacks without tenants are judged sooner without this import.
        from lokeys.core.stack.validation.tenants import tenant_findings  # noqa: PLC0415

        findings += tenant_findings(ref, placed.object, context)
    return StackView(
        ref=ref,
        stack=stack,
        storage_type=kind,
        secret_name=name,
        mode=mode,
        storage=resolved,
        findings=tuple(findings),
        placed=placed,
        secret=secret,
    )


def _too_large(ref: Ref, placed: Placed, size: int) -> StackView:
    words = {"found": f"it has {in_kib(size)}", "expected": in_kib(MAX_STACK_BYTES)}
    return StackView(
        ref=ref,
        stack=None,
        storage_type=None,
        secret_name=None,
        mode=None,
        storage=None,
        findings=(tell(lokistacks.TOO_LARGE, ref, stack=ref, words=words),),
        placed=placed,
    )


def _twice(ref: Ref, context: StackContext) -> Iterator[Finding]:
    count = context.objects.count(ref)
    if count > 1:
        detail = "" if context.objects.differ(ref) else ", with the same contents"
        yield tell(lokistacks.DUPLICATE_STACK, ref, stack=ref, words={"detail": detail})


def _schemas(
    ref: Ref, manifest: Mapping[str, Any], stack: LokiStack | None, *, now: datetime
) -> Iterator[Finding]:
    """Yield the faults of the schemas; if the spec has other faults, of the valid schemas."""
    if stack is not None:
        yield from schema_findings(ref, stack.schemas, applied=stack.applied_schemas, now=now)
        return
    listed = _at(manifest, "spec", "storage").get("schemas")
    if listed is None:
        return
    sound = _sound_schemas(listed)
    applied = _sound_schemas(_at(manifest, "status", "storage").get("schemas"))
    if isinstance(listed, list) and len(sound) == len(listed):
        yield from schema_findings(ref, sound, applied=applied, now=now)


def _sound_schemas(listed: object) -> tuple[Schema, ...]:
    found = []
    for entry in listed if isinstance(listed, list) else ():
        match entry:
            case {"version": str(version), "effectiveDate": str(day)}:
                effective: date | None = calendar_date(day)
                if version in set(SchemaVersion) and effective is not None:
                    schema = Schema(version=SchemaVersion(version), effective_date=effective)
                    found.append(schema)
    return tuple(found)


def _ca(
    ref: Ref, storage: Mapping[str, Any], kind: str | None, context: StackContext
) -> tuple[Finding, ...]:
    name = _text(storage, "tls", "caName")
    if not name:
        return ()
    if kind is not None and kind not in _WITH_CA:
        words = {"detail": f"takes no CA for {object_name(kind[:20])}"}
        field = "spec.storage.tls"
        return (tell(lokistacks.UNSUPPORTED_FIELD, ref, stack=ref, field=field, words=words),)
    wanted = Ref("ConfigMap", object_name(name), ref.namespace)
    placed = context.objects.get(wanted)
    key = _text(storage, "tls", "caKey") or DEFAULT_CA_KEY
    if placed is None and context.absent == NOT_GIVEN and MADE_BY_CLUSTER.get(name) == key:
        return ()
    filled = told_of_filled_ca(wanted, key, ref, context)
    if filled is not None:
        return filled
    other = context.objects.namesake(wanted, ref) if placed is None else None
    if other is not None:
        missing = rules.MISSING_CA_CONFIGMAP
        words = {"key": key}
        said = told_absent(missing, wanted, ref, context, words=words, namesake=other)
        placed = context.objects.get(other)
        return (said, *_read_ca(ref, other, placed, key, context))
    return _read_ca(ref, wanted, placed, key, context)


def _read_ca(
    ref: Ref, wanted: Ref, placed: Placed | None, key: str, context: StackContext
) -> tuple[Finding, ...]:
    config_map = placed.object if placed else None
    return read_ca(
        ref, wanted, key=key, config_map=config_map, now=context.now, absent=context.absent
    )


def _at(value: object, *names: str) -> Mapping[str, Any]:
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _text(value: object, *names: str) -> str | None:
    *parents, last = names
    found = _at(value, *parents).get(last)
    return found if isinstance(found, str) and found else None
