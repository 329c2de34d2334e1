# SPDX-License-Identifier: Apache-2.0
"""Foreign text as it may be shown."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lokeys.core.text.words import (
    apart,
    character,
    escaped,
    form,
    found,
    object_name,
    one_line,
    printable,
    shown,
)

OBEYED = "\x1b\x07\x00\x7f\x85\x9b\u00ad\u200b\u202e\u2028\u2029\u2066\ufeff\ud800"
"""What a terminal obeys, what ends a line or a comment somewhere, what turns text around."""


@given(st.text(st.characters() | st.sampled_from(OBEYED)))
def test_what_may_be_shown_is_printable(text: str) -> None:
    """Whatever somebody else wrote: letter for letter, with a mark where one is left out."""
    for said in (printable(text), shown(text), object_name(text), one_line(text), escaped(text)):
        assert said.isprintable()
    assert len(printable(text)) == len(text)
    assert "\n" not in one_line(text)


@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(OBEYED[:-1])))
def test_escaped_text_reads_back(text: str) -> None:
    """Between double quotes it is the same text."""
    assert yaml.safe_load(f'"{escaped(text)}"') == text


def test_half_a_character_becomes_the_mark_for_none() -> None:
    """It cannot be written to any file."""
    assert escaped("a\ud800") == "a\\uFFFD"


@pytest.mark.parametrize(
    ("value", "without", "with_a_piece"),
    [
        pytest.param(None, "nothing", "null", id="nothing"),
        pytest.param(True, "true or false", "true", id="a truth value"),
        pytest.param(3, "a number", "the number 3", id="a number"),
        pytest.param(10**30, "a number", "a huge number", id="a huge number"),
        pytest.param("", "an empty text", "``", id="an empty text"),
        pytest.param("a", "a text of 1 character", "`a`", id="one letter"),
        pytest.param("a\x1b", "a text of 2 characters", "`a?`", id="text"),
        pytest.param("a" * 70, "a text of 70 characters", f"`{'a' * 63}…`", id="long text"),
        pytest.param({"a": 1}, "an object", "an object", id="an object"),
        pytest.param([], "a list", "an empty list", id="an empty list"),
        pytest.param([1], "a list", "a list", id="a list"),
        pytest.param(b"", *["something that JSON has no word for"] * 2, id="no JSON"),
    ],
)
def test_a_value_is_told_by_its_form(value: object, without: str, with_a_piece: str) -> None:
    """Without the value where it may be a secret; else with a short piece of it."""
    assert (form(value), found(value)) == (without, with_a_piece)


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ("https://a", "https://a/", ("`https://a`", "`https://a/`")),
        (f"https://{'a' * 70}/", f"https://{'a' * 70}", ("aaa/`", "aaa`")),
        (f"{'x' * 80}1{'y' * 80}", f"{'x' * 80}2{'y' * 80}", ("x1y", "x2y")),
    ],
)
def test_texts_are_shown_where_they_differ(one: str, other: str, said: tuple[str, str]) -> None:
    """Short ones whole, long ones around the place, marked where something is left out."""
    shown_apart = apart(one, other)
    for piece, word in zip(shown_apart, said, strict=True):
        assert word in piece
        assert len(piece) < 70
    assert shown_apart[0] != shown_apart[1]


@pytest.mark.parametrize(
    ("letter", "said"),
    [("/", "`/`"), (" ", "white space"), ("\n", "white space"), ("\u200b", "cannot be printed")],
)
def test_a_character_has_a_name(letter: str, said: str) -> None:
    """One that nobody sees is described."""
    assert said in character(letter)
