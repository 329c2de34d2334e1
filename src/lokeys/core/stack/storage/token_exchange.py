# SPDX-License-Identifier: Apache-2.0
"""Where a stack's tokens are exchanged: AWS's STS by its hosts, or another store's.

sts.REGION.DOMAIN, sts-fips.REGION.DOMAIN       regional sts.amazonaws.com
the old one, of the partition aws vpce-ID.sts.REGION.vpce.DOMAIN                  in a VPC
"""

from __future__ import annotations

import re

from lokeys.core.findings.catalogue import storage_secrets as rules
from lokeys.core.findings.finding import Rule, Severity
from lokeys.core.kubernetes import aws_addresses
from lokeys.core.kubernetes.aws_addresses import NoAwsEndpoint
from lokeys.core.stack.storage.reader import SecretReader
from lokeys.core.text.urls import Url

_KEY = "sts_endpoint"
_OLD = "sts.amazonaws.com"
_REGIONAL = re.compile(r"sts(?:-fips)?\.(?P<region>[a-z0-9-]+)\.(?P<domain>[a-z0-9.-]+)")
_IN_VPC = re.compile(r"vpce-[a-z0-9-]+\.sts\.(?P<region>[a-z0-9-]+)\.vpce\.(?P<domain>[a-z0-9.-]+)")


def look_at_exchange(reader: SecretReader, sts: Url | None, *, region: str) -> None:
    """Add findings about an STS of AWS. A token is as valuable as a key: TLS is required."""
    if sts is None or not aws_addresses.is_aws(sts.host):
        return
    known = aws_addresses.is_region(region)
    domain = aws_addresses.domain_of(region) if known else "amazonaws.com"
    right = f"https://sts.{region if known else 'REGION'}.{domain}"
    served = "" if sts.host == _OLD else _region_of(sts.host)
    if served is None:
        found = f"a host of AWS that is {'S3' if _is_s3(sts.host) else 'something else'}, not STS"
        _tell(reader, rules.BAD_ENDPOINT, found, right)
    elif known:
        _compare(reader, served, region=region, right=right)
    if not sts.secure:
        found = "http:// to AWS, so that tokens cross the network in clear"
        secure = f"https://{sts.host}" if served in ("", region) else right
        _tell(reader, rules.BAD_ENDPOINT, found, secure)


def _tell(
    reader: SecretReader, rule: Rule, found: str, right: str, *, severity: Severity | None = None
) -> None:
    value = "VALUE" if "REGION" in right else right
    reader.tell(rule, _KEY, found=found, expected=f"`{right}`", severity=severity, value=value)


def _region_of(host: str) -> str | None:
    """Return the region that an STS serves, or None if the host is not a regional STS."""
    found = _IN_VPC.fullmatch(host) or _REGIONAL.fullmatch(host)
    if found is None or not aws_addresses.is_region(found["region"]):
        return None
    return found["region"] if found["domain"] == aws_addresses.domain_of(found["region"]) else None


def _is_s3(host: str) -> bool:
    try:
        return bool(aws_addresses.aws_region_of(host))
    except NoAwsEndpoint:
        return False


def _compare(reader: SecretReader, served: str, *, region: str, right: str) -> None:
    """Compare regions; `served` is empty for the old host of all regions of the partition aws."""
    partition, here = aws_addresses.partition_of(served), aws_addresses.partition_of(region)
    if partition != here:
        found = f"is of partition {partition}, which knows no role of {here}, where {region} is"
        _tell(reader, rules.REGION_MISMATCH, found, right)
    elif served and served != region:
        found = f"exchanges tokens in {served}, though the bucket is in {region}"
        # It works as long as both regions are available.
        _tell(reader, rules.REGION_MISMATCH, found, right, severity=Severity.WARNING)
