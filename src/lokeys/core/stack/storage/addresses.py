# SPDX-License-Identifier: Apache-2.0
"""Addresses of stores: URLs, and what AWS's hosts, regions and ARNs say of one another."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]")
_PATH = re.compile(r"[A-Za-z0-9._~/-]{0,253}")
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
_GLOBAL_REGION = "us-east-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Url:
    """A URL of scheme, host and port; `path` without a slash at its end."""

    secure: bool
    host: str
    port: int | None = None
    path: str = ""

    @property
    def authority(self) -> str:
        """Return `host[:port]`."""
        return self.host if self.port is None else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"http{'s' if self.secure else ''}://{self.authority}{self.path}"


class NoUrl(ValueError):
    """A text that is no address; the message says why, and shows nothing of it."""


class NoAwsEndpoint(ValueError):
    """A host of AWS that is not the regional endpoint of S3; says what should be there."""


def url(text: str, *, with_path: bool = False, scheme: str | None = None) -> Url:
    """Return the URL that `text` is; `scheme` is for a text that has none. Raises NoUrl."""
    if "://" not in text:
        if scheme is None:
            raise NoUrl("no URL: it begins neither with `https://` nor with `http://`")
        text = f"{scheme}://{text}"
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise NoUrl("a URL whose host or port makes no sense") from None
    if parts.scheme.lower() not in ("http", "https"):
        raise NoUrl("a URL of another scheme than http and https")
    if "@" in parts.netloc:
        raise NoUrl("a URL with a user in it")
    if not host:
        raise NoUrl("a URL without a host")
    host = f"[{host}]" if ":" in host else host
    if not _HOST.fullmatch(host) or ".." in host or port == 0:
        raise NoUrl("a URL whose host or port makes no sense")
    if parts.query or parts.fragment:
        raise NoUrl("a URL with more than an address in it")
    path = parts.path.rstrip("/")
    if path and not with_path:
        raise NoUrl("a URL with a path")
    return Url(secure=parts.scheme.lower() == "https", host=host, port=port, path=path)


def as_printed(text: str) -> str:
    """Return an address out of foreign text as it may be printed; empty where it holds more.

    A user, a query or a fragment may be a credential, and a path anything.
    """
    try:
        found = url(text, with_path=True)
    except NoUrl:
        return ""
    return str(found) if _PATH.fullmatch(found.path) else ""


def is_region(text: str) -> bool:
    """Tell whether this has the form of an AWS region's name, of any partition."""
    return len(text) < 32 and _REGION.fullmatch(text) is not None


def partition_of(region: str) -> str:
    """Return the partition of an AWS region."""
    return next((name for start, name in _PREFIXES.items() if region.startswith(start)), "aws")


def domain_of(region: str) -> str:
    """Return the domain under which a region's hosts are."""
    partition = partition_of(region)
    return next(suffix for suffix, names in _SUFFIXES.items() if partition in names)


def is_aws(host: str) -> bool:
    """Tell whether a host belongs to AWS, in any partition."""
    return _split(host) is not None


def aws_region_of(host: str) -> str:
    """Return the region that an S3 host of AWS serves. Raises NoAwsEndpoint.

    Regional, FIPS, dual-stack, VPC endpoint, and the old `s3-<region>` and global ones.
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
            return host[: -len(suffix)].rstrip(".").split("."), suffix
    return None


def _region_in(labels: list[str]) -> str:
    match labels:
        case ["s3"] | ["s3-external-1"]:
            return _GLOBAL_REGION
        case ["s3" | "s3-fips", region]:
            return region
        case ["s3" | "s3-fips", "dualstack", region]:
            return region
        case ["bucket", endpoint, "s3", region, "vpce"] if endpoint.startswith("vpce-"):
            return region
        case [*_, "s3", _, "vpce"]:
            raise NoAwsEndpoint("a VPC endpoint's host that does not begin with `bucket.vpce-`")
        case [name] if name.startswith("s3-") and is_region(name[3:]):
            return name[3:]
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
        """Tell whether the account is one of AWS's: twelve digits."""
        return _ACCOUNT.fullmatch(self.account) is not None

    @property
    def is_aws(self) -> bool:
        """Tell whether the partition is one of AWS's."""
        return any(self.partition in names for names in _SUFFIXES.values())


def role_arn(text: str) -> RoleArn | None:
    """Return the role that an ARN names, or None where it names none."""
    found = _ROLE_ARN.fullmatch(text)
    return RoleArn(**found.groupdict()) if found else None
