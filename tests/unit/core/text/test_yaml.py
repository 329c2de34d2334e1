# SPDX-License-Identifier: Apache-2.0
"""The YAML writer: whatever is written reads back as itself."""

from types import MappingProxyType
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lokeys.core.stack.resource.model import Size
from lokeys.core.text.yaml import Block, commented, documents, to_yaml

_TRICKY = (
    *("yes", "No", "null", "~", "1e3", "0x1f", "1_000", "12:30", "2024-10-01", "=", "<<", ".inf"),
    *("- a", "a: b", "a #b", "|", ">", "${A}", "\ufeff", "a:b:", "a:", "---", "#"),
    *("a\n", "a\n\n", "\na", " a\nb", "a\n b\n", "a\tb\nc", "# c\nd: e", "a \nb"),
    *("a\u2028kind: Secret", "a\u2029b: c", "a\x85b: c", "\x1b[2J", "k" * 1100, "\x85" * 200),
)
_LETTERS = st.characters(exclude_categories=["Cs"])
TEXTS = st.text(_LETTERS, max_size=20) | st.sampled_from(_TRICKY)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(0, 1e9) | TEXTS
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)


def paths(value: Any, path: str = "") -> list[str]:
    """Return every path that a comment may name."""
    match value:
        case dict():
            below = [(f"{path}.{key}" if path else key, each) for key, each in value.items()]
            return [one for at, each in below for one in (at, *paths(each, at))]
        case list():
            return [one for each in value for one in paths(each, path)]
    return []


@settings(deadline=None)
@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_what_is_written_reads_back(value: dict[str, Any]) -> None:
    """Any JSON object survives, whatever its texts look like."""
    assert yaml.load(to_yaml(value), Loader=yaml.CSafeLoader) == value
    assert yaml.load(to_yaml(value), Loader=yaml.SafeLoader) == value


@settings(deadline=None)
@given(st.dictionaries(TEXTS, VALUES, max_size=4), st.data())
def test_a_comment_is_no_part_of_what_is_read(value: dict[str, Any], data: st.DataObject) -> None:
    """Whatever a comment holds, and over whatever field it stands."""
    notes = {path: data.draw(TEXTS) for path in paths(value)}
    text = commented(value, notes)
    assert yaml.load(text, Loader=yaml.CSafeLoader) == value
    assert yaml.load(text, Loader=yaml.SafeLoader) == value
    assert all(line.isprintable() for line in text.split("\n"))


def test_comments_stand_above_their_fields() -> None:
    """A comment is wrapped, indented as its field, and no part of the data."""
    manifest = {"spec": {"a": 1, "list": [{"b": 2}], "words": ["c", 3]}}
    text = commented(manifest, {"spec.a": "word " * 40, "spec.list": "below", "spec.list.b": "b"})
    assert yaml.safe_load(text) == manifest
    assert text.splitlines()[1].startswith("  # word")
    assert all(len(line) <= 100 for line in text.splitlines())
    assert "  # below\n  list:\n  - # b\n    b: 2\n  words: [c, 3]\n" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param("plain-1.2/x:y", "plain-1.2/x:y", id="a plain word needs no quotes"),
        pytest.param("1234", '"1234"', id="digits are quoted"),
        pytest.param("yes", '"yes"', id="what YAML takes for a truth value is quoted"),
        pytest.param("a:b:", '"a:b:"', id="a colon at the end is quoted"),
        pytest.param("", '""', id="nothing is quoted"),
        pytest.param("a\nb\n", "|\n  a\n  b", id="lines are a block"),
        pytest.param("a\n\n", r'"a\n\n"', id="lines that end in an empty one are quoted"),
        pytest.param(" a\nb", r'" a\nb"', id="lines that begin with a space are quoted"),
        pytest.param("a\u2028b\nc", r'"a\u2028b\nc"', id="what ends a line for some is quoted"),
        pytest.param(Block("${A}"), "|-\n  ${A}", id="a block stays a block on one line"),
        pytest.param(Size.DEMO, '"1x.demo"', id="the word of a list of words"),
        pytest.param({}, "{}", id="an empty object"),
        pytest.param((), "[]", id="an empty list"),
        pytest.param(None, "null", id="nothing at all"),
    ],
)
def test_a_value_is_written_as_people_write_it(value: Any, text: str) -> None:
    """Quotes only where they are needed."""
    assert to_yaml({"a": value}) == f"a: {text}\n"


def test_other_mappings_and_sequences_are_written_alike() -> None:
    """Whatever the core holds its data in."""
    value = {"a": MappingProxyType({"b": ("c", MappingProxyType({"d": 1}))})}
    assert to_yaml(value) == "a:\n  b:\n  - c\n  - d: 1\n"


def test_documents_are_set_apart() -> None:
    """Each object begins a document."""
    assert documents([{"a": 1}, {"b": [{"c": True, "d": [[1]]}, "e"]}]) == (
        "---\na: 1\n---\nb:\n- c: true\n  d:\n  - - 1\n- e\n"
    )
