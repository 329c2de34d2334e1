# SPDX-License-Identifier: Apache-2.0
"""A Secret's data out of its manifest, however it is written."""

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
