# SPDX-License-Identifier: Apache-2.0
"""The promise: what is printed takes the tokens of the stack's two accounts, and no others."""

import base64
import json

import pytest
from hypothesis import assume, settings
from hypothesis import given as for_all

from lokeys.core.trust.accounts import AccountClaims, NoToken, claims_of, only_inside
from lokeys.core.trust.aws.needs import AwsNeeds, key_requests, storage_policy, storage_requests
from lokeys.core.trust.aws.policy import PolicyDecision, PolicyRequest, decide, statements_of
from lokeys.core.trust.clouds import Needs, check
from lokeys.core.trust.fetched import DocumentKind, Fetched
from trust.asked import CLOUDS, RGW, aws, azure, gcp, printed, rgw, stacks
from trust.takes import takes

ANSWERS = {**CLOUDS, "rgw": RGW}


@settings(max_examples=60, deadline=None)
@for_all(stacks(), stacks())
def test_a_stacks_documents_take_its_tokens_and_no_other_stacks(
    one: dict[str, str], other: dict[str, str]
) -> None:
    """Whatever the names and the issuers: both accounts, this cluster, this audience."""
    for cloud, answers in ANSWERS.items():
        name = "aws" if cloud == "rgw" else cloud
        needs, _ = printed(name, {**answers, **one})
        own = set(map(needs.stack.claims, needs.stack.subjects))
        assert all(takes(needs, each) for each in own)
        for shared in ((), ("--issuer",), ("--issuer", "--namespace"), ("--issuer", "--name")):
            alike = {**answers, **other, **{option: one[option] for option in shared}}
            stack = printed(name, alike)[0].stack
            for each in set(map(stack.claims, stack.subjects)) - own:
                assert not takes(needs, each)
        for subject in (*needs.stack.strangers, needs.stack.default_subject):
            assume(subject not in needs.stack.subjects)
            assert not takes(needs, needs.stack.claims(subject))


@pytest.mark.parametrize(
    "needs", [aws(), rgw(), azure(), gcp()], ids=["aws", "rgw", "azure", "gcp"]
)
def test_another_issuer_or_audience_is_refused(needs: Needs) -> None:
    """Letter by letter: a slash more, another audience."""
    stack = needs.stack
    for subject in stack.subjects:
        good = stack.claims(subject)
        assert takes(needs, good)
        for bad in (
            AccountClaims(issuer=f"{good.issuer}/", subject=subject, audiences=good.audiences),
            AccountClaims(issuer="https://elsewhere", subject=subject, audiences=good.audiences),
            AccountClaims(issuer=good.issuer, subject=subject, audiences=("https://kubernetes",)),
            AccountClaims(issuer=good.issuer, subject=subject, audiences=()),
        ):
            assert not takes(needs, bad)


@pytest.mark.parametrize(
    "needs",
    [aws(), aws(region="cn-north-1"), aws(kms_key="alias/loki"), aws(kms_key="1-2"), rgw()],
)
def test_the_storage_policy_is_enough_and_no_more(needs: AwsNeeds) -> None:
    """All that Loki does, on its buckets; nothing on others, nothing else on its own."""
    statements = statements_of(storage_policy(needs))
    for request in (*storage_requests(needs), *key_requests(needs)):
        assert decide(statements, request) is PolicyDecision.ALLOWED
    arn = needs.bucket_arns[0]
    for action, resource in (
        ("s3:DeleteBucket", arn),
        ("s3:PutBucketPolicy", arn),
        ("s3:ListBucket", f"{arn}-other"),
        ("s3:GetObject", f"{arn}-other/x"),
        ("s3:PutObjectAcl", f"{arn}/x"),
        ("kms:Decrypt", f"arn:{needs.partition}:kms:{needs.region}:{needs.account}:key/other"),
    ):
        assert (
            decide(statements, PolicyRequest(action=action, resource=resource))
            is not PolicyDecision.ALLOWED
        )


@pytest.mark.parametrize("cloud", ANSWERS)
@settings(max_examples=20, deadline=None)
@for_all(stack=stacks())
def test_what_is_printed_passes_its_own_check(cloud: str, stack: dict[str, str]) -> None:
    """Made as printed, nothing is found."""
    name = "aws" if cloud == "rgw" else cloud
    needs, found = printed(name, {**ANSWERS[cloud], **stack})
    kinds = {
        "trust-policy.json": DocumentKind.TRUST,
        "storage-policy.json": DocumentKind.POLICY,
        "federated-credentials.json": DocumentKind.CREDENTIALS,
        "provider.json": DocumentKind.PROVIDER,
        "service-account-policy.json": DocumentKind.TRUST,
        "bucket-policy.json": DocumentKind.POLICY,
    }
    documents = [
        Fetched(kind=kinds[each.name], of=needs.stack.ref, content=each.content)
        for each in found.documents
        if each.name in kinds
    ]
    assert documents
    assert list(check(needs, documents)) == []


def _token(body: object) -> str:
    encoded = base64.urlsafe_b64encode(json.dumps(body).encode()).decode().rstrip("=")
    return f"e30.{encoded}.x"


def test_a_tokens_claims_are_read_unverified() -> None:
    """One audience or several."""
    said = {"iss": "https://i", "sub": "system:serviceaccount:a:b", "aud": "c"}
    one = claims_of(_token(said))
    assert (one.issuer, one.subject, one.audiences) == (
        "https://i",
        "system:serviceaccount:a:b",
        ("c",),
    )
    assert claims_of(_token({**said, "aud": ["c", "d"]})).audiences == ("c", "d")


@pytest.mark.parametrize("text", ["", "a.b", "a.!.c", _token([]), _token({"iss": "x"}), "a.e30.c"])
def test_what_is_no_token_is_not_shown(text: str) -> None:
    """The text itself is no part of the message."""
    with pytest.raises(NoToken) as raised:
        claims_of(text)
    assert not text or text not in str(raised.value)


@pytest.mark.parametrize(
    ("issuer", "inside"),
    [
        ("https://kubernetes.default.svc", True),
        ("https://kubernetes.default.svc.cluster.local", True),
        ("https://cluster.local:6443/x", True),
        ("https://kubernetes", True),
        ("https://oidc.example.com/id", False),
        ("https://203.0.113.7:8443", False),
    ],
)
def test_an_issuer_that_only_the_cluster_knows_is_told_apart(issuer: str, inside: bool) -> None:
    """By the end of its host's name."""
    assert only_inside(issuer) is inside
