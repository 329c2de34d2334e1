# SPDX-License-Identifier: Apache-2.0
"""A Secret's data out of its manifest, however it is written."""

from base64 import b64encode
from typing import Any

import pytest

from lokeys.core.stack.storage.secret_data import secret_data
from unit.core.stack.storage.secrets import SECRET, STACK, from_external_secret


def test_string_data_wins() -> None:
    """As at the API server; line breaks in base64 are no fault."""
    manifest = {"data": {"a": "eA==\n", "b": "!"}, "stringData": {"b": "y"}}
    decoded = secret_data(manifest, ref=SECRET, stack=STACK)
    assert decoded.data.text("a") == "x"
    assert decoded.data.text("b") == "y"
    assert [finding.fault for finding in decoded.findings] == ["bad_base64"]


@pytest.mark.parametrize("value", [1, True, 1.5, [], {}])
def test_a_value_of_another_type_is_named(value: object) -> None:
    """Null is no value; all else that is no text is told, and not missed again."""
    manifest = {"stringData": {"a": value, "b": None}}
    decoded = secret_data(manifest, ref=SECRET, stack=STACK)
    assert [(f.fault, f.field) for f in decoded.findings] == [("bad_type", "stringData.a")]
    assert decoded.data.has("a")
    assert not decoded.data.has("b")


@pytest.mark.parametrize("value", [1, "text", [], True])
def test_data_of_another_type_is_named(value: object) -> None:
    """`data` is a mapping."""
    decoded = secret_data({"data": value}, ref=SECRET, stack=STACK)
    assert [(f.fault, f.field) for f in decoded.findings] == [("bad_type", "data")]


@pytest.mark.parametrize("value", ["ä", "===", "eA", "\ud800"])
def test_what_is_no_base64_is_named(value: str) -> None:
    """Whatever letters stand in it."""
    decoded = secret_data({"data": {"a": value}}, ref=SECRET, stack=STACK)
    assert [finding.fault for finding in decoded.findings] == ["bad_base64"]


AZURES = b64encode(bytes(range(64))).decode()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("access_key_id", "AKIAQWERTYUIOPASDFGH"),
        ("access_key_secret", "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"),
        ("access_key_id", "K3Vt8QxYw2LmPa7RcZ5d"),
        ("secret_access_key", "9fT2bYw0qLm3VxKc7Rz5Ud8PnGh1JsEa4QoXiBtN"),
        ("account_key", AZURES),
        ("bucketnames", "lokilogs"),
        ("forcepathstyle", "true"),
    ],
)
def test_plain_text_under_data_is_told_by_its_shape(key: str, value: str) -> None:
    """It is valid base64, of what is no text; encoded it is sound, and under stringData, too."""
    (finding,) = secret_data({"data": {key: value}}, ref=SECRET, stack=STACK).findings
    assert finding.fault == "bad_base64"
    assert "plain text" in finding.message
    assert "stringData" in finding.remedy[0].text
    assert value not in repr(finding)
    encoded = b64encode(value.encode()).decode()
    for manifest in ({"data": {key: encoded}}, {"stringData": {key: value}}):
        assert not secret_data(manifest, ref=SECRET, stack=STACK).findings


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("access_key_id", b64encode("K3Vt8Q\u200bxYw2".encode()).decode()),
        ("username", b64encode("Jürgen".encode()).decode()),
        ("region", b64encode("eu-west-1".encode("utf-16")).decode()),
        ("key.json", b64encode(b"\xff{}").decode()),
        ("username", b64encode("Jürgens".encode("latin-1") + b"12").decode()),
        ("a-key-of-their-own", b64encode(bytes(range(240, 252))).decode()),
        ("environment", b64encode(b"\xff").decode()),
    ],
)
def test_other_values_are_not_taken_for_plain_text(key: str, value: str) -> None:
    """Text with a mark in it, text of another encoding, a file, a key that no store reads."""
    assert not secret_data({"data": {key: value}}, ref=SECRET, stack=STACK).findings


def test_a_number_under_data_belongs_elsewhere() -> None:
    """In quotes it would still be no base64."""
    (finding,) = secret_data({"data": {"region": 1}}, ref=SECRET, stack=STACK).findings
    assert finding.remedy[0].text.endswith("under `stringData` instead")
    (finding,) = secret_data({"stringData": {"region": 1}}, ref=SECRET, stack=STACK).findings
    assert "quotes" in finding.remedy[0].text


def test_a_lone_surrogate_is_taken_as_bytes() -> None:
    """JSON can say what UTF-8 cannot."""
    decoded = secret_data({"stringData": {"a": "\ud800"}}, ref=SECRET, stack=STACK)
    assert decoded.data.raw("a") == b"\xed\xa0\x80"


@pytest.mark.parametrize(
    ("spec", "keys", "complete"),
    [
        ({"data": [{"secretKey": "a"}, {"secretKey": 1}, 7]}, {"a"}, True),
        ({"data": "x", "dataFrom": [{}]}, set(), False),
        ({"target": {"template": {"data": {"b": "{{ .a }}"}}}, "data": []}, {"b"}, True),
        ({"target": {"template": {"data": {"b": ""}}}, "dataFrom": [{}]}, {"b"}, True),
        (
            {
                "target": {"template": {"data": {"b": ""}, "mergePolicy": "Merge"}},
                "data": [{"secretKey": "a"}],
            },
            {"a", "b"},
            True,
        ),
        ({"target": {"template": {"templateFrom": [{}]}}}, set(), False),
        (7, set(), True),
    ],
    ids=[
        "listed keys",
        "all of an item",
        "a template replaces",
        "a template hides what it is made of",
        "a template that merges",
        "a template from elsewhere",
        "no spec",
    ],
)
def test_an_external_secret_tells_its_keys(spec: object, keys: set[str], complete: bool) -> None:
    """By its list and its template; and whether there will be more."""
    data = from_external_secret(spec)
    assert (data.keys, data.complete) == (frozenset(keys), complete)


def test_a_literal_of_a_template_is_known() -> None:
    """What a store has is not; and what a file of Google's says is known whole, or not at all."""
    texts = {"endpoint": "host:80", "secret": "{{ .a }}", "region": "{{/* none */}}eu"}
    spec: Any = {"data": [{"secretKey": "a"}], "target": {"template": {"data": texts}}}
    data = from_external_secret(spec)
    assert (data.text("endpoint"), data.text("region")) == ("host:80", "eu")
    assert data.spoilt == {"secret"}
    texts["key.json"] = "{{ .a }}"
    assert from_external_secret(spec).values is None


def test_a_credentials_file_is_taken_from_a_file() -> None:
    """Nobody types JSON; and no command line holds it."""
    decoded = secret_data({"data": {"key.json": "{}"}}, ref=SECRET, stack=STACK)
    manifest, live = decoded.findings[0].remedy
    assert "`stringData`" in manifest.text
    assert "--from-file=key.json=key.json" in str(live.command)
