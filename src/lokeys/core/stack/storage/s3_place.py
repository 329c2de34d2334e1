# SPDX-License-Identifier: Apache-2.0
"""Where a Secret for S3 leads: endpoint, region and role, and whether they agree.

In mode token the Loki Operator reads no endpoint (grafana/loki at 65e30f8, operator/internal/
manifests/internal/config/loki-config.yaml). An endpoint in an old Secret was never used: it is an
error only if role or region show that another store than AWS is meant.
"""

from __future__ import annotations

from typing import Any

from lokeys.core.findings.catalogue import storage_secrets as rules
from lokeys.core.findings.finding import Severity
from lokeys.core.kubernetes import aws_addresses
from lokeys.core.kubernetes.aws_addresses import NoAwsEndpoint
from lokeys.core.stack.storage import s3_client
from lokeys.core.stack.storage.model import CredentialMode
from lokeys.core.stack.storage.reader import SecretReader
from lokeys.core.stack.storage.token_exchange import look_at_exchange
from lokeys.core.text.urls import NoUrl, Url, url
from lokeys.core.text.words import form, quoted

_ENDPOINT = "endpoint"
_ROLE = "`arn:aws:iam::ACCOUNT:role/NAME`"


def is_elsewhere(endpoint: Url | None) -> bool:
    """Tell whether an endpoint is not AWS's."""
    return endpoint is not None and not aws_addresses.is_aws(endpoint.host)


def read_place(reader: SecretReader) -> tuple[Url | None, Url | None]:
    """Return endpoint and STS and add findings about them; None for the region's own at AWS."""
    region = reader.value("region")
    token = reader.mode is CredentialMode.TOKEN
    sts = reader.url("sts_endpoint", with_path=True) if token else None
    if reader.mode is CredentialMode.TOKEN_CCO:
        endpoint = None
    elif token and not is_elsewhere(sts) and _is_of_aws(reader, region):
        endpoint = _left_over(reader, region=region)
    else:
        endpoint = _endpoint(reader, region=region)
    if reader.mode is CredentialMode.TOKEN_CCO or (token and not reader.value(_ENDPOINT)):
        _region(reader, region)
    if token:
        _role(reader, region=region, elsewhere=is_elsewhere(endpoint) or is_elsewhere(sts))
        look_at_exchange(reader, sts, region=region)
        if sts is None and is_elsewhere(endpoint):
            sts = endpoint  # RGW and MinIO serve both at one address
    _another_region(reader, endpoint, region=region)
    return endpoint, sts


def _is_of_aws(reader: SecretReader, region: str) -> bool:
    """Tell whether role and region are AWS's; RGW's and MinIO's roles have no such account."""
    role = aws_addresses.role_arn(reader.value("role_arn"))
    known = role is not None and role.is_aws and role.has_account_id
    return known and aws_addresses.is_region(region)


def _left_over(reader: SecretReader, *, region: str) -> Url | None:
    """Return an endpoint beside a role of AWS, if it leads anywhere else than the role."""
    text = reader.value(_ENDPOINT)
    if not text:
        return None
    usual = f"s3.{region}.{aws_addresses.domain_of(region)}"
    found: Url | None = None
    try:
        found = url(text)
        problem = _problem(found, region)
    except NoUrl as none:
        problem = str(none)
    if problem:
        reader.tell(
            rules.BAD_ENDPOINT,
            _ENDPOINT,
            severity=Severity.WARNING,
            remedy=(rules.REMOVE_FIELD,),
            found=problem,
            expected=f"`https://{usual}`, or none",
            hint=f"; it is not used, Loki asks {usual}",
        )
        return None
    if is_elsewhere(found):
        host = quoted(str(found))
        reader.tell(rules.ENDPOINT_BESIDE_TOKENS, _ENDPOINT, host=host, usual=usual)
    return found


def _problem(endpoint: Url, region: str) -> str:
    """Return why an endpoint cannot be where the role's store is; empty if it can."""
    if not aws_addresses.is_aws(endpoint.host):
        return s3_client.refused_host(endpoint.host) or ""
    if not endpoint.secure:
        return "http:// to AWS"
    try:
        served = aws_addresses.aws_region_of(endpoint.host)
    except NoAwsEndpoint as problem:
        return str(problem)
    return "" if served == region else f"a host of {served}, though `region` is {region}"


def _endpoint(reader: SecretReader, *, region: str) -> Url | None:
    endpoint = reader.url(_ENDPOINT)
    if endpoint is None:
        return None
    if aws_addresses.is_aws(endpoint.host):
        _at_aws(reader, endpoint, region=region)
        return endpoint
    refused = s3_client.refused_host(endpoint.host)
    if refused:
        reader.tell(rules.BAD_ENDPOINT, _ENDPOINT, found=refused, expected="the store's own host")
    return endpoint


def _at_aws(reader: SecretReader, endpoint: Url, *, region: str) -> None:
    known = aws_addresses.is_region(region)
    shown = region if known else "REGION"
    right = f"https://s3.{shown}.{aws_addresses.domain_of(region) if known else 'amazonaws.com'}"
    words: dict[str, Any] = {"expected": f"`{right}`", "value": right if known else "VALUE"}
    if not endpoint.secure:
        # The Loki Operator refuses it only under .amazonaws.com; S3 itself answers.
        severity = None if endpoint.host.endswith(".amazonaws.com") else Severity.WARNING
        found = "http:// to AWS"
        reader.tell(rules.BAD_ENDPOINT, _ENDPOINT, severity=severity, found=found, **words)
    try:
        served = aws_addresses.aws_region_of(endpoint.host)
    except NoAwsEndpoint as problem:
        reader.tell(rules.BAD_ENDPOINT, _ENDPOINT, found=str(problem), **words)
        served = ""
    if not region:
        if "region" not in reader.keys.required and "region" not in reader.unusable:
            reader.missing("region", why="; at AWS requests are signed for it", value=served)
    elif not known:
        _no_region(reader, region)
    elif served and served != region:
        _disagree(reader, endpoint, served=served, region=region, right=right)


def _disagree(reader: SecretReader, endpoint: Url, *, served: str, region: str, right: str) -> None:
    """Add a finding that the endpoint serves another region, with both remedies.

    The client uses the host of the configured region, so the old global host is right for each of
    them.
    """
    if aws_addresses.is_global(endpoint.host):
        found = f"is the host of all regions; Loki's client asks the one of {region}"
        severity = Severity.WARNING
        reader.tell(
            rules.REGION_MISMATCH,
            _ENDPOINT,
            severity=severity,
            found=found,
            expected=f"`{right}`",
            value=right,
        )
        return
    same = aws_addresses.partition_of(served) == aws_addresses.partition_of(region)
    other = f"https://{endpoint.authority.replace(served, region)}" if same else right
    reader.tell(
        rules.REGION_MISMATCH,
        "region",
        remedy=(rules.SET_FIELD, rules.SET_OTHER),
        found=f"is {region}",
        expected=f"{served}, which the endpoint's host serves, or an endpoint of {region}",
        value=served,
        other=_ENDPOINT,
        other_value=other,
    )


def _another_region(reader: SecretReader, endpoint: Url | None, *, region: str) -> None:
    host = endpoint.host if endpoint else f"s3.{region}.{aws_addresses.domain_of(region)}"
    if aws_addresses.is_region(region) and s3_client.asks_another_region(host, region):
        reader.tell(
            rules.REGION_MISMATCH,
            "region",
            severity=Severity.WARNING,
            remedy=(rules.NEWER_LOKI,),
            found=f"is {region}, which Loki 3.7's S3 client does not know: it asks us-east-1",
            expected="a region that it knows",
        )


def _region(reader: SecretReader, region: str) -> None:
    """Check a region's form if AWS must know it; other stores may use any name."""
    if region and not aws_addresses.is_region(region):
        _no_region(reader, region)


def _no_region(reader: SecretReader, region: str) -> None:
    found, expected = "is no region of AWS", "a name such as eu-west-1"
    small = region.lower().replace("_", "-")
    zone = small.rstrip("abcdefgh")  # of a region; a zone has one more letter
    near = next((each for each in (small, zone) if aws_addresses.is_region(each)), None)
    meant: dict[str, Any] = {"value": near, "hint": f"; `{near}` was meant"} if near else {}
    reader.tell(rules.REGION_MISMATCH, "region", found=found, expected=expected, **meant)


def _role(reader: SecretReader, *, region: str, elsewhere: bool) -> None:
    """Check the role's ARN: at AWS by partition and account, elsewhere its form."""
    text = reader.value("role_arn")
    if not text:
        return
    role = aws_addresses.role_arn(text)
    if role is None:
        hint = ""
        if ":user/" in text or ":policy/" in text or ":assumed-role/" in text:
            hint = "; it names something else than a role"
        found = quoted(text) if text.startswith("arn:") else form(text)
        reader.tell(rules.BAD_ROLE_ARN, "role_arn", found=found, expected=_ROLE, hint=hint)
    elif elsewhere:
        return
    elif not role.is_aws:
        found = "an ARN of no partition of AWS"
        expected = "arn:aws:, arn:aws-cn: or arn:aws-us-gov:"
        reader.tell(rules.BAD_ROLE_ARN, "role_arn", found=found, expected=expected)
    elif not role.has_account_id:
        found, expected = "an ARN whose account is no account id", "an account id of twelve digits"
        reader.tell(rules.BAD_ROLE_ARN, "role_arn", found=found, expected=expected)
    elif aws_addresses.is_region(region) and aws_addresses.partition_of(region) != role.partition:
        partition = aws_addresses.partition_of(region)
        found = f"is a role of partition {role.partition}"
        expected = f"one of {partition}, where {region} is"
        reader.tell(rules.REGION_MISMATCH, "role_arn", found=found, expected=expected)
