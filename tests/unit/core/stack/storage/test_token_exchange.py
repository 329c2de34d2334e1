# SPDX-License-Identifier: Apache-2.0
"""An STS of AWS is https, an STS, and of the bucket's partition; one's own may be anything."""

import pytest

from unit.core.stack.storage.secrets import judged

VPC = "https://vpce-0a1b-x2.sts.eu-west-1.vpce.amazonaws.com"
CN = {"region": "cn-north-1", "role_arn": "arn:aws-cn:iam::123456789012:role/loki"}


def said(sts: str, **changes: str) -> list[tuple[str, str | None, str]]:
    reading = judged("s3 token", {"sts_endpoint": sts, **changes}, mode="token")
    assert all(finding.field == "sts_endpoint" for finding in reading.findings)
    return [(str(each.fault), each.severity.value, each.message) for each in reading.findings]


@pytest.mark.parametrize(
    "sts",
    [
        "https://sts.eu-west-1.amazonaws.com",
        "https://sts-fips.eu-west-1.amazonaws.com",
        "https://sts.amazonaws.com",
        VPC,
        "http://rgw.storage:7480/sts",
    ],
)
def test_what_exchanges_tokens_there_is_not_complained_of(sts: str) -> None:
    """Regional, FIPS, the old one of all regions, in a VPC; a store of one's own, even in clear."""
    assert said(sts) == []


def test_china_has_its_own() -> None:
    """In a domain of its own, in a VPC, too."""
    assert said("https://sts.cn-north-1.amazonaws.com.cn", **CN) == []
    assert said("https://vpce-1.sts.cn-north-1.vpce.amazonaws.com.cn", **CN) == []


FAULTS = {
    "in clear": ("http://sts.eu-west-1.amazonaws.com", {}, "bad_endpoint", "in clear"),
    "the bucket's host": ("https://s3.eu-west-1.amazonaws.com", {}, "bad_endpoint", "is S3, not"),
    "a VPC's S3": (
        "https://bucket.vpce-1.s3.eu-west-1.vpce.amazonaws.com",
        {},
        "bad_endpoint",
        "is S3, not STS",
    ),
    "another service": ("https://ec2.eu-west-1.amazonaws.com", {}, "bad_endpoint", "something"),
    "no region": ("https://sts.europe.amazonaws.com", {}, "bad_endpoint", "something else"),
    "a domain that is not the region's": (
        "https://sts.cn-north-1.amazonaws.com",
        CN,
        "bad_endpoint",
        "`https://sts.cn-north-1.amazonaws.com.cn`",
    ),
    "another partition": (
        "https://sts.cn-north-1.amazonaws.com.cn",
        {},
        "region_mismatch",
        "is of partition aws-cn, which knows no role of aws",
    ),
    "the world's, from China": (
        "https://sts.amazonaws.com",
        CN,
        "region_mismatch",
        "is of partition aws,",
    ),
}


@pytest.mark.parametrize(("sts", "changes", "fault", "words"), FAULTS.values(), ids=FAULTS.keys())
def test_what_cannot_exchange_them_is_an_error(
    sts: str, changes: dict[str, str], fault: str, words: str
) -> None:
    """A token is worth a key, and another partition knows no such role."""
    ((found, severity, message),) = said(sts, **changes)
    assert (found, severity) == (fault, "error")
    assert words in message


def test_another_region_is_worth_a_word() -> None:
    """Its sessions count everywhere in the partition, so it is no error."""
    ((fault, severity, message),) = said("https://sts.us-west-2.amazonaws.com")
    assert (fault, severity) == ("region_mismatch", "warning")
    assert "tokens in us-west-2, though the bucket is in eu-west-1" in message


def test_without_a_region_only_the_host_is_judged() -> None:
    """Which region is meant is told of at the region itself."""
    reading = judged(
        "s3 token",
        {"region": "somewhere", "sts_endpoint": "http://sts.us-west-2.amazonaws.com"},
        mode="token",
    )
    assert {(each.fault, each.field) for each in reading.findings} == {
        ("region_mismatch", "region"),
        ("bad_endpoint", "sts_endpoint"),
    }
