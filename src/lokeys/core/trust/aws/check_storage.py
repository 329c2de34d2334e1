# SPDX-License-Identifier: Apache-2.0
"""What a role may do, compared with what Loki does with its bucket."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from lokeys.core.findings.catalogue import trust as rules
from lokeys.core.findings.finding import Finding
from lokeys.core.trust.aws.commands import put_policy
from lokeys.core.trust.aws.documents import statements_in, undecided
from lokeys.core.trust.aws.needs import AwsNeeds, bucket_requests, key_requests, storage_requests
from lokeys.core.trust.aws.policy import (
    PolicyDecision,
    PolicyNames,
    PolicyRequest,
    Statement,
    decide,
    match,
)
from lokeys.core.trust.fetched import Fetched, listed, tell

_POLICY_FORM = "a policy, or what `aws iam get-role-policy` or `get-policy-version` prints"
_BUCKET_FORM = "a bucket's policy, or what `aws s3api get-bucket-policy` prints"
_OTHER = "lokeys-no-such-bucket"
_TOO_MUCH = (
    ("s3:DeleteBucket", ""),
    ("s3:PutBucketPolicy", ""),
    ("s3:PutObjectAcl", "/lokeys"),
)


def check_storage(needs: AwsNeeds, documents: Sequence[Fetched]) -> Iterator[Finding]:
    """Yield what Loki does and the policies forbid, and what else they allow."""
    document = documents[0]
    statements = tuple(
        _of_tenant(needs, statement)
        for each in documents
        for statement in statements_in(each, _POLICY_FORM)
    )
    wanted = list(storage_requests(needs))
    by_decision: dict[PolicyDecision, list[PolicyRequest]] = {}
    for request in wanted:
        by_decision.setdefault(decide(statements, request), []).append(request)
    yield from _denied(needs, document, statements, by_decision.get(PolicyDecision.DENIED, ()))
    yield from _not_allowed(
        needs, document, statements, by_decision.get(PolicyDecision.REFUSED, ())
    )
    unknown = by_decision.get(PolicyDecision.UNDECIDED, [])
    if unknown:
        actions = listed(request.action for request in unknown)
        yield undecided(document, needs, statements, unknown, actions)
    keys = [
        request
        for request in key_requests(needs)
        if decide(statements, request) in (PolicyDecision.REFUSED, PolicyDecision.DENIED)
    ]
    if keys:
        yield tell(
            rules.KEY_NOT_ALLOWED,
            document,
            needs.stack,
            command=put_policy(needs),
            actions=listed(request.action for request in keys),
            expected=f"`{needs.key_alias or needs.key_arn}`",
        )
    yield from _too_much(needs, document, statements)


def _of_tenant(needs: AwsNeeds, statement: Statement) -> Statement:
    """Return a statement of a role in a Ceph RGW tenant: names without a tenant mean this one."""
    if not needs.tenant or statement.resources is None:
        return statement
    own = f":s3::{needs.tenant}:"
    patterns = tuple(
        each.replace(":s3:::", own, 1).replace(":s3::*:", own, 1)
        for each in statement.resources.patterns
    )
    return replace(statement, resources=replace(statement.resources, patterns=patterns))


def check_bucket(needs: AwsNeeds, document: Fetched) -> Iterator[Finding]:
    """Yield what the bucket's own policy denies the role. What else it allows may be for others."""
    statements = statements_in(document, _BUCKET_FORM)
    decisions = [(each, decide(statements, each)) for each in bucket_requests(needs)]
    denied = [each for each, found in decisions if found is PolicyDecision.DENIED]
    yield from _denied(needs, document, statements, denied, cause="bucket_policy_explicit_deny")


def _denied(
    needs: AwsNeeds,
    document: Fetched,
    statements: tuple[Statement, ...],
    denied: Sequence[PolicyRequest],
    *,
    cause: str | None = None,
) -> Iterator[Finding]:
    if denied:
        places = [
            each.place
            for each in statements
            if not each.allow and any(match(each, request).holds for request in denied)
        ]
        yield tell(
            rules.EXPLICIT_DENY,
            document,
            needs.stack,
            cause=cause,
            field=places[0],
            found=listed(places),
            actions=listed(request.action for request in denied),
        )


def _not_allowed(
    needs: AwsNeeds,
    document: Fetched,
    statements: tuple[Statement, ...],
    refused: Sequence[PolicyRequest],
) -> Iterator[Finding]:
    command = put_policy(needs)
    allowing = [each for each in statements if each.allow]
    named = [
        request for request in refused if any(match(each, request).action for each in allowing)
    ]
    unnamed = [request for request in refused if request not in named]
    if unnamed:
        yield tell(
            rules.ACTION_NOT_ALLOWED,
            document,
            needs.stack,
            command=command,
            actions=listed(request.action for request in unnamed),
            found="",
        )
    elsewhere = _of_other_partition(needs, allowing, named)
    if elsewhere:
        yield tell(
            rules.WRONG_PARTITION,
            document,
            needs.stack,
            command=command,
            cause="s3_access_denied_policy",
            found=listed(elsewhere),
            expected=needs.partition,
        )
    elif named:
        resources = (
            pattern
            for each in allowing
            if each.resources and any(match(each, request).action for request in named)
            for pattern in each.resources.patterns
        )
        yield tell(
            rules.WRONG_RESOURCE,
            document,
            needs.stack,
            command=command,
            actions=listed(request.action for request in named),
            expected=listed(_general(needs, request.resource) for request in named),
            found=f"; it names {listed(resources)}",
        )


def _general(needs: AwsNeeds, resource: str) -> str:
    """Return a bucket's ARN, or that of all its objects, given an ARN of one."""
    bucket = next(arn for arn in needs.bucket_arns if f"{resource}/".startswith(f"{arn}/"))
    return resource if resource == bucket else f"{bucket}/*"


def _of_other_partition(
    needs: AwsNeeds, allowing: Iterable[Statement], named: Sequence[PolicyRequest]
) -> list[str]:
    """Return the patterns that would match in the stack's partition."""
    found = []
    for statement in allowing:
        for pattern in statement.resources.patterns if statement.resources else ():
            start, _, rest = pattern.partition(":s3:")
            if not start.startswith("arn:") or start == f"arn:{needs.partition}":
                continue
            moved = PolicyNames(patterns=(f"arn:{needs.partition}:s3:{rest}",))
            if any(match(replace(statement, resources=moved), each).holds for each in named):
                found.append(pattern)
    return found


def _too_much(
    needs: AwsNeeds, document: Fetched, statements: tuple[Statement, ...]
) -> Iterator[Finding]:
    ours, other = needs.bucket_arns[0], f"arn:{needs.partition}:s3::{needs.tenant}:{_OTHER}"
    probes = {
        f"`{action}` on the bucket": PolicyRequest(action=action, resource=f"{ours}{end}")
        for action, end in _TOO_MUCH
    }
    probes["reading other buckets"] = PolicyRequest(
        action="s3:GetObject", resource=f"{other}/lokeys"
    )
    probes["listing other buckets"] = PolicyRequest(action="s3:ListBucket", resource=other)
    probes["things that are no storage"] = PolicyRequest(action="iam:PassRole", resource="*")
    allowed = [
        words
        for words, each in probes.items()
        if decide(statements, each) is PolicyDecision.ALLOWED
    ]
    if allowed:
        yield tell(
            rules.RIGHTS_TOO_WIDE,
            document,
            needs.stack,
            command=put_policy(needs),
            found=", ".join(allowed),
        )
