# SPDX-License-Identifier: Apache-2.0
"""From a stack's storage Secret to its meaning, with all its faults at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, assert_never

from lokeys.core.findings.catalogue import storage_secrets as rules
from lokeys.core.findings.finding import Finding, Rule
from lokeys.core.place import Ref
from lokeys.core.stack.storage.fields import DECIDING, OWN_KEYS, keys_of
from lokeys.core.stack.storage.mode import (
    NEEDED,
    WITH_TOKENS,
    has_cloud_credentials,
    infer_mode,
    meant_for_token,
)
from lokeys.core.stack.storage.model import CloudEnvironment, CredentialMode, Storage, StorageType
from lokeys.core.stack.storage.reader import SecretReader, meant_of
from lokeys.core.stack.storage.secret_data import SecretData
from lokeys.core.stack.storage.wording import tell
from lokeys.core.text.words import quoted

TYPE_FIELD = "spec.storage.secret.type"
MODE_FIELD = "spec.storage.secret.credentialMode"
_OTHER_TYPES = {
    **dict.fromkeys(("aws", "minio", "rgw", "ceph", "amazon"), "s3"),
    **dict.fromkeys(("gcp", "google", "gs"), "gcs"),
    **dict.fromkeys(("azblob", "azure-blob", "blob"), "azure"),
    **dict.fromkeys(("alibaba", "alibaba-cloud", "aliyun", "oss"), "alibabacloud"),
    "openstack": "swift",
}
_MANAGED_KEYS = {
    StorageType.S3: ("credentials",),
    StorageType.AZURE: ("azure_client_id", "azure_tenant_id", "azure_subscription_id"),
    StorageType.GCS: ("service_account.json",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageReading:
    """What a Secret means; `storage` None: an error, also in its data, makes it unknown.

    `mode` None: it cannot be known.
    """

    storage: Storage | None = None
    mode: CredentialMode | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def asks_for_managed(self) -> bool:
        """Tell whether the Cloud Credential Operator will be asked for credentials."""
        never = {rules.MODE_NOT_SUPPORTED.code, rules.MODE_NOT_AVAILABLE.code}
        refused = any(finding.code in never for finding in self.findings)
        return self.mode is CredentialMode.TOKEN_CCO and not refused


def read_storage(  # noqa: PLR0913 - what a stack's storage depends on, all named at the call
    stack: Ref,
    storage_type: str,
    credential_mode: str | None,
    *,
    secret: SecretData | None,
    managed: SecretData | None = None,
    environment: CloudEnvironment | None = None,
) -> StorageReading:
    """Return a stack's storage and the faults of its Secret. No Secret: only the mode's faults.

    The caller reports whether a Secret should exist.
    """
    around = environment or CloudEnvironment()
    if storage_type not in set(StorageType):
        words = {"expected": ", ".join(StorageType), "hint": ""}
        words |= {"value": "TYPE"} | meant_of(storage_type, StorageType, _OTHER_TYPES)
        words["found"] = quoted(storage_type)
        finding = tell(rules.UNKNOWN_TYPE, stack, stack=stack, field=TYPE_FIELD, words=words)
        return StorageReading(findings=(finding, *_mode_word(stack, credential_mode)))
    kind = StorageType(storage_type)
    mode = infer_mode(kind, credential_mode, secret=secret, environment=around)
    findings = [*_mode_word(stack, credential_mode), *_mode_fits(stack, kind, mode, around)]
    read_as = mode or infer_mode(kind, None, secret=secret, environment=around)
    meant = meant_for_token(kind, secret) if secret is not None and credential_mode else None
    if secret is not None and meant and mode is CredentialMode.STATIC:
        findings.append(_another_mode(meant, secret.ref, stack, kind))
        read_as = CredentialMode.TOKEN  # so that no keys are requested that were not meant
    storage: Storage | None = None
    if secret is not None and (read_as is not None or secret.values is None):
        reader = _reader(stack, secret, kind, read_as or CredentialMode.STATIC)
        if read_as is not None:
            reader.look_at_keys()
        if secret.values is not None:
            reader.look_at_forms()
            storage = _read(reader)
        elif read_as is not None and kind is StorageType.AZURE:
            _read(reader)  # the names alone show which of two keys is there
        findings += reader.findings
        if not credential_mode and _may_be_managed(kind, mode, secret):
            findings = [_perhaps_managed(each) for each in findings]
    if managed is not None and mode is CredentialMode.TOKEN_CCO and managed.complete:
        findings += _managed(stack, managed, kind)
    sound = mode is not None and not any(finding.is_error for finding in findings)
    sound = sound and secret is not None and secret.whole
    return StorageReading(storage=storage if sound else None, mode=mode, findings=tuple(findings))


def _another_mode(key: str, secret: Ref, stack: Ref, kind: StorageType) -> Finding:
    """Return that a stack says static, although its Secret was made for tokens."""
    deciding = DECIDING[kind]
    looks = "with it" if key == deciding else f"it looks like `{deciding}`, with which"
    hint = (
        f"{looks} the mode is token; of {' and '.join(map(quoted, OWN_KEYS[kind]))} there is none"
    )
    words = {"mode": CredentialMode.STATIC, "type": kind.value, "hint": hint}
    remedy = (rules.USE_TOKENS, rules.REMOVE_FIELD)
    rule = rules.FIELD_NOT_ALLOWED
    return tell(rule, secret, stack=stack, field=key, words=words, remedy=remedy)


def _may_be_managed(kind: StorageType, mode: CredentialMode | None, secret: SecretData) -> bool:
    """Tell whether a Secret without any credentials is complete for mode token-cco."""
    if mode is not CredentialMode.STATIC or kind not in WITH_TOKENS:
        return False
    keys = keys_of(kind, CredentialMode.TOKEN_CCO)
    return secret.keys <= keys.known and all(secret.has(key) for key in keys.required)


def _perhaps_managed(finding: Finding) -> Finding:
    if finding.code != rules.MISSING_FIELD.code:
        return finding
    return replace(finding, remedy=(*finding.remedy, rules.IS_MANAGED))


def _reader(
    stack: Ref, secret: SecretData, kind: StorageType, mode: CredentialMode
) -> SecretReader:
    keys = keys_of(kind, mode)
    read_as = mode if kind in WITH_TOKENS else CredentialMode.STATIC
    return SecretReader(stack=stack, secret=secret, type=kind, mode=read_as, keys=keys)


def _read(reader: SecretReader) -> Storage:
    """Return what the Secret says. Most inputs use one store: only its reader is loaded."""
    match reader.type:
        case StorageType.S3:
            from lokeys.core.stack.storage.s3 import read_s3  # noqa: PLC0415

            return read_s3(reader)
        case StorageType.AZURE:
            from lokeys.core.stack.storage.azure import read_azure  # noqa: PLC0415

            return read_azure(reader)
        case StorageType.GCS:
            from lokeys.core.stack.storage.gcs import read_gcs  # noqa: PLC0415

            return read_gcs(reader)
        case StorageType.SWIFT:
            from lokeys.core.stack.storage.others import read_swift  # noqa: PLC0415

            return read_swift(reader)
        case StorageType.ALIBABACLOUD:
            from lokeys.core.stack.storage.others import read_alibabacloud  # noqa: PLC0415

            return read_alibabacloud(reader)
        case other:
            assert_never(other)


def _at_mode(rule: Rule, stack: Ref, **words: Any) -> Finding:
    return tell(rule, stack, stack=stack, field=MODE_FIELD, words=words)


def _mode_word(stack: Ref, word: str | None) -> list[Finding]:
    if not word or word in set(CredentialMode):
        return []
    words = {"expected": ", ".join(CredentialMode), "hint": ""}
    words |= {"value": "MODE"} | meant_of(word, CredentialMode)
    words["found"] = quoted(word)
    return [_at_mode(rules.UNKNOWN_MODE, stack, **words)]


def _mode_fits(
    stack: Ref, kind: StorageType, mode: CredentialMode | None, environment: CloudEnvironment
) -> list[Finding]:
    if mode in (None, CredentialMode.STATIC):
        return []
    if kind not in WITH_TOKENS:
        return [_at_mode(rules.MODE_NOT_SUPPORTED, stack, type=kind.value, mode=mode)]
    if mode is CredentialMode.TOKEN_CCO and not has_cloud_credentials(environment, kind):
        expected = NEEDED[kind] + ("" if environment.openshift else ", on OpenShift")
        return [_at_mode(rules.MODE_NOT_AVAILABLE, stack, type=kind.value, expected=expected)]
    return []


def _managed(stack: Ref, managed: SecretData, kind: StorageType) -> list[Finding]:
    """Return what is missing in the Secret that the Cloud Credential Operator makes."""
    return [
        replace(
            tell(
                rules.MISSING_FIELD,
                managed.ref,
                stack=stack,
                field=key,
                words={
                    "type": kind.value,
                    "mode": CredentialMode.TOKEN_CCO.value,
                    "found": "is empty" if key in managed.keys else "is missing",
                    "expected": "the Cloud Credential Operator puts it there",
                    "hint": "",
                },
            ),
            remedy=(),
        )
        for key in _MANAGED_KEYS.get(kind, ())
        if not managed.has(key)
    ]
