# SPDX-License-Identifier: Apache-2.0
"""Reads a Secret for S3: AWS in all its partitions, Ceph RGW, MinIO and similar stores."""

from __future__ import annotations

from lokeys.core.findings.catalogue import storage_secrets as rules
from lokeys.core.findings.finding import Severity
from lokeys.core.stack.storage import s3_client
from lokeys.core.stack.storage.mode import json_object
from lokeys.core.stack.storage.model import S3, CredentialMode, Sse, SseType
from lokeys.core.stack.storage.reader import SecretReader, meant_of
from lokeys.core.stack.storage.s3_place import is_elsewhere, read_place
from lokeys.core.text.urls import Url
from lokeys.core.text.words import quoted

_TRUE, _FALSE = "true", "false"
_SWITCHES = {
    **dict.fromkeys(("true", "yes", "on", "1"), _TRUE),
    **dict.fromkeys(("false", "no", "off", "0"), _FALSE),
}
_OTHER_SSE = {"aes256": "SSE-S3", "s3": "SSE-S3", "aws:kms": "SSE-KMS", "kms": "SSE-KMS"}


def read_s3(reader: SecretReader) -> S3:
    """Return what the Secret says; its faults are among the reader's findings."""
    endpoint, sts = read_place(reader)
    buckets = _buckets(reader, elsewhere=is_elsewhere(endpoint))
    if endpoint is not None and is_elsewhere(endpoint):
        _taken_for_the_bucket(reader, endpoint, buckets)
    return S3(
        mode=reader.mode,
        buckets=buckets,
        endpoint_host=endpoint.authority if endpoint else "",
        insecure=endpoint is not None and not endpoint.secure,
        region=reader.value("region"),
        force_path_style=_by_path(reader, endpoint),
        audience="" if reader.mode is CredentialMode.STATIC else reader.value("audience"),
        role_arn=reader.value("role_arn") if reader.mode is CredentialMode.TOKEN else "",
        sts_endpoint=str(sts) if sts else "",
        sse=_sse(reader),
    )


def _buckets(reader: SecretReader, *, elsewhere: bool) -> tuple[str, ...]:
    text = reader.value("bucketnames")
    names = tuple(filter(None, (part.strip() for part in text.split(","))))
    refused = next(filter(None, map(s3_client.refused_name, names)), None)
    if refused is None and not elsewhere and ":" in text:
        refused = "a name with `:` in it, which only Ceph RGW has, for its tenants,"
    if refused or (text and not names):
        reader.bad_name("bucketnames", refused or "commas alone")
    elif len(names) > 1 or text.strip(",") != text:
        _several(reader, text, names)
    return tuple(dict.fromkeys(names))


def _several(reader: SecretReader, text: str, names: tuple[str, ...]) -> None:
    warning = Severity.WARNING
    if "".join(text.split()) != text:
        reader.tell(
            rules.INVISIBLE_CHARACTERS,
            "bucketnames",
            found="holds blanks beside its commas; lokeys passes over them",
            severity=warning,
            remedy=(rules.SET_FIELD,),
        )
    if len(names) > len(set(names)):
        found, expected = "one name more than once", "each name once"
        reader.tell(
            rules.BAD_BUCKET_NAME, "bucketnames", found=found, expected=expected, severity=warning
        )
    if len(set(names)) > 1:
        reader.tell(rules.SEVERAL_BUCKETS, "bucketnames", count=len(set(names)))


def _taken_for_the_bucket(reader: SecretReader, endpoint: Url, buckets: tuple[str, ...]) -> None:
    """Add a finding about a host that Loki refuses, because it takes it for the bucket's.

    Loki splits the endpoint at its dots (grafana/loki 3.7.8, pkg/storage/bucket/s3/config.go).
    """
    if buckets == (endpoint.authority.partition(".")[0],):
        found = "a host that begins with the bucket's name, which Loki refuses"
        expected = "the store's own host; or another bucket, where that is the store's own"
        reader.tell(rules.BAD_ENDPOINT, "endpoint", found=found, expected=expected)


def _by_path(reader: SecretReader, endpoint: Url | None) -> bool:
    """Tell whether Loki must put buckets into paths; `false` leaves the choice to its client.

    The Loki Operator does the same: a stack that it ran keeps its URLs.
    """
    key = "forcepathstyle"
    asked = _switch(reader, key)
    if asked or endpoint is None:
        return asked
    virtual = s3_client.takes_virtual_hosts(endpoint.host, secure=endpoint.secure, bucket="")
    if reader.value(key) == _FALSE and not virtual:
        reader.tell(rules.PATHS_ALL_THE_SAME, key, host=quoted(endpoint.host))
    return not reader.value(key) and s3_client.was_asked_by_path(endpoint.host)


def _switch(reader: SecretReader, key: str) -> bool:
    text = reader.value(key)
    if text and text not in (_TRUE, _FALSE):
        reader.tell(rules.BAD_BOOL, key, **meant_of(text, (), _SWITCHES))
    elif reader.is_empty(key):
        reader.tell(rules.BAD_BOOL, key, severity=Severity.WARNING, found="empty")
    return text == _TRUE


def _sse(reader: SecretReader) -> Sse | None:
    word = reader.value("sse_type")
    kms_key, context = reader.value("sse_kms_key_id"), reader.value("sse_kms_encryption_context")
    if word and word not in set(SseType):
        reader.tell(rules.UNKNOWN_SSE, "sse_type", **meant_of(word, SseType, _OTHER_SSE))
        return None
    if word == SseType.KMS:
        reader.missing("sse_kms_key_id", why="; SSE-KMS encrypts with it")
        if context:
            _context(reader, context)
        return Sse(
            type=SseType.KMS,
            kms_key_id=kms_key,
            has_kms_encryption_context=bool(context),
            kms_encryption_context=context,
        )
    for key, text in (("sse_kms_key_id", kms_key), ("sse_kms_encryption_context", context)):
        if text:
            reader.tell(rules.UNKNOWN_FIELD, key, hint=": it needs `sse_type` SSE-KMS")
    return Sse(type=SseType.S3) if word else None


def _context(reader: SecretReader, context: str) -> None:
    found = json_object(context.encode())
    if found is None or not all(isinstance(value, str) for value in found.values()):
        reader.tell(
            rules.BAD_JSON,
            "sse_kms_encryption_context",
            found="is no JSON object of texts",
            expected='an object such as {"key": "value"}',
            remedy=(rules.SET_FIELD,),
        )
