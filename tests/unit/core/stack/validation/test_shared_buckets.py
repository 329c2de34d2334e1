# SPDX-License-Identifier: Apache-2.0
"""Stacks that write to one bucket are told, whatever their Secrets call it."""

import pytest

from lokeys.core.findings.finding import Finding
from lokeys.core.validation.validate import validate
from unit.core.stack.storage.secrets import SOUND
from unit.core.validation.manifests import NOW, Given, Object, external_secret, secret, stack


def shared(*objects: Object) -> list[Finding]:
    findings = validate([Given(each) for each in objects], now=NOW).findings
    return [finding for finding in findings if finding.fault == "shared_bucket"]


def given(name: str, kind: str, mode: str, **changed: str) -> list[Object]:
    """Return a stack of this name, with a Secret of its own."""
    data = {key: text for key, text in {**SOUND[f"{kind} {mode}"], **changed}.items() if text}
    words = {"name": name, "type": kind, "credentialMode": mode}
    return [stack(name, secret=words), secret(data, name=name)]


def test_both_are_named_with_the_bucket() -> None:
    """At the first of them, as a warning with a place, and once."""
    (finding,) = shared(*given("b", "s3", "static"), *given("a", "s3", "static"))
    assert finding.severity == "warning"
    bucket = SOUND["s3 static"]["bucketnames"]
    assert finding.message == (
        f"LokiStack logging/a writes to bucket `{bucket}`, shared with LokiStack logging/b"
    )
    assert finding.location is not None
    assert finding.route is None


def test_of_many_few_are_named() -> None:
    """The first four, and how many more there are."""
    (finding,) = shared(*(each for n in range(9) for each in given(f"s{n}", "gcs", "static")))
    assert "s0 writes" in finding.message
    assert finding.message.endswith("LokiStack logging/s3 and 5 more")


AWS = {"bucketnames": "logs", "endpoint": "https://s3.eu-west-1.amazonaws.com"}
AWS |= {"region": "eu-west-1"}
RGW = {"bucketnames": "logs", "endpoint": "https://rgw.example", "region": ""}


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        pytest.param(AWS, AWS, True, id="the same"),
        pytest.param(
            AWS,
            {**AWS, "endpoint": "https://s3.dualstack.eu-west-1.amazonaws.com:443"},
            True,
            id="another host of AWS",
        ),
        pytest.param(
            AWS,
            {
                **AWS,
                "endpoint": "https://s3.cn-north-1.amazonaws.com.cn",
                "region": "cn-north-1",
            },
            False,
            id="another partition",
        ),
        pytest.param(AWS, RGW, False, id="another store"),
        pytest.param(RGW, {**RGW, "endpoint": "https://rgw.example:443"}, True, id="its port"),
        pytest.param(RGW, {**RGW, "endpoint": "http://rgw.example:443"}, True, id="its scheme"),
        pytest.param(RGW, {**RGW, "endpoint": "http://rgw.example"}, False, id="port 80"),
        pytest.param(RGW, {**RGW, "bucketnames": "other"}, False, id="another bucket"),
        pytest.param(RGW, {**RGW, "bucketnames": "other,logs"}, True, id="one of several"),
    ],
)
def test_buckets_of_s3(one: dict[str, str], other: dict[str, str], told: bool) -> None:
    """A name is one bucket in a partition of AWS, and at one address of any other store."""
    found = shared(*given("a", "s3", "static", **one), *given("b", "s3", "static", **other))
    assert bool(found) is told


@pytest.mark.parametrize(
    ("kind", "mode", "changed"),
    [
        ("azure", "static", {"container": "other"}),
        ("azure", "static", {"account_name": "otheraccount"}),
        ("gcs", "static", {"bucketname": "other"}),
        ("swift", "static", {"container_name": "other"}),
        ("swift", "static", {"project_id": "other"}),
        ("alibabacloud", "static", {"bucket": "other"}),
    ],
)
def test_buckets_of_other_stores(kind: str, mode: str, changed: dict[str, str]) -> None:
    """The same is told, another container or account is not."""
    one = given("a", kind, mode)
    assert shared(*one, *given("b", kind, mode))
    assert not shared(*one, *given("b", kind, mode, **changed))


def test_a_key_and_a_role_for_one_bucket_of_aws() -> None:
    """Whoever reaches it, and however."""
    static = given("a", "s3", "static", **AWS)
    token = given("b", "s3", "token", bucketnames="logs", region="eu-west-1", endpoint="")
    assert shared(*static, *token)


def test_a_secret_that_is_made_holds_one_bucket() -> None:
    """Its values are not known: two stacks that share it are told; one alone is not."""
    made = external_secret(*SOUND["s3 static"])
    (finding,) = shared(stack("a"), stack("b"), made)
    assert "the bucket that Secret logging/loki-storage names" in finding.message
    assert not shared(stack("a"), made)


def test_a_stack_given_twice_shares_with_nobody() -> None:
    """It is one stack, and told as such."""
    assert not shared(stack("a"), stack("a"), secret())
