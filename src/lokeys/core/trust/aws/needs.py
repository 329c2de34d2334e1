# SPDX-License-Identifier: Apache-2.0
"""What AWS, Ceph RGW, MinIO and similar stores need to accept a stack's tokens.

OIDC provider  iss, aud     who signs the tokens, and whom they are for
role           sub          trust policy: which service accounts may assume it
               s3:, kms:    storage policy: what it may do with the bucket
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from lokeys.core.kubernetes import aws_addresses
from lokeys.core.text.shell import command
from lokeys.core.text.urls import url
from lokeys.core.trust.accounts import AccountClaims, Stack, without_scheme
from lokeys.core.trust.answers import KMS_CONTEXT, Answers, Unfit
from lokeys.core.trust.aws.policy import PolicyRequest

AUDIENCE = "sts.amazonaws.com"
ASSUME = "sts:AssumeRoleWithWebIdentity"
ON_BUCKET = ("s3:ListBucket",)
ON_OBJECTS = ("s3:DeleteObject", "s3:GetObject", "s3:PutObject")
ON_KEY = ("kms:Decrypt", "kms:GenerateDataKey")
_VERSION = "2012-10-17"
_ACCOUNT = re.compile("[0-9]{12}")
_TENANT = re.compile(r"[\w-]*")
_ROLE = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
_BUCKETS = re.compile(r"[A-Za-z0-9._-]{3,255}(\s*,\s*[A-Za-z0-9._-]{3,255})*")
_RGW_BUCKET = r"([\w-]{1,128}:)?[A-Za-z0-9._-]{3,255}"
_RGW_BUCKETS = re.compile(rf"{_RGW_BUCKET}(\s*,\s*{_RGW_BUCKET})*", re.ASCII)
"""With a tenant before the bucket, which only Ceph RGW has."""
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}")
_ANY_REGION = re.compile(r"[\w-]{1,64}")
_KMS_NAME = re.compile(r"[\w/:-]{1,2048}")
_PARTITION = re.compile("aws|aws-cn|aws-us-gov|aws-iso(-[bef])?|aws-eusc")
_TRAIL = ("index/lokeys/1.tsdb.gz", "lokeys/fake/1:2:3")
"""Names of objects in Loki's form: an index, a tenant's chunk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsNeeds:
    """One stack on AWS or, with an endpoint that is not AWS's, on Ceph RGW or a similar store."""

    stack: Stack
    partition: str
    account: str
    role_path: str
    role_name: str
    buckets: tuple[str, ...]
    region: str
    endpoint: str = ""
    sts_endpoint: str = ""
    path_style: bool = False
    sse_type: str = ""
    kms_key: str = ""
    kms_context_from: str = ""
    """The Secret with an encryption context, if there is one."""
    create_provider: bool = False
    made_already: bool = False
    """Whether a Secret names the role, so that it probably exists."""

    @property
    def elsewhere(self) -> bool:
        """Tell whether the store is not AWS's; an endpoint of AWS (VPC, FIPS) is AWS's."""
        return _is_elsewhere(self.endpoint) or _is_elsewhere(self.sts_endpoint)

    @property
    def provider_name(self) -> str:
        """Return the issuer as the provider and the condition keys name it."""
        return without_scheme(self.stack.issuer)

    @property
    def provider_arn(self) -> str:
        """Return the OIDC provider's ARN."""
        return f"arn:{self.partition}:iam::{self.account}:oidc-provider/{self.provider_name}"

    @property
    def role_arn(self) -> str:
        """Return the role's ARN."""
        return f"arn:{self.partition}:iam::{self.account}:role{self.role_path}{self.role_name}"

    @property
    def bucket_arns(self) -> tuple[str, ...]:
        """Return the buckets' ARNs; Ceph RGW has a tenant instead of the account.

        `arn:aws:s3::tenant:bucket`: ceph 19, src/rgw/rgw_iam_policy.cc. There a policy without a
        tenant means that of its role, and may not name another one.
        """
        parts = (bucket.rpartition(":") for bucket in self.buckets)
        return tuple(f"arn:{self.partition}:s3::{tenant}:{name}" for tenant, _, name in parts)

    @property
    def tenant(self) -> str:
        """Return Ceph RGW's tenant of the buckets; empty if none is named."""
        return next((name.rpartition(":")[0] for name in self.buckets if ":" in name), "")

    @property
    def key_arn(self) -> str:
        """Return the KMS key as a policy names it: by key, never by alias."""
        before, alias, _ = self.kms_key.partition("alias/")
        if self.kms_key.startswith("arn:"):
            return f"{before}key/*" if alias else self.kms_key
        key = "*" if alias else self.kms_key.removeprefix("key/")
        return f"arn:{self.partition}:kms:{self.region}:{self.account}:key/{key}"

    @property
    def key_alias(self) -> str:
        """Return the KMS key's alias, if one is given."""
        found = re.search("(?:^|:)(alias/.*)", self.kms_key)
        return found[1] if found else ""


def aws_needs(answers: Answers) -> AwsNeeds:
    """Return what a stack needs. Missing values are noted in the answers. Raises Unfit."""
    endpoint, sts = _endpoint(answers, "--endpoint"), _endpoint(answers, "--sts-endpoint")
    elsewhere = _is_elsewhere(endpoint) or _is_elsewhere(sts)
    role = aws_addresses.role_arn(answers.text("role_arn"))
    region = _region(answers, elsewhere=elsewhere)
    partition = answers.text("--partition", _PARTITION, "a partition, such as aws-cn")
    if not partition:
        partition = role.partition if role else aws_addresses.partition_of(region)
    account = answers.text("--account-id", _TENANT if elsewhere else _ACCOUNT, "twelve digits")
    if not account and role and (elsewhere or role.has_account_id):
        account = role.account
    elif not account and not elsewhere:
        account = answers.needed(
            "--account-id",
            what="the AWS account of the role",
            command=command("aws sts get-caller-identity --query Account --output text"),
        )
    path, _, name = role.path.rpartition("/") if role else ("", "", "")
    audience = answers.text("--audience") or AUDIENCE
    stack = answers.stack(issuer=answers.issuer(insecure=elsewhere), audience=audience)
    chosen = answers.text("--role-name", _ROLE, "the name of a role, without a path")
    form = _RGW_BUCKETS if elsewhere else _BUCKETS
    buckets = answers.needed("--bucket", form, "the name of a bucket", what="the bucket")
    names = tuple(dict.fromkeys(part.strip() for part in buckets.split(",")))
    account = _tenants_account(account, names)
    return AwsNeeds(
        stack=stack,
        partition=partition,
        account=account,
        role_path=f"/{path}/" if path and name == (chosen or name) else "/",
        role_name=chosen or name or f"loki-{stack.name}"[:64],
        buckets=names,
        region=region,
        endpoint=endpoint,
        sts_endpoint=sts if sts != endpoint else "",
        path_style=(answers.text("forcepathstyle") or str(elsewhere).lower()) == "true",
        sse_type=answers.text("sse_type"),
        kms_key=answers.text("--kms-key", _KMS_NAME, "the id, ARN or alias of a KMS key"),
        kms_context_from=answers.text("secret") if answers.text(KMS_CONTEXT) else "",
        create_provider=bool(answers.text("--create-provider")),
        made_already=role is not None,
    )


def _tenants_account(account: str, buckets: Iterable[str]) -> str:
    """Return the role's account: Ceph RGW's tenant, if buckets are in one. Raises Unfit."""
    tenants = {bucket.rpartition(":")[0] for bucket in buckets if ":" in bucket}
    own = account or min(tenants, default="")
    if tenants - {own}:
        raise Unfit("--bucket", "buckets of the role's own tenant, which is its account")
    return own


def _endpoint(answers: Answers, option: str) -> str:
    """Return an endpoint; AWS's may be more than a region: VPC, FIPS, dual-stack. Raises Unfit."""
    found = answers.url(option, insecure=True)
    if found.lower().startswith("http:") and not _is_elsewhere(found):
        raise Unfit(option, "a URL of https (AWS takes no other)")
    return found


def _is_elsewhere(endpoint: str) -> bool:
    """Tell whether this is an endpoint that is not AWS's."""
    return bool(endpoint) and not aws_addresses.is_aws(url(endpoint, with_path=True).host)


def _region(answers: Answers, *, elsewhere: bool) -> str:
    if elsewhere:
        return answers.text("--region", _ANY_REGION, "a region") or "us-east-1"
    return answers.needed(
        "--region", _REGION, "a region, such as eu-west-1", what="the region of the bucket"
    )


# --- what is asked, as requests -----------------------------------------------------------------


def assume_request(needs: AwsNeeds, claims: AccountClaims) -> PolicyRequest:
    """Return the exchange of a token for the role, as the trust policy sees it."""
    issuer = without_scheme(claims.issuer)
    prefix = issuer.lower()
    arn = needs.provider_arn.removesuffix(needs.provider_name) + issuer
    context = {f"{prefix}:sub": (claims.subject,), f"{prefix}:aud": claims.audiences}
    if needs.elsewhere:
        context[f"{prefix}:app_id"] = claims.audiences  # RGW's older name for it
    return PolicyRequest(action=ASSUME, principal=arn, context=context)


def storage_requests(needs: AwsNeeds) -> Iterator[PolicyRequest]:
    """Yield everything that Loki does with its bucket."""
    known = {"aws:securetransport": ("false" if needs.endpoint.startswith("http:") else "true",)}
    for arn in needs.bucket_arns:
        for action in ON_BUCKET:
            yield PolicyRequest(action=action, resource=arn, context=known)
        for action in ON_OBJECTS:
            for name in _TRAIL:
                yield PolicyRequest(action=action, resource=f"{arn}/{name}", context=known)


def bucket_requests(needs: AwsNeeds) -> Iterator[PolicyRequest]:
    """Yield the same as the bucket's own policy sees it: with the principal and the encryption."""
    account = f"arn:{needs.partition}:iam::{needs.account}:root"
    also = (f"AWS:{account}", f"AWS:{needs.account}")
    encrypted = {"SSE-KMS": ("aws:kms",), "SSE-S3": ("AES256",)}.get(needs.sse_type, ())
    for each in storage_requests(needs):
        context = {**each.context, "s3:x-amz-server-side-encryption": encrypted}
        yield replace(each, principal=f"AWS:{needs.role_arn}", also=also, context=context)


def key_requests(needs: AwsNeeds) -> Iterator[PolicyRequest]:
    """Yield what S3 does with the KMS key on Loki's behalf."""
    if needs.kms_key and needs.sse_type in ("", "SSE-KMS") and not needs.elsewhere:
        aliases = {"kms:resourcealiases": (needs.key_alias,)} if needs.key_alias else {}
        for action in ON_KEY:
            resource = needs.key_arn.replace("*", "lokeys")
            yield PolicyRequest(action=action, resource=resource, context=aliases)


# --- documents ----------------------------------------------------------------------------------


def trust_policy(needs: AwsNeeds) -> dict[str, Any]:
    """Return the trust policy: both service accounts, this cluster's tokens, this audience."""
    name = needs.provider_name
    return {
        "Version": _VERSION,
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": needs.provider_arn},
                "Action": ASSUME,
                "Condition": {
                    "StringEquals": {
                        f"{name}:aud": needs.stack.audience,
                        f"{name}:sub": list(needs.stack.subjects),
                    }
                },
            }
        ],
    }


def storage_policy(needs: AwsNeeds) -> dict[str, Any]:
    """Return the minimum that Loki needs: list the bucket; put, get and delete its objects."""
    arns = needs.bucket_arns
    statements: list[dict[str, Any]] = [
        {"Effect": "Allow", "Action": list(ON_BUCKET), "Resource": list(arns)},
        {
            "Effect": "Allow",
            "Action": list(ON_OBJECTS),
            "Resource": [f"{arn}/*" for arn in arns],
        },
    ]
    if next(key_requests(needs), None):
        key: dict[str, Any] = {"Effect": "Allow", "Action": list(ON_KEY), "Resource": needs.key_arn}
        if needs.key_alias:
            alias = {"kms:ResourceAliases": needs.key_alias}
            key["Condition"] = {"ForAnyValue:StringEquals": alias}
        statements.append(key)
    return {"Version": _VERSION, "Statement": statements}
