# SPDX-License-Identifier: Apache-2.0
"""Where a Loki writes, out of the many forms that its configuration takes."""

from base64 import b64encode
from typing import Any

import pytest
import yaml

from lokeys.core.route.discovery.model import Environment, LokiStorage
from lokeys.core.route.model import PairKeys
from lokeys.engine.discover.loki_config import storage_of, texts_of

S3 = {"endpoint": "rgw.storage.svc:80", "bucketnames": "loki", "insecure": True, "region": "r1"}
THERE = LokiStorage(bucket="loki", endpoint="http://rgw.storage.svc:80", region="r1")


def told(document: Any, **values: str) -> LokiStorage:
    """Return what a configuration says, with these variables set."""
    return storage_of([yaml.safe_dump(document)], Environment(values=values))


def s3(**fields: Any) -> LokiStorage:
    """Return what the section of the helm chart says, with changes."""
    return told({"common": {"storage": {"s3": S3 | fields}}})


@pytest.mark.parametrize(
    "path",
    [
        ("common", "storage", "s3"),
        ("storage_config", "aws"),
        ("storage_config", "s3"),
        ("object_store", "s3"),
        ("storage_config", "object_store", "s3"),
        ("common", "storage", "object_store", "s3"),
    ],
    ids=".".join,
)
def test_the_section_is_found_in_each_place(path: tuple[str, ...]) -> None:
    """Older and newer places of the S3 section are all read."""
    document: Any = S3
    for name in reversed(path):
        document = {name: document}
    assert told(document) == THERE


@pytest.mark.parametrize(
    ("fields", "endpoint"),
    [
        ({"endpoint": "https://s3.example.org/"}, "https://s3.example.org"),
        ({"endpoint": "s3.example.org", "insecure": False}, "https://s3.example.org"),
        ({"endpoint": "http://user:word@rgw:7480"}, "http://rgw:7480"),
        ({"endpoint": ""}, ""),
        ({"endpoint": "rgw:not-a-port"}, ""),
        ({"endpoint": "", "s3": "s3://key:word@rgw:80/loki"}, "http://rgw:80"),
        ({"endpoint": "", "s3": "s3://key:wo/r@d/+@rgw:80/loki"}, "http://rgw:80"),
        ({"endpoint": "", "s3": "s3://key:word@[::1/loki"}, ""),
        ({"endpoint": "[fd00::1]:8080"}, "http://[fd00::1]:8080"),
        ({"endpoint": "http://[fd00::1"}, ""),
    ],
    ids=[
        "a URL",
        "a host, secure",
        "a URL with a password in it",
        "nothing",
        "no port",
        "the older URL form",
        "the older URL form, its secret with all that secrets may hold",
        "the older URL form, broken",
        "an IPv6 address",
        "an IPv6 address, broken",
    ],
)
def test_the_endpoint_is_a_url_without_anything_secret(
    fields: dict[str, Any], endpoint: str
) -> None:
    """Scheme, host and port are taken; what else stands in a URL is not."""
    assert s3(**fields).endpoint == endpoint


def test_the_bucket_may_stand_in_the_url_or_in_a_list() -> None:
    """The first of several, or the path of the older URL."""
    assert s3(bucketnames="one, two").bucket == "one"
    assert s3(bucketnames=None, s3="s3://k:w@rgw/three").bucket == "three"
    assert s3(bucketnames=None, s3="s3://k:w/o@rd@rgw/three").bucket == "three"
    assert s3(bucketnames=None, bucket_name="four").bucket == "four"


def test_variables_are_filled_in_or_left_open() -> None:
    """`${A}` and `${A:default}` are expanded; what is not known is empty, not guessed."""
    document = {"common": {"storage": {"s3": {"bucketnames": "${B}", "endpoint": "${E:rgw:80}"}}}}
    assert told(document, B="loki").bucket == "loki"
    assert told(document).bucket == ""
    assert told(document).endpoint == "https://rgw:80"


def test_the_pairs_variables_are_taken_by_name() -> None:
    """The configuration says which variables hold the pair; a key in clear is passed over."""
    found = s3(access_key_id="${ID}", secret_access_key="${WORD}")
    assert found.variables == PairKeys(access_key_id="ID", secret_access_key="WORD")
    assert s3(access_key_id="AKIA", secret_access_key="canary").variables is None


@pytest.mark.parametrize("style", ["virtual-hosted", "false"])
def test_virtual_host_style_is_seen(style: str) -> None:
    """Both ways of saying it."""
    name = "bucket_lookup_type" if style != "false" else "s3forcepathstyle"
    assert s3(**{name: style}).path_style is False


@pytest.mark.parametrize(
    "text",
    ["", "just words", "a: [", "- 1", "common: 5", "x" * (2 << 20), "a: !!int ''"],
    ids=["nothing", "words", "cut off", "a list", "a number", "two megabytes", "a tag"],
)
def test_what_is_no_configuration_says_nothing(text: str) -> None:
    """Garbage is no error here: the blanks are marked instead."""
    assert storage_of([text], Environment()) == LokiStorage()


def test_files_are_read_out_of_secrets_and_config_maps() -> None:
    """A Secret's file is decoded; what is no YAML file, or no text, is passed over."""
    encoded = b64encode(b"a: 1").decode()
    assert texts_of({"kind": "ConfigMap", "data": {"c.yaml": "a: 1", "x": "y"}}) == ["a: 1"]
    assert texts_of({"kind": "Secret", "data": {"c.yml": encoded}}) == ["a: 1"]
    assert texts_of({"kind": "Secret", "data": {"c.yml": "!", "d.yml": "/w=="}}) == ["", ""]


@pytest.mark.parametrize(
    ("bucket", "values"),
    [("${a:" * 1000, {}), ("${A}", {"A": "x" * 3000})],
    ids=["a long value", "a long variable"],
)
def test_what_is_too_long_for_a_name_is_none(bucket: str, values: dict[str, str]) -> None:
    """Texts are bounded before anything in them is matched or filled in."""
    text = f"storage_config: {{aws: {{bucketnames: '{bucket}'}}}}"
    assert storage_of([text], Environment(values=values)).bucket == ""
