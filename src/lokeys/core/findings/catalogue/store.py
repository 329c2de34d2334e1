# SPDX-License-Identifier: Apache-2.0
"""LK08xx: what the store answers, to lokeys' own test or to Loki (as its log tells)."""

from __future__ import annotations

from lokeys.core.findings.finding import Remedy, Rule, Severity
from lokeys.core.place import Hop


def _rule(  # noqa: PLR0913 - reads best with one line per fact
    code: str,
    cause: str,
    title: str,
    *,
    meaning: str,
    why: str,
    fix: str,
    rank: int,
    other_causes: tuple[str, ...] = (),
) -> Rule:
    return Rule(
        code=code,
        cause=cause,
        other_causes=other_causes,
        title=title,
        message="{place}: " + title + "{detail}",
        meaning=meaning,
        why=why,
        remedy=(Remedy(text=fix),),
        hop=Hop.STORE,
        rank=rank,
    )


ACCESS_KEY_UNKNOWN = _rule(
    "LK0801",
    "access_key_unknown",
    "the store does not know the access key id",
    meaning="The key was rotated, recreated or deleted at the store, or belongs to another store.",
    why="Every request is refused, while /ready stays 200.",
    fix="find the hop where it becomes stale: lokeys trace; if its source is not known, create a "
    "key at the store and give it to Loki",
    rank=40,
)
SECRET_KEY_MISMATCH = _rule(
    "LK0802",
    "secret_key_mismatch",
    "the secret key does not belong to the access key id",
    meaning="The store knows the id, but the secret key belongs to another key or was changed on "
    "its way.",
    why="No signature made with it is valid.",
    fix="compare both halves hop by hop: lokeys trace",
    rank=40,
)
ACCESS_DENIED = _rule(
    "LK0803",
    "s3_access_denied_policy",
    "the key is valid, but an action is not allowed",
    meaning="The user policy or bucket policy does not allow list, get, put or delete for this "
    "bucket.",
    why="Loki needs all four: without delete, retention and compaction fail later.",
    fix="allow s3:ListBucket on the bucket and Get, Put and DeleteObject on its objects",
    rank=42,
    other_causes=("bucket_policy_explicit_deny", "kms_permission_denied"),
)
BUCKET_NOT_FOUND = _rule(
    "LK0804",
    "bucket_not_found",
    "the bucket does not exist",
    meaning="It was deleted with its user, was never created, or its name is wrong.",
    why="The key is valid, but there is no bucket to write to.",
    fix="create it: lokeys bucket NAME --create (the data of a deleted bucket is lost)",
    rank=3,
)
OBJECT_STORE_FULL = _rule(
    "LK0805",
    "object_store_full",
    "the store is full, or the quota is used up",
    meaning="Writing is refused; reading works.",
    why="Flushes fail until there is space. The key is not the problem.",
    fix="raise the quota, add capacity or shorten retention",
    rank=41,
)
CLOCK_SKEW = _rule(
    "LK0806",
    "clock_skew",
    "the clocks differ too much for signing",
    meaning="A signature is valid only for some minutes around the store's own time.",
    why="Every request is refused, whatever the key.",
    fix="synchronize the clocks of this machine and of the store",
    rank=2,
)
WRONG_REGION = _rule(
    "LK0807",
    "wrong_region",
    "the bucket is in another region",
    meaning="The request was signed for a region that is not the bucket's.",
    why="The store redirects or refuses it.",
    fix="set the bucket's region in `spec.bucket.region` and in Loki's configuration",
    rank=2,
)
NOT_S3_API = _rule(
    "LK0808",
    "endpoint_not_s3_api",
    "the endpoint answers, but not as S3",
    meaning="A web page, a dashboard or another service listens there.",
    why="No key can work there.",
    fix="set `spec.bucket.endpoint` to the S3 endpoint itself",
    rank=1,
)
TLS_UNKNOWN_AUTHORITY = _rule(
    "LK0809",
    "tls_unknown_authority",
    "the store's certificate is signed by an unknown authority",
    meaning="The store uses a private CA that is not trusted here.",
    why="No request is sent.",
    fix="set the CA in `spec.bucket.caBundle`, and in Loki's own configuration",
    rank=1,
)
TLS_NAME_MISMATCH = _rule(
    "LK0810",
    "tls_name_mismatch",
    "the store's certificate is for another name",
    meaning="The certificate does not cover the host that the endpoint names.",
    why="No request is sent.",
    fix="use a host name that the certificate covers",
    rank=1,
)
TLS_SCHEME_MISMATCH = _rule(
    "LK0811",
    "tls_scheme_mismatch",
    "http and https are mixed up",
    meaning="http is used for a TLS port, or https for a plain one.",
    why="No request succeeds.",
    fix="correct the scheme of `spec.bucket.endpoint`",
    rank=1,
)
ENDPOINT_UNREACHABLE = _rule(
    "LK0812",
    "endpoint_unreachable",
    "Loki gets no answer from the storage endpoint",
    meaning="Connection refused, timed out, or no such host, as reported by Loki itself.",
    why="Nothing is written. The key is not the problem.",
    fix="check the endpoint, its Service and NetworkPolicies from Loki's namespace",
    rank=1,
)
RGW_MISROUTE = Rule(
    code="LK0813",
    severity=Severity.WARNING,
    cause="rgw_dns_name_misroute",
    title="RGW reads the admin path as a bucket",
    message="{place} could not be read: {detail}",
    meaning="`rgw_dns_name` does not match the host, so RGW reads /admin as a bucket name.",
    why="The admin API answers like S3, and RGW's own list of keys cannot be read.",
    remedy=(Remedy(text="for the admin endpoint, use a host that rgw_dns_name covers"),),
    hop=Hop.SOURCE,
    rank=45,
)
STORE_UNSPECIFIC = Rule(
    code="LK0814",
    severity=Severity.WARNING,
    title="the store answers with errors that say nothing about the key",
    message="{place}: {detail}",
    meaning="5xx, slow down, or an error code that lokeys does not know.",
    why="lokeys decides nothing from such an answer and asks again.",
    remedy=(Remedy(text="check the store's own health"),),
    hop=Hop.STORE,
    rank=46,
)
KEY_NOT_VALID = Rule(
    code="LK0815",
    cause="access_key_unknown",
    title="the store refuses the key without saying why",
    message="{place}: the store answers AccessDenied even to a request that every valid user may "
    "make: the id is unknown or the secret key is wrong",
    meaning="An RGW that tries STS first answers AccessDenied in both cases.",
    why="The key does not work, and the store does not say which half is wrong.",
    remedy=(
        Remedy(text="to see the real error code, set `rgw s3 auth order = local, sts` at RGW"),
        Remedy(text="compare both halves hop by hop: lokeys trace"),
    ),
    hop=Hop.STORE,
    rank=40,
)
SESSION_TOKEN_EXPIRED = _rule(
    "LK0816",
    "session_token_expired",
    "temporary credentials have expired",
    meaning="The store considers the session token expired: whatever renews it has stopped.",
    why="Every request is refused until the pod gets new credentials.",
    fix="check who renews them: the pod's token, its role, or the process that writes them",
    rank=40,
)
NO_CREDENTIALS = _rule(
    "LK0817",
    "no_credentials_in_chain",
    "the S3 client found no credentials",
    meaning="The client found no key in the configuration or environment, no token and no role.",
    why="Requests are not signed, and the store refuses them.",
    fix="pass the Secret to the container, with the key names that the S3 client expects",
    rank=39,
)
TOKEN_EXCHANGE_DENIED = _rule(
    "LK0818",
    "sts_trust_policy_denied",
    "STS does not allow Loki to assume its role",
    meaning="The role's trust policy does not accept the pod's token, or the role does not exist.",
    why="The pod gets no credentials, so the store refuses its requests.",
    fix="compare the role's trust policy with the token: lokeys iam aws STACK --check",
    rank=39,
)
