# SPDX-License-Identifier: Apache-2.0
"""What shows that the bucket, its policy or its encryption refuses a request."""

from __future__ import annotations

import re

from lokeys.core.findings.catalogue.complaints.making import row
from lokeys.core.findings.complaint import OfKey
from lokeys.core.findings.finding import Confidence
from lokeys.core.place import Hop

_DEFAULTS = re.compile(r"arn:aws[a-z-]{0,10}:s3:::(?:chunks|ruler|admin)(?![\w.-])")

DEFAULT_BUCKET = row(
    "LK0829",
    "default_bucket_name_used",
    "the chart's default bucket name is used",
    meaning="`chunks`, `ruler` and `admin` are the chart's defaults: the value with the bucket's "
    "name is at a path that the chart does not read.",
    why="A bucket of that name belongs to somebody else, or does not exist.",
    fix="set `loki.storage.bucketNames.chunks`, `.ruler` and `.admin` of the chart",
    says=("not authorized to perform: s3",),
    shape=_DEFAULTS,
    hop=Hop.PODS,
    rank=2,
)
KMS_DENIED = row(
    "LK0826",
    "kms_permission_denied",
    "the bucket's KMS key is not allowed to be used",
    meaning="The bucket is encrypted with a KMS key. The identity can write objects but may not "
    "use that key, or the key is disabled.",
    why="Writing is refused, and so is reading existing data.",
    fix="allow kms:GenerateDataKey and kms:Decrypt on that key, in the identity's policy and in "
    "the key's own; enable the key if it is disabled",
    says=(
        *("kms:generatedatakey", "kms:decrypt", "kms.disabledexception", "kms.notfoundexception"),
        *("kms.invalidstateexception", "denied on cloud kms key", "kms.accessdeniedexception"),
    ),
    rank=40,
)
EXPLICIT_DENY = row(
    "LK0825",
    "bucket_policy_explicit_deny",
    "a policy explicitly denies the request",
    meaning="A bucket policy, a permissions boundary or an organization's policy denies it, "
    "whatever the identity is allowed. Often the condition is about encryption headers or the "
    "network.",
    why="Adding permissions to the identity does not help.",
    fix="find the statement with Effect Deny in the bucket's policy (aws s3api get-bucket-policy "
    "--bucket BUCKET), and meet its condition; for encryption, set `sse` in Loki's configuration",
    says=("with an explicit deny",),
    rank=41,
)
NAME_MISSING = row(
    "LK0827",
    "bucket_name_missing",
    "no bucket is configured",
    meaning="The name of the bucket or container is empty: it was never set, or not rendered.",
    why="Loki does not start, or no request is sent.",
    fix="set the bucket's name: `bucketnames` of storage_config.aws, `bucket_name` of the thanos "
    "client, `loki.storage.bucketNames` of the chart",
    says=(
        *("no s3 bucket in config file", "bucket name cannot be empty", "putobjectinput.bucket"),
        *("getobjectinput.bucket", "listobjectsinput.bucket", "deleteobjectinput.bucket"),
        *("input member bucket must not be empty", "missing google cloud storage bucket name"),
        *("no azure container specified", "please define loki.storage.bucketnames"),
        *("no azure container", "at least one bucket name must be specified"),
    ),
    of_key=OfKey.NOTHING,
    hop=Hop.PODS,
    rank=2,
)
NAME_IS_PATH = row(
    "LK0828",
    "bucket_name_is_path",
    "invalid bucket name",
    meaning="A bucket name has no slash and no variable in it. A prefix is a separate field.",
    why="The store or its client refuses every request.",
    fix="set `bucketnames` to the bucket's name alone, and set a prefix as `prefix` of the thanos "
    "client",
    says=("invalidbucketname", "specified bucket is not valid", "bucket name contains invalid"),
    of_key=OfKey.NOTHING,
    confidence=Confidence.POSSIBLE,
    alternatives=("env_not_expanded", "bucket_name_missing"),
    hop=Hop.PODS,
    rank=2,
)
REGION_MISSING = row(
    "LK0830",
    "region_missing",
    "no region is configured",
    meaning="The region is empty, or is the placeholder `dummy`, which Loki uses if no region is "
    "set.",
    why="The request is signed for the wrong region, or goes to a host that does not exist.",
    fix="set `region` in Loki's S3 configuration, or AWS_REGION of the container",
    says=(
        *("missingregion", "could not find region configuration", "sts.dummy.amazonaws.com"),
        *("region 'dummy' is wrong", 'region "dummy" is wrong', "region must be set when sending"),
        *("region was not a valid dns name", "region is a required field", "dummy is wrong"),
        "s3.dummy.amazonaws.com",
    ),
    hop=Hop.PODS,
    rank=2,
)
OBJECT_LOCK = row(
    "LK0832",
    "object_lock_checksum_required",
    "the bucket has object lock and needs a checksum",
    meaning="A bucket with object lock accepts only objects with Content-MD5 or an x-amz-checksum "
    "header. Some versions of Loki 3.6 and 3.7 send neither.",
    why="Every write is refused; reading works.",
    fix="upgrade to a Loki that sends a checksum (3.6.11, 3.7.2 or later), or use a bucket without "
    "object lock",
    says=("requests with object lock parameters", "object lock parameters"),
    rank=2,
)
CHECKSUM = row(
    "LK0831",
    "checksum_unsupported",
    "the store does not support the client's checksums",
    meaning="Newer clients send checksums in headers or trailers (aws-chunked) that this "
    "S3-compatible store does not support.",
    why="Every write is refused. The key is not the problem.",
    fix="set AWS_REQUEST_CHECKSUM_CALCULATION=when_required and "
    "AWS_RESPONSE_CHECKSUM_VALIDATION=when_required on the container, or upgrade the store or Loki",
    says=(
        *("aws-chunked is not supported", "using aws-chunked", "xamzcontentsha256mismatch"),
        *("streaming-unsigned-payload-trailer", "x-amz-sdk-checksum-algorithm", "aws-chunked"),
        *("'x-amz-checksum-crc32'", "missingcontentmd5", "x-amz-content-sha256 must be"),
        *("missing required header for this request: content-md5", "x-amz-checksum-crc32"),
        *("streaming-aws4-hmac-sha256-payload-trailer", "x-amz-trailer"),
    ),
    rank=2,
)

FIRST = (
    *(DEFAULT_BUCKET, KMS_DENIED, EXPLICIT_DENY, NAME_MISSING, REGION_MISSING),
    *(OBJECT_LOCK, CHECKSUM, NAME_IS_PATH),
)
