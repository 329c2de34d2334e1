# SPDX-License-Identifier: Apache-2.0
"""Reading a Secret for S3: AWS in all its partitions, Ceph RGW, MinIO and their like."""

from __future__ import annotations

from typing import Any

from lokeys.core.findings.catalogue import storage_secrets as rules
from lokeys.core.findings.finding import Severity
from lokeys.core.stack.storage import addresses
from lokeys.core.stack.storage.addresses import NoAwsEndpoint
from lokeys.core.stack.storage.mode import json_object
from lokeys.core.stack.storage.model import S3, CredentialMode, Sse, SseType
from lokeys.core.stack.storage.reader import SecretReader, meant_of
from lokeys.core.stack.storage.token_exchange import look_at_exchange
from lokeys.core.text.urls import Url
from lokeys.core.text.words import form, quoted

_TRUE, _FALSE = "true", "false"
_SWITCHES = {
    **dict.fromkeys(("true", "yes", "on", "1"), _TRUE),
    **dict.fromkeys(("false", "no", "off", "0"), _FALSE),
}
_OTHER_SSE = {"aes256": "SSE-S3", "s3": "SSE-S3", "aws:kms": "SSE-KMS", "kms": "SSE-KMS"}
_SHORTEST, _LONGEST = 3, 63
"""Of a bucket's name; S3 has no others, and Loki's client asks for no others."""


def read_s3(reader: SecretReader) -> S3:
    """Return what the Secret says; what it says wrong is among the reader's findings."""
    token = reader.mode is CredentialMode.TOKEN
    with_endpoint = reader.mode is not CredentialMode.TOKEN_CCO
    endpoint = reader.url("endpoint") if with_endpoint else None
    sts = reader.url("sts_endpoint", with_path=True) if token else None
    region = reader.value("region")
    _region(reader, endpoint, region=region)
    if token:
        _role(reader, region=region, elsewhere=_is_elsewhere(endpoint) or _is_elsewhere(sts))
    look_at_exchange(reader, sts, region=region)
    if sts is None and endpoint is not None and token and _is_elsewhere(endpoint):
        sts = endpoint  # RGW and MinIO answer both at one address
    buckets = _buckets(reader)
    if endpoint is not None and _is_elsewhere(endpoint):
        _taken_for_the_bucket(reader, endpoint, buckets)
    return S3(
        mode=reader.mode,
        buckets=buckets,
        endpoint_host=endpoint.authority if endpoint else "",
        insecure=endpoint is not None and not endpoint.secure,
        region=region,
        force_path_style=_switch(reader, "forcepathstyle"),
        virtual_host=_is_elsewhere(endpoint) and reader.value("forcepathstyle") == _FALSE,
        audience="" if reader.mode is CredentialMode.STATIC else reader.value("audience"),
        role_arn=reader.value("role_arn") if token else "",
        sts_endpoint=str(sts) if sts else "",
        sse=_sse(reader),
    )


def _is_elsewhere(endpoint: Url | None) -> bool:
    """Tell whether an endpoint is not AWS's."""
    return endpoint is not None and not addresses.is_aws(endpoint.host)


def _buckets(reader: SecretReader) -> tuple[str, ...]:
    text = reader.value("bucketnames")
    names = tuple(filter(None, (part.strip() for part in text.split(","))))
    if any(not _is_bucket(name) for name in names):
        reader.bad_name("bucketnames")
    elif len(names) > 1 or text.strip(",") != text:
        if "".join(text.split()) != text:
            found = "holds blanks beside its commas; lokeys passes over them"
            reader.tell(
                rules.INVISIBLE_CHARACTERS,
                "bucketnames",
                found=found,
                severity=Severity.WARNING,
                remedy=(rules.SET_FIELD,),
            )
        if len(names) > len(set(names)):
            found, expected = "one name more than once", "each name once"
            severity = Severity.WARNING
            reader.tell(
                rules.BAD_BUCKET_NAME,
                "bucketnames",
                found=found,
                expected=expected,
                severity=severity,
            )
        if len(set(names)) > 1:
            reader.tell(rules.SEVERAL_BUCKETS, "bucketnames", count=len(set(names)))
    if text and not names:
        reader.bad_name("bucketnames")
    return tuple(dict.fromkeys(names))


def _taken_for_the_bucket(reader: SecretReader, endpoint: Url, buckets: tuple[str, ...]) -> None:
    """Tell of a host that Loki refuses, as it takes it for that of the bucket alone."""
    first, *rest = endpoint.authority.split(".")
    if rest and buckets == (first,):
        found = "a host that begins with the bucket's name, which Loki refuses"
        expected = "the store's own host; or another bucket, where that is the store's own"
        reader.tell(rules.BAD_ENDPOINT, "endpoint", found=found, expected=expected)


def _is_bucket(name: str) -> bool:
    if not _SHORTEST <= len(name) <= _LONGEST:
        return False
    return name.isascii() and name.replace(".", "").replace("_", "").replace("-", "").isalnum()


def _region(reader: SecretReader, endpoint: Url | None, *, region: str) -> None:
    """Compare the region with the endpoint's host, where AWS serves it."""
    if endpoint is not None and addresses.is_aws(endpoint.host):
        _aws_endpoint(reader, endpoint, region=region)
    elif reader.mode is CredentialMode.STATIC or reader.value("endpoint"):
        return  # a store of one's own names its region as it likes
    elif region and not addresses.is_region(region):
        _no_region(reader, region)


def _aws_endpoint(reader: SecretReader, endpoint: Url, *, region: str) -> None:
    domain = addresses.domain_of(region) if addresses.is_region(region) else "amazonaws.com"
    shown = region if addresses.is_region(region) else "REGION"
    expected = f"`https://s3.{shown}.{domain}`"
    if not endpoint.secure:
        found = "http:// to AWS"
        reader.tell(rules.BAD_ENDPOINT, "endpoint", found=found, expected=expected)
    try:
        served = addresses.aws_region_of(endpoint.host)
    except NoAwsEndpoint as problem:
        reader.tell(rules.BAD_ENDPOINT, "endpoint", found=str(problem), expected=expected)
        served = ""
    if not region:
        if "region" not in reader.keys.required and "region" not in reader.unusable:
            reader.missing("region", why="; at AWS requests are signed for it")
    elif not addresses.is_region(region):
        _no_region(reader, region)
    elif served and served != region:
        found, expected = f"says {region}", f"{served}, which the endpoint's host serves"
        reader.tell(rules.REGION_MISMATCH, "region", found=found, expected=expected)


def _no_region(reader: SecretReader, region: str) -> None:
    found, expected = "is no region of AWS", "a name such as eu-west-1"
    small = region.lower().replace("_", "-")
    zone = small.rstrip("abcdefgh")  # of a region; that is one letter at its end
    near = next((each for each in (small, zone) if addresses.is_region(each)), None)
    meant: dict[str, Any] = {"value": near, "hint": f"; `{near}` was meant"} if near else {}
    reader.tell(rules.REGION_MISMATCH, "region", found=found, expected=expected, **meant)


def _role(reader: SecretReader, *, region: str, elsewhere: bool) -> None:
    """Check the role's ARN: at AWS by partition and account, elsewhere its form."""
    text = reader.value("role_arn")
    if not text:
        return
    role = addresses.role_arn(text)
    expected = "`arn:aws:iam::ACCOUNT:role/NAME`"
    if role is None:
        hint = ""
        if ":user/" in text or ":policy/" in text or ":assumed-role/" in text:
            hint = "; it names something else than a role"
        found = quoted(text) if text.startswith("arn:") else form(text)
        reader.tell(rules.BAD_ROLE_ARN, "role_arn", found=found, expected=expected, hint=hint)
    elif elsewhere:
        return
    elif not role.is_aws:
        found, expected = (
            "an ARN of no partition of AWS",
            "arn:aws:, arn:aws-cn: or arn:aws-us-gov:",
        )
        reader.tell(rules.BAD_ROLE_ARN, "role_arn", found=found, expected=expected)
    elif not role.has_account_id:
        found, expected = "an ARN whose account is no account id", "an account id of twelve digits"
        reader.tell(rules.BAD_ROLE_ARN, "role_arn", found=found, expected=expected)
    elif addresses.is_region(region) and addresses.partition_of(region) != role.partition:
        partition = addresses.partition_of(region)
        found = f"is a role of partition {role.partition}"
        expected = f"one of {partition}, where {region} is"
        reader.tell(rules.REGION_MISMATCH, "role_arn", found=found, expected=expected)


def _switch(reader: SecretReader, key: str) -> bool:
    text = reader.value(key)
    if text and text not in (_TRUE, _FALSE):
        reader.tell(rules.BAD_BOOL, key, **meant_of(text, (), _SWITCHES))
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
