# SPDX-License-Identifier: Apache-2.0
"""Line breaks and blanks at the end of a value: harmless where Loki's configuration drops them."""

import pytest

from unit.core.stack.storage.secrets import SOUND, judged

OWN = {"endpoint": "http://minio.store:9000", "region": "anything"}


def severities(what: str, key: str, ending: str, **changes: str) -> list[str]:
    """Return how bad it is that a value has that ending."""
    value = {**SOUND[what], **changes}[key]
    reading = judged(what, {**changes, key: value + ending}, mode=what.split()[1])
    found = [each for each in reading.findings if each.fault == "invisible_characters"]
    assert found == list(reading.findings)
    assert all(each.field == key for each in found)
    return [each.severity.value for each in found]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\n\n"])
@pytest.mark.parametrize(
    ("what", "keys"),
    [
        ("s3 static", "access_key_id access_key_secret bucketnames"),
        ("azure static", "account_name account_key container"),
        ("gcs static", "bucketname"),
        ("gcs token", "bucketname"),
        ("s3 token", "bucketnames"),
        ("swift static", "username password auth_url container_name user_id domain_name"),
        ("alibabacloud static", "access_key_id secret_access_key bucket endpoint"),
    ],
)
def test_a_line_break_that_the_configuration_drops_is_a_warning(
    what: str, keys: str, ending: str
) -> None:
    """It says that other readers may not drop it."""
    for key in keys.split():
        assert severities(what, key, ending) == ["warning"], key
    assert severities("s3 static", "region", ending, **OWN) == ["warning"]


@pytest.mark.parametrize(
    ("what", "keys"),
    [
        ("s3 static", "region endpoint"),
        ("s3 token", "region role_arn"),
        ("azure static", "environment"),
        ("azure token", "client_id tenant_id"),
        ("gcs token", "audience"),
    ],
)
def test_a_line_break_that_travels_is_an_error(what: str, keys: str) -> None:
    """Pods get the value as a variable, or the Loki Operator compares it with its line break."""
    for key in keys.split():
        assert severities(what, key, "\n") == ["error"], key


@pytest.mark.parametrize(
    ("what", "key", "ending", "expected"),
    [
        ("s3 static", "bucketnames", " ", "warning"),
        ("s3 static", "bucketnames", " \n", "warning"),
        ("s3 static", "access_key_id", " ", "error"),
        ("s3 static", "access_key_id", " \n", "error"),
        ("swift static", "container_name", "\t", "warning"),
        ("s3 static", "bucketnames", "\u00a0\n", "error"),
        ("s3 static", "access_key_secret", "\u200b\n", "error"),
    ],
)
def test_blanks_are_dropped_behind_plain_values_alone(
    what: str, key: str, ending: str, expected: str
) -> None:
    """A variable stands in a block, which keeps them; nothing drops what only looks like one."""
    assert severities(what, key, ending) == [expected]


def test_what_else_is_wrong_is_told_first() -> None:
    """A line break at the end hides nothing before it."""
    (finding,) = judged("s3 static", {"access_key_id": "AKIAIOS\u200bFODNN7EXAMPLE\n"}).findings
    assert finding.is_error
    assert "zero width space" in finding.message


def test_an_endpoint_that_is_none_frees_no_region() -> None:
    """Whether the store is AWS's cannot be known."""
    findings = judged("s3 static", {"endpoint": "minio", "region": "eu-west-1\n"}).findings
    assert {each.field: each.is_error for each in findings} == {"endpoint": True, "region": True}
