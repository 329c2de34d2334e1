# SPDX-License-Identifier: Apache-2.0
"""AWS's policy language: what a document lets pass, refuses, denies, or leaves open."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lokeys.core.trust.aws.policy import (
    NoPolicy,
    PolicyDecision,
    PolicyRequest,
    decide,
    like,
    statements_of,
)

GET = "s3:GetObject"
ALLOWED, REFUSED, DENIED, UNDECIDED = PolicyDecision


def said(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(**more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": GET, "Resource": "*", **more}


def when(operator: str, key: str, *values: str) -> dict[str, Any]:
    return allow(Condition={operator: {key: list(values)}})


def deny(**more: Any) -> dict[str, Any]:
    return {**allow(**more), "Effect": "Deny"}


REQUEST = PolicyRequest(
    action=GET,
    principal="arn:aws:iam::1:oidc-provider/host",
    resource="arn:aws:s3:::bucket/key",
    context={"host:sub": ("a:b",), "host:aud": ("one", "two")},
)
TABLE: dict[str, tuple[dict[str, Any], PolicyDecision]] = {
    "nobody allows": (said(), REFUSED),
    "one statement, no list": ({"Statement": allow()}, ALLOWED),
    "actions know no capitals": (said(allow(Action=["S3:getobject"])), ALLOWED),
    "a star in the action": (said(allow(Action="s3:Get*")), ALLOWED),
    "another action": (said(allow(Action="s3:Put*")), REFUSED),
    "all actions but one": (said({"Effect": "Allow", "NotAction": GET, "Resource": "*"}), REFUSED),
    "all actions but another": (said({"Effect": "Allow", "NotAction": "s3:Put*"}), ALLOWED),
    "resources know capitals": (said(allow(Resource="arn:aws:s3:::Bucket/*")), REFUSED),
    "one letter": (said(allow(Resource="arn:aws:s3:::bucke?/key")), ALLOWED),
    "all resources but this": (
        said({"Effect": "Allow", "Action": GET, "NotResource": "arn:aws:s3:::bucket/*"}),
        REFUSED,
    ),
    "a deny wins": (said(allow(), deny()), DENIED),
    "a deny of something else": (said(allow(), deny(Resource="arn:aws:s3:::bucket")), ALLOWED),
    "a deny that may be": (said(allow(), deny(Condition={"Bool": {"aws:x": True}})), UNDECIDED),
    "a deny that may be, of what nobody allows": (
        said(deny(Condition={"Bool": {"aws:x": True}})),
        REFUSED,
    ),
    "everybody": (said(allow(Principal="*")), ALLOWED),
    "everybody of AWS": (said(allow(Principal={"AWS": "*"})), ALLOWED),
    "the provider": (said(allow(Principal={"Federated": REQUEST.principal})), ALLOWED),
    "an account of that name": (said(allow(Principal={"AWS": REQUEST.principal})), REFUSED),
    "everybody but the provider": (
        said(allow(NotPrincipal={"Federated": [REQUEST.principal]})),
        REFUSED,
    ),
    "everybody but others": (said(allow(NotPrincipal={"Federated": "arn:x"})), ALLOWED),
    "equal": (said(when("StringEquals", "host:sub", "x", "a:b")), ALLOWED),
    "keys know no capitals": (said(when("StringEquals", "HOST:Sub", "a:b")), ALLOWED),
    "not equal": (said(when("StringNotEquals", "host:sub", "x", "a:b")), REFUSED),
    "not equal, indeed": (said(when("StringNotEquals", "host:sub", "x")), ALLOWED),
    "no key is not equal": (said(when("StringNotEquals", "host:amr", "x")), ALLOWED),
    "no key is equal to nothing": (said(when("StringEquals", "host:amr", "x")), REFUSED),
    "if it is there": (said(when("StringEqualsIfExists", "host:amr", "x")), ALLOWED),
    "folded": (said(when("StringEqualsIgnoreCase", "host:sub", "A:B")), ALLOWED),
    "not folded": (said(when("StringNotEqualsIgnoreCase", "host:sub", "A:B")), REFUSED),
    "like": (said(when("StringLike", "host:sub", "a:*")), ALLOWED),
    "a star is a star": (said(when("StringEquals", "host:sub", "a:*")), REFUSED),
    "not like": (said(when("StringNotLike", "host:sub", "a:*")), REFUSED),
    "any of several": (said(when("ForAnyValue:StringEquals", "host:aud", "two")), ALLOWED),
    "any of none": (said(when("ForAnyValue:StringEquals", "host:amr", "two")), REFUSED),
    "all of several": (said(when("ForAllValues:StringEquals", "host:aud", "two")), REFUSED),
    "all of none": (said(when("ForAllValues:StringEquals", "host:amr", "two")), ALLOWED),
    "there must be none": (said(when("Null", "host:amr", "true")), ALLOWED),
    "there must be one": (said(when("Null", "host:amr", "false")), REFUSED),
    "where from": (said(when("IpAddress", "aws:SourceIp", "10.0.0.0/8")), UNDECIDED),
    "an operator of another kind": (said(when("NumericEquals", "host:sub", "1")), UNDECIDED),
    "a variable": (said(when("StringEquals", "host:sub", "${aws:username}")), UNDECIDED),
    "one condition fails for certain": (
        said(allow(Condition={"StringEquals": {"host:sub": "x", "aws:SourceVpc": "y"}})),
        REFUSED,
    ),
    "no condition": (said(allow(Condition={})), ALLOWED),
}


@pytest.mark.parametrize(("document", "decision"), TABLE.values(), ids=TABLE.keys())
def test_documents_decide_as_aws_would(document: dict[str, Any], decision: PolicyDecision) -> None:
    """Deny over Allow over nothing; conditions by their operators; the rest is left open."""
    assert decide(statements_of(document), REQUEST) is decision


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {"Version": "2012-10-17"},
        said("x"),  # type: ignore[arg-type]
        said({"Effect": "allow", "Action": GET}),
        said({"Effect": "Allow"}),
        said(allow(Action=[1])),
        said(allow(Resource={})),
        said(allow(Principal={"Federated": 1})),
        said(allow(Condition=[])),
        said(allow(Condition={"StringEquals": "x"})),
        said(allow(Condition={"StringEquals": {"a": {}}})),
        said(*([allow()] * 1001)),
    ],
)
def test_what_is_no_policy_is_refused_with_its_place(document: Any) -> None:
    """Never read as one that grants nothing."""
    with pytest.raises(NoPolicy, match=r"."):
        statements_of(document)


@settings(max_examples=200, deadline=None)
@given(st.text("ab*?", max_size=12), st.text("ab", max_size=12))
def test_patterns_mean_what_they_mean_to_aws(pattern: str, value: str) -> None:
    """As the obvious, slow way has it."""

    def slowly(at: int, place: int) -> bool:
        if at == len(pattern):
            return place == len(value)
        if pattern[at] == "*":
            return any(slowly(at + 1, later) for later in range(place, len(value) + 1))
        fits = place < len(value) and pattern[at] in ("?", value[place])
        return fits and slowly(at + 1, place + 1)

    assert like(value, pattern) is slowly(0, 0)
