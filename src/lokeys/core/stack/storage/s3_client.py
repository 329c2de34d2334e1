# SPDX-License-Identifier: Apache-2.0
"""How Loki's S3 client handles hosts, regions and names.

Loki 3.7.8 has minio-go 7.0.99, behind github.com/grafana/objstore (providers/s3/s3.go). The rules
here are from its pkg/s3utils/utils.go, utils.go (isValidEndpointURL), api.go (makeTargetURL) and
endpoints.go.
"""

from __future__ import annotations

import re

from lokeys.core.kubernetes import aws_addresses
from lokeys.core.kubernetes.aws_addresses import NoAwsEndpoint
from lokeys.core.text.words import character

_SHORTEST, _LONGEST = 3, 63
_LONGEST_HOST = 255
_STRANGE = re.compile(r"[^A-Za-z0-9._:-]")
_IP = re.compile(r"([0-9]{1,63}\.){3}[0-9]{1,63}")
_GOOGLE = "storage.googleapis.com"
_IN_CHINA = ("s3.cn-", "s3.dualstack.cn-")
_REGION_NAMES = (
    "af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 "
    "ap-south-2 ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 "
    "ap-southeast-7 ca-central-1 ca-west-1 cn-north-1 cn-northwest-1 eu-central-1 eu-central-2 "
    "eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-2 eu-west-3 il-central-1 me-central-1 "
    "me-south-1 mx-central-1 sa-east-1 us-east-1 us-east-2 us-gov-east-1 us-gov-west-1 us-west-1 "
    "us-west-2"
)
_REGIONS = frozenset(_REGION_NAMES.split())


def refused_name(name: str) -> str | None:
    """Return why the client refuses a bucket's name, in words; None if it accepts it.

    A `:` separates a tenant of Ceph RGW from its bucket.
    """
    if len(name) < _SHORTEST:
        return f"a name of fewer than {_SHORTEST} characters"
    if len(name) > _LONGEST:
        return f"a name of more than {_LONGEST} characters"
    strange = _STRANGE.search(name)
    if strange:
        return f"a name with {character(strange[0])} in it"
    edge = next((each for each in (name[0], name[-1]) if not each.isalnum()), None)
    if edge:
        return f"a name that begins or ends with `{edge}`"
    pair = next((each for each in ("..", ".-", "-.") if each in name), None)
    if pair:
        return f"a name with `{pair}` in it"
    return "an IP address" if _IP.fullmatch(name) else None


def refused_host(host: str) -> str | None:
    """Return why the client refuses the host of an endpoint, in words; None if it accepts it."""
    if len(host) > _LONGEST_HOST:
        return f"a URL whose host has more than {_LONGEST_HOST} characters"
    if ".googleapis.com" in host and host != _GOOGLE:
        return f"a host of Google that is not `{_GOOGLE}`, the only one that the client takes"
    return None


def takes_virtual_hosts(host: str, *, secure: bool, bucket: str) -> bool:
    """Tell whether the client puts the bucket into the host if nothing sets either style.

    It does at AWS, Google and Alibaba Cloud, unless a certificate would not cover the host.
    """
    if secure and "." in bucket:
        return False
    return host.endswith("aliyuncs.com") or host == _GOOGLE or _is_known(host)


def was_asked_by_path(host: str) -> bool:
    """Tell whether the Loki Operator sets paths for a host where the client would not use them.

    It sets them wherever an endpoint does not end in .amazonaws.com (grafana/loki at 65e30f8,
    operator/internal/handlers/internal/storage/secrets.go). Alibaba Cloud does not accept paths: no
    stack runs there like that.
    """
    return host == _GOOGLE or (host.endswith(".cn") and _is_known(host))


def asks_another_region(host: str, region: str) -> bool:
    """Tell whether requests go to us-east-1, as the client has no host for a region of AWS.

    For S3's ordinary hosts it uses the host of the configured region, whatever host is given; it
    does not change those of FIPS and of VPCs.
    """
    fixed = host.startswith("s3-fips") or ".vpce." in host
    return region not in _REGIONS and not fixed and _is_known(host)


def _is_known(host: str) -> bool:
    """Tell whether the client takes a host for AWS's S3, which it does in two of its domains."""
    if not host.endswith(".amazonaws.com"):
        return host.endswith(".amazonaws.com.cn") and host.startswith(_IN_CHINA)
    try:
        return bool(aws_addresses.aws_region_of(host))
    except NoAwsEndpoint:
        return False
