# SPDX-License-Identifier: Apache-2.0
"""Where a Secret for S3 leads, and how Loki's client names the bucket there."""

import re
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokeys.core.findings.finding import Finding
from lokeys.core.stack.storage import s3_client
from lokeys.core.stack.storage.model import S3
from lokeys.core.stack.storage.resolved import resolved_to_json
from unit.core.stack.storage.secrets import judged

Changes = Mapping[str, str | bytes | None]
Said = list[tuple[str | None, str | None, str]]
RGW = "http://rgw.storage:7480"
MINIO = {"endpoint": "http://minio.store:9000", "region": None}


def said(findings: tuple[Finding, ...]) -> Said:
    """Return fault, field and severity of each finding."""
    return [(each.fault, each.field, each.severity.value) for each in findings]


def s3_of(what: str, changes: Changes) -> S3:
    """Return the storage that a changed Secret says."""
    storage = judged(what, changes).storage
    assert isinstance(storage, S3)
    return storage


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({}, False),
        ({"forcepathstyle": "false"}, False),
        ({"forcepathstyle": "true"}, True),
        ({"bucketnames": "loki.logs"}, True),
        (MINIO, True),
        ({**MINIO, "endpoint": "https://minio.store", "bucketnames": "loki.logs"}, True),
        ({**MINIO, "endpoint": "http://logs-1.eu-west-1.elb.amazonaws.com:9000"}, True),
        ({**MINIO, "endpoint": "https://s3.oss-cn-hangzhou.aliyuncs.com"}, False),
        ({**MINIO, "endpoint": "https://storage.googleapis.com"}, True),
        (
            {
                **MINIO,
                "endpoint": "https://storage.googleapis.com",
                "forcepathstyle": "false",
            },
            False,
        ),
        ({"endpoint": "https://s3.cn-north-1.amazonaws.com.cn", "region": "cn-north-1"}, True),
        (
            {
                "endpoint": "https://s3.cn-north-1.amazonaws.com.cn",
                "region": "cn-north-1",
                "forcepathstyle": "false",
            },
            False,
        ),
        ({"endpoint": "https://s3.us-iso-east-1.c2s.ic.gov", "region": "us-iso-east-1"}, True),
    ],
)
def test_the_resolved_style_is_the_clients(changes: Changes, path: bool) -> None:
    """As minio-go chooses it (7.0.99, pkg/s3utils/utils.go), or as the Loki Operator asked."""
    assert resolved_to_json(s3_of("s3 static", changes))["forcePathStyle"] is path


def test_false_at_a_store_of_ones_own_is_told_and_changes_nothing() -> None:
    """The Loki Operator renders no key for it, and neither is one rendered here."""
    reading = judged("s3 static", {**MINIO, "forcepathstyle": "false"})
    assert said(reading.findings) == [("no_effect", "forcepathstyle", "warning")]
    assert isinstance(reading.storage, S3)
    assert not reading.storage.force_path_style
    assert reading.storage.path_style


@pytest.mark.parametrize("value", ["", " \n"])
def test_an_empty_switch_is_worth_a_word(value: str) -> None:
    """It is read as if it were not there; the Loki Operator refuses it."""
    for what in ("s3 static", "s3 token"):
        findings = judged(what, {"forcepathstyle": value}).findings
        assert said(findings) == [("bad_bool", "forcepathstyle", "warning")]


@pytest.mark.parametrize(
    ("endpoint", "expected", "host"),
    [
        ("s3.amazonaws.com", [("bad_endpoint", "endpoint", "warning")], ""),
        ("https://s3.amazonaws.com", [("bad_endpoint", "endpoint", "warning")], ""),
        ("https://s3.us-east-1.amazonaws.com", [("bad_endpoint", "endpoint", "warning")], ""),
        ("http://s3.eu-west-1.amazonaws.com", [("bad_endpoint", "endpoint", "warning")], ""),
        ("https://sts.eu-west-1.amazonaws.com", [("bad_endpoint", "endpoint", "warning")], ""),
        ("minio:9000", [("bad_endpoint", "endpoint", "warning")], ""),
        ("https://eu.storage.googleapis.com", [("bad_endpoint", "endpoint", "warning")], ""),
        ("https://s3.eu-west-1.amazonaws.com", [], "s3.eu-west-1.amazonaws.com"),
        (
            "https://s3.dualstack.eu-west-1.amazonaws.com",
            [],
            "s3.dualstack.eu-west-1.amazonaws.com",
        ),
        (
            "http://old-minio.store:9000",
            [("endpoint_beside_tokens", "endpoint", "warning")],
            "old-minio.store:9000",
        ),
    ],
)
def test_an_endpoint_left_over_beside_a_role_of_aws(
    endpoint: str, expected: Said, host: str
) -> None:
    """The Loki Operator never read it: never an error, and never silently another store."""
    reading = judged("s3 token", {"endpoint": endpoint})
    assert said(reading.findings) == expected
    assert isinstance(reading.storage, S3)
    assert reading.storage.endpoint_host == host
    assert all("s3.eu-west-1.amazonaws.com" in each.message for each in reading.findings)


def test_a_role_of_ones_own_store_needs_a_sound_endpoint() -> None:
    """An account that is none of AWS's shows that a store of one's own is meant."""
    changes = {"role_arn": "arn:aws:iam:::role/loki", "endpoint": "rgw:7480"}
    assert ("bad_endpoint", "endpoint", "error") in said(judged("s3 token", changes).findings)
    sound = judged("s3 token", {**changes, "endpoint": RGW})
    assert sound.findings == ()


def test_both_ways_out_of_a_contradiction_are_offered() -> None:
    """Region and endpoint are known, so both commands hold their values."""
    fips = {"endpoint": "https://s3-fips.us-east-2.amazonaws.com"}
    (finding,) = judged("s3 static", fips).findings
    assert said((finding,)) == [("region_mismatch", "region", "error")]
    one, other = (str(each.command) for each in finding.remedy)
    assert '{"stringData":{"region":"us-east-2"}}' in one
    assert '{"stringData":{"endpoint":"https://s3-fips.eu-west-1.amazonaws.com"}}' in other
    abroad = {"endpoint": "https://s3.cn-north-1.amazonaws.com.cn"}
    (finding,) = judged("s3 static", abroad).findings
    assert '"endpoint":"https://s3.eu-west-1.amazonaws.com"' in str(finding.remedy[1].command)


def test_the_old_host_serves_all_regions() -> None:
    """The client goes by the region (minio-go 7.0.99, api.go: makeTargetURL)."""
    old = {"endpoint": "https://s3.amazonaws.com"}
    (finding,) = judged("s3 static", old).findings
    assert said((finding,)) == [("region_mismatch", "endpoint", "warning")]
    assert "https://s3.eu-west-1.amazonaws.com" in str(finding.remedy[0].command)
    assert judged("s3 static", {**old, "region": "us-east-1"}).findings == ()


def test_a_missing_region_is_read_off_the_host() -> None:
    """The command sets it."""
    (finding,) = judged("s3 static", {"region": None}).findings
    assert '"region":"eu-west-1"' in str(finding.remedy[0].command)


@pytest.mark.parametrize(
    ("what", "changes", "expected"),
    [
        ("s3 token", {"region": "ap-southeast-6"}, "warning"),
        (
            "s3 static",
            {"endpoint": "https://s3.ap-southeast-6.amazonaws.com", "region": "ap-southeast-6"},
            "warning",
        ),
        (
            "s3 static",
            {
                "endpoint": "https://bucket.vpce-1.s3.ap-southeast-6.vpce.amazonaws.com",
                "region": "ap-southeast-6",
            },
            None,
        ),
        (
            "s3 static",
            {"endpoint": "https://s3-fips.us-east-9.amazonaws.com", "region": "us-east-9"},
            None,
        ),
        ("s3 token", {"region": "ap-southeast-5"}, None),
        (
            "s3 token",
            {"region": "eusc-de-east-1", "role_arn": "arn:aws-eusc:iam::123456789012:role/a"},
            None,
        ),
    ],
)
def test_a_region_without_a_host_is_worth_a_word(
    what: str, changes: Changes, expected: str | None
) -> None:
    """The client asks us-east-1 for it (minio-go 7.0.99, endpoints.go), but for hosts it keeps."""
    findings = judged(what, changes).findings
    assert said(findings) == [("region_mismatch", "region", expected)] * (expected is not None)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("a..b", "`..`"),
        ("loki.-x", "`.-`"),
        ("loki-.x", "`-.`"),
        ("-loki-", "begins or ends with `-`"),
        ("loki.", "begins or ends with `.`"),
        ("_loki", "begins or ends with `_`"),
        (":loki", "begins or ends with `:`"),
        ("192.168.1.1", "an IP address"),
        ("lo", "fewer than 3"),
        ("l" * 64, "more than 63"),
        ("s3://loki", "`/`"),
        ("loki logs", "white space"),
        ("loki\u200blogs", "cannot be printed"),
        ("lökí", "`ö`"),
    ],
)
def test_a_name_that_the_client_refuses_says_why(name: str, why: str) -> None:
    """By minio-go's own check (7.0.99, pkg/s3utils/utils.go: CheckValidBucketName)."""
    assert why in (s3_client.refused_name(name) or "")
    if name.isprintable():
        reading = judged("s3 static", {**MINIO, "bucketnames": name})
        assert said(reading.findings) == [("bad_bucket_name", "bucketnames", "error")]


@pytest.mark.parametrize(
    "name",
    [
        *("loki", "Loki_Logs", "a.b-c", "team-a:loki", "1234", "abc", "l" * 63, "192.168.1"),
        *("loki--logs", "loki-logs-s3alias", "1.2.3.4.5"),
    ],
)
def test_a_name_that_the_client_takes_is_sound(name: str) -> None:
    """A tenant's bucket at Ceph RGW, an access point's alias, an old name of AWS."""
    assert judged("s3 static", {**MINIO, "bucketnames": name}).findings == ()


CLIENTS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{1,61}[A-Za-z0-9]")
ADDRESS = re.compile(r"(\d+\.){3}\d+", re.ASCII)


@given(st.text(st.sampled_from("ab0.-_:/é "), max_size=8) | st.text(max_size=70))
def test_names_are_refused_exactly_where_the_client_refuses_them(name: str) -> None:
    """As its pattern and its pairs of signs have it."""
    taken = CLIENTS.fullmatch(name) is not None and ADDRESS.fullmatch(name) is None
    taken = taken and not any(pair in name for pair in ("..", ".-", "-."))
    assert (s3_client.refused_name(name) is None) == taken


def test_a_tenants_bucket_is_none_at_aws() -> None:
    """Only Ceph RGW parts a tenant from a bucket."""
    findings = judged("s3 static", {"bucketnames": "team-a:loki"}).findings
    assert said(findings) == [("bad_bucket_name", "bucketnames", "error")]
    assert "`:`" in findings[0].message


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://eu-storage.googleapis.com",
        "https://storage.us-east1.rep.googleapis.com",
        f"https://{'a' * 63}.{'b' * 63}.{'c' * 63}.{'d' * 63}.example",
    ],
)
def test_a_host_that_the_client_refuses(endpoint: str) -> None:
    """By minio-go's own check (7.0.99, utils.go: isValidEndpointURL)."""
    findings = judged("s3 static", {"endpoint": endpoint}).findings
    assert said(findings) == [("bad_endpoint", "endpoint", "error")]


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        ("https://min$io", "`$`"),
        ("https://-minio", "`-`"),
        ("https://minio_", "`_`"),
        ("https://min io", "white space"),
    ],
)
def test_a_host_that_is_none_names_the_character(endpoint: str, why: str) -> None:
    """One letter of it, never the rest."""
    (finding,) = judged("s3 static", {"endpoint": endpoint}).findings
    assert why in finding.message
    assert "min" not in finding.message


def test_plain_http_is_no_error_where_it_works() -> None:
    """In AWS's other domains the Loki Operator takes it, and S3 answers."""
    china = {"endpoint": "http://s3.cn-north-1.amazonaws.com.cn", "region": "cn-north-1"}
    assert said(judged("s3 static", china).findings) == [("bad_endpoint", "endpoint", "warning")]
    aws = {"endpoint": "http://s3.eu-west-1.amazonaws.com"}
    assert said(judged("s3 static", aws).findings) == [("bad_endpoint", "endpoint", "error")]
