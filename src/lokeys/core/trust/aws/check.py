# SPDX-License-Identifier: Apache-2.0
"""AWS's documents compared with a stack's needs: what is missing, contradicts or is too wide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from lokeys.core.findings.catalogue import trust as rules
from lokeys.core.findings.finding import Finding
from lokeys.core.text.words import apart
from lokeys.core.trust.accounts import AccountClaims, without_scheme
from lokeys.core.trust.aws.check_storage import check_bucket, check_storage
from lokeys.core.trust.aws.commands import add_audience, create_provider, update_trust
from lokeys.core.trust.aws.documents import statements_in, undecided
from lokeys.core.trust.aws.needs import ASSUME, AwsNeeds, assume_request
from lokeys.core.trust.aws.policy import Match, PolicyDecision, Statement, decide, match
from lokeys.core.trust.fetched import (
    DocumentKind,
    Fetched,
    NotThis,
    contrasted,
    listed,
    mapping,
    tell,
    texts,
)

_TRUST_FORM = "a trust policy, or what `aws iam get-role` prints"
_PROVIDER_FORM = "what `aws iam get-open-id-connect-provider` prints"


def check_aws(needs: AwsNeeds, documents: Sequence[Fetched]) -> Iterator[Finding]:
    """Yield what is wrong with the documents. Raises NotThis, naming the expected document."""
    policies = [document for document in documents if document.kind is DocumentKind.POLICY]
    for document in documents:
        if document.kind is DocumentKind.TRUST:
            yield from _trust(needs, document)
        elif document.kind is DocumentKind.PROVIDER:
            yield from _provider(needs, document)
        elif document.kind is DocumentKind.BUCKET:
            yield from check_bucket(needs, document)
    if policies:
        yield from check_storage(needs, policies)


# --- who may take the role ----------------------------------------------------------------------


def _trust(needs: AwsNeeds, document: Fetched) -> Iterator[Finding]:
    statements = statements_in(document, _TRUST_FORM)
    stack = needs.stack
    decisions = {
        subject: decide(statements, assume_request(needs, stack.claims(subject)))
        for subject in stack.subjects
    }
    refused = [each for each, found in decisions.items() if found is PolicyDecision.REFUSED]
    if refused:
        yield from _refused(needs, document, statements, refused)
    denied = [each for each, found in decisions.items() if found is PolicyDecision.DENIED]
    if denied:
        request = assume_request(needs, stack.claims(denied[0]))
        places = [
            each.place for each in statements if not each.allow and match(each, request).holds
        ]
        yield tell(
            rules.EXPLICIT_DENY,
            document,
            stack,
            subjects=denied,
            cause="sts_trust_policy_denied",
            field=places[0],
            found=listed(places),
            actions=f"{ASSUME} to {listed(denied)}",
        )
    unknown = [each for each, found in decisions.items() if found is PolicyDecision.UNDECIDED]
    if unknown:
        request = assume_request(needs, stack.claims(unknown[0]))
        yield undecided(document, needs, statements, [request], f"the tokens of {listed(unknown)}")
    yield from _strangers(needs, document, statements)


def _refused(
    needs: AwsNeeds, document: Fetched, statements: tuple[Statement, ...], refused: list[str]
) -> Iterator[Finding]:
    """Yield the reasons, from the statement that comes nearest."""
    stack, command = needs.stack, update_trust(needs)
    request = assume_request(needs, stack.claims(refused[0]))
    allowing = [each for each in statements if each.allow and each.principals is not None]
    near = [each for each in (match(each, request) for each in allowing) if each.action]
    if not near:
        found = f": no statement allows {ASSUME} to an identity provider"
        yield tell(
            rules.SUBJECT_NOT_TRUSTED,
            document,
            stack,
            command=command,
            subjects=refused,
            missing=listed(refused, last="or"),
            found=found,
        )
        return
    nearest = min(near, key=lambda each: each.misses)
    if not nearest.principal:
        yield _wrong_principal(needs, document, nearest)
    for condition, met in nearest.conditions:
        if met is not False:
            continue
        issuer, _, claim = condition.key.rpartition(":")
        at = f"{nearest.statement.place}.Condition.{condition.operator}"
        if issuer.lower() != needs.provider_name.lower():
            if nearest.principal:  # otherwise that is reported already
                yield _wrong_issuer(needs, document, issuer, at)
        elif claim == "sub":
            yield tell(
                rules.SUBJECT_NOT_TRUSTED,
                document,
                stack,
                command=command,
                field=at,
                subjects=refused,
                missing=listed(refused, last="or"),
                found=f", only of {listed(condition.values)}",
            )
        else:
            yield _wrong_audience(needs, document, condition.values, at)


def _wrong_audience(needs: AwsNeeds, document: Fetched, values: Sequence[str], at: str) -> Finding:
    found, expected = contrasted(values, needs.stack.audience, last="or")
    subject = any(each.startswith("system:serviceaccount:") for each in values)
    finding = tell(
        rules.WRONG_AUDIENCE,
        document,
        needs.stack,
        command=update_trust(needs),
        field=at,
        found=found,
        hint=", a subject, which belongs under `:sub`" if subject else "",
        expected=expected,
    )
    # An audience is never a service account's name: there is one way to fix it.
    return replace(finding, remedy=finding.remedy[:1]) if subject else finding


def _wrong_principal(needs: AwsNeeds, document: Fetched, met: Match) -> Finding:
    names = met.statement.principals
    patterns = [each for each in names.patterns if ":oidc-provider/" in each] if names else []
    other = [
        each
        for each in patterns
        if each.split(":")[2:] == needs.provider_arn.split(":")[2:] and each != needs.provider_arn
    ]
    if other:
        return tell(
            rules.WRONG_PARTITION,
            document,
            needs.stack,
            command=update_trust(needs),
            cause="sts_oidc_provider_missing",
            field=f"{met.statement.place}.Principal",
            found=listed(other),
            expected=needs.partition,
        )
    found, expected = contrasted(patterns, needs.provider_arn)
    return tell(
        rules.WRONG_ISSUER,
        document,
        needs.stack,
        command=update_trust(needs),
        field=f"{met.statement.place}.Principal",
        found=found if patterns else "no identity provider",
        expected=expected,
    )


def _wrong_issuer(needs: AwsNeeds, document: Fetched, issuer: str, at: str) -> Finding:
    found, expected = apart(issuer, needs.provider_name)
    return tell(
        rules.WRONG_ISSUER,
        document,
        needs.stack,
        command=update_trust(needs),
        field=at,
        found=found,
        expected=expected,
    )


def _strangers(
    needs: AwsNeeds, document: Fetched, statements: tuple[Statement, ...]
) -> Iterator[Finding]:
    stack, command = needs.stack, update_trust(needs)

    def passes(claims: AccountClaims) -> bool:
        return decide(statements, assume_request(needs, claims)) is PolicyDecision.ALLOWED

    let_in = stack.let_in(passes)
    if let_in:
        yield tell(rules.TRUST_TOO_WIDE, document, stack, command=command, found=let_in)
    elif passes(stack.claims(stack.default_subject)):
        found = f"`{stack.default_subject}`"
        yield tell(rules.DEFAULT_ACCOUNT_TRUSTED, document, stack, command=command, found=found)


# --- the identity provider ----------------------------------------------------------------------


def _provider(needs: AwsNeeds, document: Fetched) -> Iterator[Finding]:
    said = mapping(document.content, _PROVIDER_FORM)
    address, stack = said.get("Url"), needs.stack
    if not isinstance(address, str):
        raise NotThis(_PROVIDER_FORM)
    if without_scheme(address) != needs.provider_name:
        found, expected = apart(without_scheme(address), needs.provider_name)
        yield tell(
            rules.WRONG_ISSUER,
            document,
            stack,
            command=create_provider(needs),
            field="Url",
            found=found,
            expected=expected,
        )
    audiences = texts(said.get("ClientIDList"))
    if stack.audience not in audiences:
        found, expected = contrasted(audiences, stack.audience, last="or")
        yield tell(
            rules.WRONG_AUDIENCE,
            document,
            stack,
            command=add_audience(needs),
            field="ClientIDList",
            found=found,
            hint="",
            expected=expected,
        )
