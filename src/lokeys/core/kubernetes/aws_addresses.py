# SPDX-License-Identifier: Apache-2.0
"""What AWS's hosts, regions and ARNs say about each other."""

from __future__ import annotations

import re
from dataclasses import dataclass

_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}")
_ROLE_ARN = re.compile(
    r"arn:(?P<partition>[a-z-]*):iam::(?P<account>[^:]*):role/(?P<path>[\w+=,.@/-]+)", re.ASCII
)
_ACCOUNT = re.compile("[0-9]{12}")
_SUFFIXES = {
    "amazonaws.com.cn": ("aws-cn",),
    "amazonaws.com": ("aws", "aws-us-gov"),
    "amazonaws.eu": ("aws-eusc",),
    "c2s.ic.gov": ("aws-iso",),
    "sc2s.sgov.gov": ("aws-iso-b",),
    "cloud.adc-e.uk": ("aws-iso-e",),
    "csp.hci.ic.gov": ("aws-iso-f",),
}
_PREFIXES = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
    "eusc-": "aws-eusc",
}
IAM_ENDPOINTS = {
    "aws": ("https://iam.amazonaws.com", "us-east-1"),
    "aws-cn": ("https://iam.cn-north-1.amazonaws.com.cn", "cn-north-1"),
    "aws-us-gov": ("https://iam.us-gov.amazonaws.com", "us-gov-west-1"),
    "aws-iso": ("https://iam.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
    "aws-iso-b": ("https://iam.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1"),
    "aws-iso-e": ("https://iam.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1"),
    "aws-iso-f": ("https://iam.us-isof-south-1.csp.hci.ic.gov", "us-isof-south-1"),
    "aws-eusc": ("https://iam.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
}
"""Where IAM is in each partition, and the region for which its requests are signed."""

_GLOBAL_REGION = "us-east-1"
_HOSTED = frozenset({"elb", "compute", "compute-1", "execute-api"})
"""Labels in AWS's domains of hosts that may serve anybody's store: load balancers, machines.

Loki's client does not treat them as AWS's S3 either (minio-go 7.0.99, pkg/s3utils/utils.go).
"""


class NoAwsEndpoint(ValueError):
    """A host of AWS that is not the regional endpoint of S3; says what should be there."""


def is_region(text: str) -> bool:
    """Tell whether this has the form of an AWS region's name, in any partition."""
    return len(text) < 32 and _REGION.fullmatch(text) is not None


def partition_of(region: str) -> str:
    """Return the partition of an AWS region."""
    return next((name for start, name in _PREFIXES.items() if region.startswith(start)), "aws")


def domain_of(region: str) -> str:
    """Return the domain under which a region's hosts are."""
    partition = partition_of(region)
    return next(suffix for suffix, names in _SUFFIXES.items() if partition in names)


def is_aws(host: str) -> bool:
    """Tell whether a host is one of AWS's own services, in any partition."""
    return _split(host) is not None


def is_global(host: str) -> bool:
    """Tell whether this is the old S3 host that serves all regions of the partition aws."""
    return host == "s3.amazonaws.com"


def aws_region_of(host: str) -> str:
    """Return the region that an S3 host of AWS serves. Raises NoAwsEndpoint.

    Accepts regional, FIPS, dual-stack and VPC endpoints, the old `s3-<region>` and the global one.
    """
    found = _split(host)
    if found is None:
        raise NoAwsEndpoint("a host that is not AWS's")
    labels, suffix = found
    region = _region_in(labels)
    if not is_region(region):
        raise NoAwsEndpoint("a host of AWS that names no region")
    if partition_of(region) not in _SUFFIXES[suffix]:
        raise NoAwsEndpoint(f"a host of another partition than the region {region} in it")
    return region


def _split(host: str) -> tuple[list[str], str] | None:
    for suffix in _SUFFIXES:
        if host.endswith(f".{suffix}") or host == suffix:
            labels = host[: -len(suffix)].rstrip(".").split(".")
            hosted = not _HOSTED.isdisjoint(labels[1:]) or ".vpce-svc-" in host
            return None if hosted else (labels, suffix)
    return None


def _region_in(labels: list[str]) -> str:
    match labels:
        case ["s3"] | ["s3-external-1"]:
            return _GLOBAL_REGION
        case ["s3" | "s3-fips", region]:
            return region
        case ["s3" | "s3-fips", "dualstack", region]:
            return region
        case ["bucket" | "accesspoint", endpoint, "s3", region, "vpce"] if endpoint.startswith(
            "vpce-"
        ):
            return region
        case [*_, "s3", _, "vpce"]:
            raise NoAwsEndpoint("a VPC endpoint's host that does not begin with `bucket.vpce-`")
        case [name] if name.startswith("s3-") and is_region(name[3:].removeprefix("fips-")):
            return name[3:].removeprefix("fips-")
        case [_, *_, "s3" | "s3-fips", _] | [_, *_, "s3"]:
            raise NoAwsEndpoint("a host with the bucket's name in it")
    raise NoAwsEndpoint("a host of AWS that is not S3's")


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleArn:
    """A role's name: partition, account and path."""

    partition: str
    account: str
    path: str

    @property
    def has_account_id(self) -> bool:
        """Tell whether the account has the form of an AWS account id: twelve digits."""
        return _ACCOUNT.fullmatch(self.account) is not None

    @property
    def is_aws(self) -> bool:
        """Tell whether the partition is one of AWS's."""
        return any(self.partition in names for names in _SUFFIXES.values())


def role_arn(text: str) -> RoleArn | None:
    """Return the role that an ARN names, or None if it is not a role's ARN."""
    found = _ROLE_ARN.fullmatch(text)
    return RoleArn(**found.groupdict()) if found else None
