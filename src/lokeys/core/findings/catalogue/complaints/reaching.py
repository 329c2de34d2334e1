# SPDX-License-Identifier: Apache-2.0
"""What shows that a request reaches no store, or the wrong one."""

from __future__ import annotations

import re

from lokeys.core.findings.catalogue.complaints.making import NETWORK_WORDS, row
from lokeys.core.findings.complaint import OfKey, Voice
from lokeys.core.place import Hop

_NOTHING_WRITTEN = "No request reaches the store; nothing is written, and /ready stays 200."

# A request in virtual-host style has no bucket in its path: it begins with what Loki writes.
_VIRTUAL_HOST = re.compile(
    r'"https?://(?!sts[.-])[a-z0-9][a-z0-9-]{1,62}\.(?![^/"]{0,200}amazonaws\.com)[^/"\s]{1,200}'
    r"/(?:fake/|index/|loki_index|loki_cluster_seed|rules/|delete_requests|\?)"
)
_DOUBLED = re.compile(r"//([a-z0-9][a-z0-9-]{2,62})\.\1\.")

INCLUDES_BUCKET = row(
    "LK0820",
    "endpoint_includes_bucket",
    "the endpoint already contains the bucket",
    meaning="The client adds the bucket in front of the endpoint's host, which already contains "
    "it: `bucket.bucket.s3...`, or the bucket is read as part of the object's key.",
    why=_NOTHING_WRITTEN,
    fix="remove the bucket from `endpoint`: only s3.REGION.amazonaws.com",
    says=("no such host", "certificate is valid for", "certificate is not valid for"),
    shape=_DOUBLED,
    rank=1,
)
VIRTUAL_HOST = row(
    "LK0819",
    "virtual_host_style_dns",
    "the store needs path-style requests",
    meaning="The client uses the host `bucket.host`, which this store's DNS does not have.",
    why=_NOTHING_WRITTEN,
    fix="set `s3forcepathstyle: true` (thanos client: `bucket_lookup_type: path`; in a LokiStack's "
    "Secret: `forcepathstyle: true`)",
    says=("no such host",),
    never_beside=("${",),
    shape=_VIRTUAL_HOST,
    rank=1,
)
RGW_MISROUTE = row(
    "LK0821",
    "rgw_dns_name_misroute",
    "RGW reads the admin path as a bucket",
    meaning="`rgw_dns_name` does not match the host that Rook uses, so RGW reads `/admin` as a "
    "bucket name.",
    why="Rook cannot read or create users, so their keys are never delivered.",
    fix="make rgw_dns_name cover the Service's host, or add that host to `hosting.dnsNames` of "
    "the CephObjectStore",
    says=("nosuchbucket",),
    beside=("cephobjectstoreuser", "ceph object user", "radosgw"),
    of_key=OfKey.NOTHING,
    hop=Hop.SOURCE,
    rank=45,
)
CERTIFICATE_EXPIRED = row(
    "LK0886",
    "tls_certificate_expired",
    "the store's certificate has expired",
    meaning="It has expired, or is not yet valid by the clock of this pod's node.",
    why=_NOTHING_WRITTEN,
    fix="renew the certificate of the endpoint; if it is valid, set the node's clock",
    says=("certificate has expired or is not yet valid",),
    said_by=Voice.NETWORK,
    of_key=OfKey.NOTHING,
    alternatives=("clock_skew",),
    rank=1,
)

FIRST = (RGW_MISROUTE, INCLUDES_BUCKET, VIRTUAL_HOST)
"""They say more than the dial's own words."""
LAST = (CERTIFICATE_EXPIRED,)
__all__ = ["FIRST", "LAST", "NETWORK_WORDS"]
