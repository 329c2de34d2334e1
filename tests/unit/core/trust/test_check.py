# SPDX-License-Identifier: Apache-2.0
"""Documents beside what is needed: each way in which they can be wrong has its code."""

import json
from dataclasses import replace
from typing import Any

import pytest

from lokeys.core.findings.finding import Finding
from lokeys.core.place import Ref
from lokeys.core.trust.answers import Answers
from lokeys.core.trust.aws.needs import AwsNeeds, aws_needs, storage_policy, trust_policy
from lokeys.core.trust.clouds import Needs, check, doubts, needs_of
from lokeys.core.trust.fetched import DocumentKind, Fetched, NotThis, listed
from lokeys.core.trust.gcp.needs import (
    SUBJECT_BYTES,
    GcpNeeds,
    bucket_policy,
    provider_document,
    service_account_policy,
)
from trust.asked import ISSUER, SUBSCRIPTION, aws, azure, gcp, given, rgw
from trust.grammar import check as check_line

STACK, RULER = aws().stack.subjects
HOST = "oidc.example.com/id/1"
ARN = f"arn:aws:iam::123456789012:oidc-provider/{HOST}"
DENY = {"Effect": "Deny", "Action": "*", "Principal": "*", "Resource": "*"}
SCOPE = azure().scope


def found(needs: Needs, kind: DocumentKind, *contents: Any) -> list[Finding]:
    documents = [Fetched(kind=kind, of=Ref("Thing", "x"), content=each) for each in contents]
    return list(check(needs, documents))


def codes(needs: Needs, kind: DocumentKind, *contents: Any) -> list[str]:
    return [finding.code for finding in found(needs, kind, *contents)]


def trust(**condition: Any) -> dict[str, Any]:
    """Return a trust policy with this condition in the place of the needed one."""
    policy = trust_policy(aws())
    policy["Statement"][0]["Condition"] = condition
    return policy


def with_principal(principal: Any) -> dict[str, Any]:
    policy = trust_policy(aws())
    policy["Statement"][0]["Principal"] = principal
    return policy


TENANTS = "arn:aws:s3::team:logs"


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        pytest.param(TENANTS, [], id="as printed"),
        pytest.param("arn:aws:s3:::logs", [], id="no tenant: the role's own"),
        pytest.param("arn:aws:s3::*:logs", [], id="any tenant: the role's own"),
        pytest.param("arn:aws:s3::other:logs", ["LK0707"], id="another tenant"),
    ],
)
def test_a_tenants_bucket_is_named_with_its_tenant(resource: str, expected: list[str]) -> None:
    """Ceph RGW has it where AWS has an account; the role is in the same tenant."""
    needs = rgw(bucket="team:logs")
    assert needs.role_arn == "arn:aws:iam::team:role/loki-my-stack"
    assert needs.bucket_arns == (TENANTS,)
    policy = json.loads(json.dumps(storage_policy(needs)).replace(TENANTS, resource))
    assert codes(needs, DocumentKind.POLICY, policy) == expected


BOTH = {f"{HOST}:sub": [STACK, RULER]}
AWS_TRUST: dict[str, tuple[dict[str, Any], list[str]]] = {
    "as needed": (trust_policy(aws()), []),
    "wrapped as get-role prints it": (
        {"Role": {"AssumeRolePolicyDocument": trust_policy(aws())}},
        [],
    ),
    "no audience, which the provider checks": (trust(StringEquals=BOTH), []),
    "one subject": (trust(StringEquals={f"{HOST}:sub": STACK}), ["LK0701"]),
    "no statement for tokens": ({"Statement": []}, ["LK0701"]),
    "only for a service": (
        {
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "ec2.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ]
        },
        ["LK0701"],
    ),
    "another audience": (
        trust(StringEquals={**BOTH, f"{HOST}:aud": "openshift"}),
        ["LK0702"],
    ),
    "a subject in the audience's place": (
        trust(StringEquals={**BOTH, f"{HOST}:aud": STACK}),
        ["LK0702"],
    ),
    "another claim's name": (trust(StringEquals={**BOTH, f"{HOST}:azp": "x"}), ["LK0702"]),
    "the condition of another issuer": (
        trust(StringEquals={"oidc.example.com/id/2:sub": [STACK, RULER]}),
        ["LK0703"],
    ),
    "another provider": (with_principal({"Federated": f"{ARN}2"}), ["LK0703"]),
    "another provider, and its conditions": (
        {
            "Statement": [
                {
                    **trust(StringEquals={f"{HOST}2:sub": [STACK]})["Statement"][0],
                    "Principal": {"Federated": f"{ARN}2"},
                }
            ]
        },
        ["LK0703"],
    ),
    "an account for a principal": (
        with_principal({"AWS": "arn:aws:iam::123456789012:root"}),
        ["LK0703"],
    ),
    "another partition": (
        with_principal({"Federated": ARN.replace("aws", "aws-cn")}),
        ["LK0705"],
    ),
    "denied": ({"Statement": [*trust_policy(aws())["Statement"], DENY]}, ["LK0704"]),
    "from one network": (
        trust(StringEquals=BOTH, IpAddress={"aws:SourceIp": "10.0.0.0/8"}),
        ["LK0712"],
    ),
    "no condition": (trust(), ["LK0709"]),
    "every account of the namespace": (
        trust(StringLike={f"{HOST}:sub": "system:serviceaccount:logging:*"}),
        ["LK0709"],
    ),
    "that account in every namespace": (
        trust(StringLike={f"{HOST}:sub": ["system:serviceaccount:*:my-stack", RULER]}),
        ["LK0709"],
    ),
    "names that begin so": (trust(StringLike={f"{HOST}:sub": f"{STACK}*"}), ["LK0709"]),
    "the default account, too": (
        trust(StringEquals={f"{HOST}:sub": [STACK, RULER, aws().stack.default_subject]}),
        ["LK0711"],
    ),
    "the default account in the ruler's place": (
        trust(StringEquals={f"{HOST}:sub": [STACK, aws().stack.default_subject]}),
        ["LK0701", "LK0711"],
    ),
}


@pytest.mark.parametrize(("document", "expected"), AWS_TRUST.values(), ids=AWS_TRUST.keys())
def test_a_trust_policy_of_aws(document: dict[str, Any], expected: list[str]) -> None:
    """Subject, audience, provider, partition, denies, width."""
    assert codes(aws(), DocumentKind.TRUST, document) == expected


def test_a_subject_is_suggested_for_no_audience() -> None:
    """What stands under `:aud` is said to be a subject, and the Secret is left alone."""
    (finding,) = found(
        aws(), DocumentKind.TRUST, trust(StringEquals={**BOTH, f"{HOST}:aud": STACK})
    )
    assert "belongs under `:sub`" in finding.message
    assert [each.text for each in finding.remedy] == ["let it accept the stack's audience"]
    (other,) = found(aws(), DocumentKind.TRUST, trust(StringEquals={**BOTH, f"{HOST}:aud": "x"}))
    assert any("`audience` in the Secret" in each.text for each in other.remedy)


def test_issuers_are_shown_where_they_differ() -> None:
    """A slash at the end of a long address is seen."""
    long = f"https://{'oidc.' * 20}example.com/id/1"
    needs = replace(gcp(), stack=replace(gcp().stack, issuer=long))
    (finding,) = (
        each
        for each in found(needs, DocumentKind.PROVIDER, provider(oidc={"issuerUri": f"{long}/"}))
        if each.code == "LK0703"
    )
    assert "/id/1/`" in finding.message
    assert "/id/1`" in finding.message


def allow(actions: Any, resources: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


BUCKET = "arn:aws:s3:::loki-logs"
OBJECTS = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
LIST, USE = allow("s3:ListBucket", BUCKET), allow(OBJECTS, f"{BUCKET}/*")
AWS_POLICY: dict[str, tuple[list[Any], list[str]]] = {
    "as needed": ([storage_policy(aws())], []),
    "in two documents, as the tools print them": (
        [
            {"PolicyDocument": {"Statement": LIST}},
            {"PolicyVersion": {"Document": {"Statement": [USE]}}},
        ],
        [],
    ),
    "nothing": ([{"Statement": []}], ["LK0706"]),
    "no delete": ([{"Statement": [LIST, allow(OBJECTS[:2], f"{BUCKET}/*")]}], ["LK0706"]),
    "all on the bucket": (
        [{"Statement": [allow(["s3:ListBucket", *OBJECTS], BUCKET)]}],
        ["LK0707"],
    ),
    "all on the objects": (
        [{"Statement": [allow(["s3:ListBucket", *OBJECTS], f"{BUCKET}/*")]}],
        ["LK0707"],
    ),
    "below a folder": ([{"Statement": [LIST, allow(OBJECTS, f"{BUCKET}/loki/*")]}], ["LK0707"]),
    "a list missing and the wrong bucket": (
        [{"Statement": [allow(OBJECTS, "arn:aws:s3:::other/*")]}],
        ["LK0706", "LK0707"],
    ),
    "another partition": (
        [{"Statement": [LIST, allow(OBJECTS, "arn:aws-cn:s3:::loki-logs/*")]}],
        ["LK0705"],
    ),
    "another partition and another bucket": (
        [{"Statement": [LIST, allow(OBJECTS, ["arn:aws-cn:s3:::other/*", "*/x"])]}],
        ["LK0707"],
    ),
    "all resources but the bucket": (
        [
            {
                "Statement": [
                    LIST,
                    {"Effect": "Allow", "Action": OBJECTS, "NotResource": BUCKET + "*"},
                ]
            }
        ],
        ["LK0707", "LK0710"],
    ),
    "denied": ([{"Statement": [LIST, USE, {**USE, "Effect": "Deny"}]}], ["LK0704"]),
    "from one network": (
        [{"Statement": [LIST, {**USE, "Condition": {"StringEquals": {"aws:SourceVpc": "x"}}}]}],
        ["LK0712"],
    ),
    "over TLS": (
        [
            {
                "Statement": [
                    LIST,
                    USE,
                    {
                        **USE,
                        "Effect": "Deny",
                        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                    },
                ]
            }
        ],
        [],
    ),
    "full access": ([{"Statement": [allow("s3:*", "*")]}], ["LK0710"]),
    "everything": ([{"Statement": [allow("*", "*")]}], ["LK0710"]),
}


@pytest.mark.parametrize(("documents", "expected"), AWS_POLICY.values(), ids=AWS_POLICY.keys())
def test_a_storage_policy_of_aws(documents: list[Any], expected: list[str]) -> None:
    """Actions, resources, denies, width."""
    assert codes(aws(), DocumentKind.POLICY, *documents) == expected


@pytest.mark.parametrize(
    "key",
    [
        "alias/loki",
        "arn:aws:kms:eu-west-1:123456789012:key/1-2",
        "1-2",
        "key/1-2",
        "arn:aws:kms:eu-west-1:123456789012:alias/loki",
    ],
)
def test_the_buckets_key_must_be_usable(key: str) -> None:
    """With SSE-KMS; as the policy prints it, by id, ARN or alias."""
    needs = aws(kms_key=key)
    assert codes(needs, DocumentKind.POLICY, storage_policy(needs)) == []
    assert codes(needs, DocumentKind.POLICY, {"Statement": [LIST, USE]}) == ["LK0708"]


NO_SSE = {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}
DENIES: dict[str, tuple[Any, dict[str, str], list[str]]] = {
    "what is put unencrypted": (
        {"Principal": "*", "Action": "s3:PutObject", "Condition": NO_SSE},
        {},
        ["LK0704"],
    ),
    "and the stack encrypts": (
        {"Principal": "*", "Action": "s3:PutObject", "Condition": NO_SSE},
        {"sse_type": "SSE-KMS"},
        [],
    ),
    "what says nothing of encryption": (
        {
            "Principal": {"AWS": "*"},
            "Action": "s3:PutObject",
            "Condition": {"Null": {"s3:x-amz-server-side-encryption": "true"}},
        },
        {},
        ["LK0704"],
    ),
    "plain http": (
        {"Principal": "*", "Action": "s3:*", "Condition": {"Bool": {"aws:SecureTransport": False}}},
        {},
        [],
    ),
    "the role": (
        {"Principal": {"AWS": "arn:aws:iam::123456789012:role/loki-my-stack"}, "Action": "s3:*"},
        {},
        ["LK0704"],
    ),
    "the account": ({"Principal": {"AWS": "123456789012"}, "Action": "s3:Get*"}, {}, ["LK0704"]),
    "everybody but the role": (
        {"NotPrincipal": {"AWS": aws().role_arn}, "Action": "s3:*"},
        {},
        [],
    ),
    "another role": (
        {"Principal": {"AWS": "arn:aws:iam::123456789012:role/other"}, "Action": "s3:*"},
        {},
        [],
    ),
}


@pytest.mark.parametrize(("deny", "more", "expected"), DENIES.values(), ids=DENIES.keys())
def test_a_buckets_own_policy(deny: Any, more: dict[str, str], expected: list[str]) -> None:
    """What it denies the role; as a document, or as the text that S3 prints."""
    needs = aws_needs(Answers(given={**given("aws"), **more}))
    policy = {"Statement": {"Effect": "Deny", "Resource": "*", **deny}}
    for content in (policy, {"Policy": json.dumps(policy)}):
        said = found(needs, DocumentKind.BUCKET, content)
        assert [each.code for each in said] == expected
        assert all(each.cause == "bucket_policy_explicit_deny" for each in said)


def test_at_another_store_the_key_is_not_iams() -> None:
    """Ceph asks its own vault for keys."""
    needs = rgw(kms_key="loki")
    assert codes(needs, DocumentKind.POLICY, storage_policy(needs)) == []


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"Url": HOST, "ClientIDList": ["sts.amazonaws.com", "x"]}, []),
        ({"Url": ISSUER, "ClientIDList": ["sts.amazonaws.com"]}, []),
        ({"Url": HOST, "ClientIDList": ["openshift"]}, ["LK0702"]),
        ({"Url": f"{HOST}/", "ClientIDList": ["sts.amazonaws.com"]}, ["LK0703"]),
        ({"Url": HOST}, ["LK0702"]),
    ],
)
def test_an_identity_provider_of_aws(document: dict[str, Any], expected: list[str]) -> None:
    """Its issuer, letter by letter, and its audiences."""
    assert codes(aws(), DocumentKind.PROVIDER, document) == expected


def credential(subject: str, **more: Any) -> dict[str, Any]:
    return {
        "name": "x",
        "issuer": ISSUER,
        "subject": subject,
        "audiences": ["api://AzureADTokenExchange"],
        **more,
    }


def flexible(value: str) -> dict[str, Any]:
    return {**credential(""), "subject": None, "claimsMatchingExpression": {"value": value}}


AZURE: dict[str, tuple[list[Any], list[str]]] = {
    "as needed": ([credential(STACK), credential(RULER)], []),
    "as the REST API wraps them": (
        [{"name": "x", "properties": credential(each)} for each in (STACK, RULER)],
        [],
    ),
    "none": ([], ["LK0701"]),
    "the ruler lacks": ([credential(STACK)], ["LK0701"]),
    "a slash": ([credential(each, issuer=f"{ISSUER}/") for each in (STACK, RULER)], ["LK0703"]),
    "an audience": ([credential(each, audiences=["x"]) for each in (STACK, RULER)], ["LK0702"]),
    "both": (
        [credential(each, audiences=[], issuer="x") for each in (STACK, RULER)],
        ["LK0703", "LK0702"],
    ),
    "the default account": (
        [credential(each) for each in (STACK, RULER, aws().stack.default_subject)],
        ["LK0711"],
    ),
    "a flexible one": (
        [credential(STACK), flexible(f"claims['sub'] eq '{RULER}'")],
        [],
    ),
    "a wide one": (
        [flexible("claims['sub'] matches 'system:serviceaccount:logging:*'")],
        ["LK0709"],
    ),
    "one that is not read": ([credential(STACK), flexible("claims['x'] eq 'y'")], ["LK0712"]),
}


@pytest.mark.parametrize(("document", "expected"), AZURE.values(), ids=AZURE.keys())
def test_federated_credentials_of_azure(document: list[Any], expected: list[str]) -> None:
    """Issuer, subject, audience: letter by letter."""
    assert codes(azure(), DocumentKind.CREDENTIALS, document) == expected


def role(name: str, scope: str) -> dict[str, str]:
    return {"roleDefinitionName": name, "scope": scope}


CONTRIBUTOR = "Storage Blob Data Contributor"


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ([role(CONTRIBUTOR, SCOPE)], []),
        ([role(CONTRIBUTOR, SCOPE.upper()), role("Reader", "/")], []),
        ([role(CONTRIBUTOR, f"/subscriptions/{SUBSCRIPTION}")], ["LK0710"]),
        ([role(CONTRIBUTOR, "/")], ["LK0710"]),
        ([role("Storage Blob Data Owner", SCOPE)], ["LK0710"]),
        ([role(CONTRIBUTOR, f"{SCOPE}-other")], ["LK0707"]),
        ([role("Contributor", SCOPE)], ["LK0706"]),
        ([], ["LK0706"]),
    ],
)
def test_role_assignments_of_azure(document: list[Any], expected: list[str]) -> None:
    """A role on blobs, on the container, not above it."""
    assert codes(azure(), DocumentKind.ROLES, document) == expected


def provider(**more: Any) -> dict[str, Any]:
    return {**provider_document(gcp()), **more}


def oidc(**more: Any) -> dict[str, Any]:
    return provider(oidc={"issuerUri": ISSUER, **more})


NAME = gcp().audience_of_exchange
GCP_PROVIDER: dict[str, tuple[dict[str, Any], list[str]]] = {
    "as needed": (provider(), []),
    "its own name by default": (oidc(), []),
    "another audience": (oidc(allowedAudiences=["openshift"]), ["LK0702"]),
    "a slash": (
        provider(oidc={"issuerUri": f"{ISSUER}/", "allowedAudiences": [NAME]}),
        ["LK0703"],
    ),
    "switched off": (provider(disabled=True), ["LK0715"]),
    "deleted": (provider(state="DELETED"), ["LK0715"]),
    "another subject": (provider(attributeMapping={"google.subject": "assertion.x"}), ["LK0716"]),
    "no mapping": (provider(attributeMapping=None), ["LK0716"]),
    "a condition that is met": (
        provider(attributeCondition="assertion.sub.startsWith('system:serviceaccount:logging:')"),
        [],
    ),
    "a condition that forgets the ruler": (
        provider(attributeCondition=f"assertion.sub == '{STACK}'"),
        ["LK0701"],
    ),
    "a condition that is not read": (provider(attributeCondition="has(assertion.x)"), ["LK0712"]),
}


@pytest.mark.parametrize(("document", "expected"), GCP_PROVIDER.values(), ids=GCP_PROVIDER.keys())
def test_a_provider_of_google(document: dict[str, Any], expected: list[str]) -> None:
    """Issuer, audience, mapping, condition, and whether it is there."""
    assert codes(gcp(), DocumentKind.PROVIDER, document) == expected


def bound(*members: str, role: str = "roles/iam.workloadIdentityUser", **more: Any) -> Any:
    return {"bindings": [{"role": role, "members": list(members), **more}]}


P, Q = (gcp().principal(each) for each in gcp().stack.subjects)
DEFAULT = gcp().principal(gcp().stack.default_subject)
POOL_SET = P.replace("principal:", "principalSet:").partition("/subject/")[0]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (service_account_policy(gcp()), []),
        ({"etag": "x"}, ["LK0701"]),
        (bound(P), ["LK0701"]),
        (bound("user:x@example.com"), ["LK0701"]),
        (bound(P.replace("/cluster/", "/other/"), Q.replace("/cluster/", "/other/")), ["LK0701"]),
        (bound(P, Q, role="roles/iam.serviceAccountUser"), ["LK0701"]),
        (bound(f"{POOL_SET}/*"), ["LK0709"]),
        (bound(P, Q, f"{POOL_SET}/attribute.namespace/logging"), ["LK0709"]),
        (bound(P, Q, DEFAULT), ["LK0711"]),
        (bound(P, Q, condition={"expression": "true"}), ["LK0712"]),
    ],
)
def test_who_may_act_as_googles_service_account(document: Any, expected: list[str]) -> None:
    """Both subjects, in this pool, without a condition, and nobody else."""
    assert codes(gcp(), DocumentKind.TRUST, document) == expected


MEMBER = f"serviceAccount:{gcp().email}"


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (bucket_policy(gcp()), []),
        (bound(MEMBER, role="roles/storage.objectAdmin"), []),
        (bound(MEMBER, role="roles/storage.objectViewer"), ["LK0706"]),
        (bound("serviceAccount:x", role="roles/storage.objectUser"), ["LK0706"]),
        (bound(MEMBER, role="roles/storage.admin"), ["LK0710"]),
        (bound(MEMBER, role="roles/storage.objectUser", condition={"title": "x"}), ["LK0712"]),
    ],
)
def test_what_googles_service_account_may_do(document: Any, expected: list[str]) -> None:
    """Read and write objects, and leave the bucket alone."""
    assert codes(gcp(), DocumentKind.POLICY, document) == expected


WRONG: list[tuple[Needs, DocumentKind, Any]] = [
    (aws(), DocumentKind.TRUST, []),
    (aws(), DocumentKind.TRUST, {"Statement": [1]}),
    (aws(), DocumentKind.POLICY, "x"),
    (aws(), DocumentKind.BUCKET, {"Policy": "no"}),
    (aws(), DocumentKind.PROVIDER, {}),
    (azure(), DocumentKind.CREDENTIALS, {}),
    (azure(), DocumentKind.CREDENTIALS, [{}]),
    (azure(), DocumentKind.ROLES, [1]),
    (azure(), DocumentKind.ROLES, [{"scope": "/"}]),
    (gcp(), DocumentKind.PROVIDER, {}),
    (gcp(), DocumentKind.TRUST, []),
    (gcp(), DocumentKind.POLICY, {"bindings": {}}),
]


@pytest.mark.parametrize(("needs", "kind", "content"), WRONG)
def test_another_document_is_refused(needs: Needs, kind: DocumentKind, content: Any) -> None:
    """Handed in as what it is not: the message says which command prints the right one."""
    with pytest.raises(NotThis, match="prints"):
        found(needs, kind, content)


@pytest.mark.parametrize("needs", [aws(), azure(), gcp()], ids=["aws", "azure", "gcp"])
def test_what_is_not_there_is_told(needs: Needs) -> None:
    """The cloud knows no such thing, and nothing else is said of it."""
    assert codes(needs, DocumentKind.TRUST, None) == ["LK0717"]


@pytest.mark.parametrize("needs", [azure(), aws()])
def test_a_document_of_another_cloud_is_passed_over(needs: Needs) -> None:
    """Each cloud looks at its own kinds."""
    other = DocumentKind.TRUST if not isinstance(needs, AwsNeeds) else DocumentKind.ROLES
    assert codes(needs, other, {}) == []
    assert codes(gcp(), DocumentKind.ROLES, {}) == []


def test_an_issuer_that_no_cloud_can_ask_is_doubted() -> None:
    """But for a store in the cluster itself it is fine."""
    inside = "https://kubernetes.default.svc"
    assert [each.code for each in doubts(aws(issuer=inside))] == ["LK0713"]
    assert list(doubts(rgw(issuer=inside))) == []
    assert list(doubts(azure())) == []


def test_googles_limit_on_subjects_is_told() -> None:
    """The ruler's is longer by six."""
    needs: GcpNeeds = gcp(namespace="n" * 50, name="s" * 50)
    assert [each.field for each in doubts(needs)] == [f"{'s' * 50}-ruler"]


def test_each_remedys_command_runs_as_printed() -> None:
    """By the grammar of its tool."""
    findings = [
        *(
            each
            for document, _ in AWS_TRUST.values()
            for each in found(aws(), DocumentKind.TRUST, document)
        ),
        *found(rgw(), DocumentKind.TRUST, {"Statement": []}),
        *found(aws(), DocumentKind.PROVIDER, {"Url": "x"}),
        *found(aws(region="us-gov-west-1"), DocumentKind.POLICY, {"Statement": []}),
        *found(azure(), DocumentKind.CREDENTIALS, []),
        *found(gcp(), DocumentKind.TRUST, {}),
        *found(gcp(), DocumentKind.POLICY, {}),
    ]
    commands = [
        str(each.command) for finding in findings for each in finding.remedy if each.command
    ]
    assert len(commands) > 15
    for command in commands:
        assert "\n" not in command
        if command != "lokeys probe stack my-stack -n logging":
            check_line(command)


def test_long_lists_are_cut() -> None:
    """A few names, and how many more."""
    assert listed([]) == "nothing"
    assert listed(["a"]) == "`a`"
    assert listed(["a", "b", "a"]) == "`a` and `b`"
    assert listed("abcd", last="or") == "`a`, `b`, `c` or `d`"
    assert listed("abcdefg") == "`a`, `b`, `c` and 4 more"


def without_rules(cloud: str) -> Needs:
    """Return what a stack needs that is known to have no rules."""
    return needs_of(cloud, Answers(given={**given(cloud), "rules": "no"}))


OWN_ALONE: dict[str, tuple[DocumentKind, Any]] = {
    "aws": (DocumentKind.TRUST, trust(StringEquals={f"{HOST}:sub": STACK})),
    "azure": (DocumentKind.CREDENTIALS, [credential(STACK)]),
    "gcp": (
        DocumentKind.TRUST,
        {"bindings": service_account_policy(gcp())["bindings"][:1]},
    ),
}


@pytest.mark.parametrize("cloud", OWN_ALONE)
def test_a_ruler_that_does_not_run_need_not_be_trusted_yet(cloud: str) -> None:
    """Of a stack without rules it is info; of one that has them, or may, an error."""
    kind, content = OWN_ALONE[cloud]
    content = json.loads(json.dumps(content))
    if cloud == "gcp":
        content["bindings"][0]["members"] = [gcp().principal(STACK)]
    (idle,) = found(without_rules(cloud), kind, content)
    (missed,) = found(needs_of(cloud, Answers(given=given(cloud))), kind, content)

    assert (idle.code, idle.severity) == ("LK0701", "info")
    assert idle.message.endswith("the stack has no rules, so that account is not used yet")
    assert (missed.code, missed.severity) == ("LK0701", "error")


def test_the_stacks_own_account_is_needed_without_rules_too() -> None:
    """Whoever is not trusted beside it."""
    for subjects in ([], [RULER]):
        policy = trust(StringEquals={f"{HOST}:sub": subjects})
        (finding,) = found(without_rules("aws"), DocumentKind.TRUST, policy)
        assert (finding.code, finding.severity) == ("LK0701", "error")


def test_a_rulers_name_that_is_too_long_waits_for_its_rules() -> None:
    """Google counts the bytes of a subject; nobody asks for a token of that account yet."""
    name = "s" * (SUBJECT_BYTES - len("system:serviceaccount:logging:") - len("-rule"))
    long = {**given("gcp"), "--name": name}

    assert [each.code for each in doubts(needs_of("gcp", Answers(given=long)))] == ["LK0714"]
    assert list(doubts(needs_of("gcp", Answers(given={**long, "rules": "no"})))) == []
