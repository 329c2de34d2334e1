# SPDX-License-Identifier: Apache-2.0
"""Tokens: equal values have equal ones, what is wrong with a value's form can still be seen."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokeys.adapters.bundles.tokens import Tokens
from lokeys.core.sensitive import Fingerprinter, KeyPair, Sensitive

NAMES = Fingerprinter(Sensitive(b"0" * 32), kept=True)
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
VALUES = st.text(min_size=1, max_size=80)


def flaws(value: str) -> object:
    """Return what can be seen of a value's form."""
    return NAMES.describe(
        KeyPair(access_key_id=Sensitive("id"), secret_access_key=Sensitive(value))
    ).flaws


@given(VALUES, VALUES)
def test_tokens_are_equal_where_values_are(one: str, other: str) -> None:
    """And differ where those differ, also with blanks around."""
    tokens = Tokens()
    assert (tokens.of(one) == tokens.of(other)) == (one == other)
    assert tokens.of(one).strip(" \t\r\n") == tokens.of(one.strip(" \t\r\n"))
    assert tokens.of(tokens.of(one)) == tokens.of(one)


@given(st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S")), min_size=8))
def test_nothing_of_a_value_is_in_its_token(value: str) -> None:
    """Not its beginning, not its end, and with another key it is another token."""
    token = Tokens().of(value)
    assert value not in token
    assert token != Tokens().of(value)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(f"{SECRET}\n", id="a newline at its end"),
        pytest.param(f"  {SECRET}", id="blanks before it"),
        pytest.param(f"{SECRET[:9]}\u200b{SECRET[9:]}", id="an invisible character inside"),
        pytest.param(f"{SECRET}\u00a0", id="a blank of another kind at its end"),
        pytest.param("geheim-mit-\u00fcmlaut", id="a letter that is not ASCII"),
        pytest.param(b64encode(SECRET.encode()).decode(), id="base64 of a key"),
        pytest.param(b64encode(f"{SECRET}\n".encode()).decode(), id="base64 of a line"),
        pytest.param(SECRET, id="nothing wrong"),
        pytest.param(" \n", id="blanks alone"),
    ],
)
def test_what_is_wrong_with_a_value_is_wrong_with_its_token(value: str) -> None:
    """So a diagnosis of tokens says what one of the values said."""
    assert flaws(Tokens().of(value)) == flaws(value)


def test_the_form_of_a_key_id_of_aws_is_kept() -> None:
    """It says whose key it is: four letters of it."""
    token = Tokens().of("AKIAIOSFODNN7EXAMPLE")
    assert (token[:4], len(token)) == ("AKIA", 20)
    assert token != "AKIAIOSFODNN7EXAMPLE"


def test_length_and_blanks_are_told_apart() -> None:
    """What a person would ask of the value is a fact about its token."""
    tokens = Tokens()
    token = tokens.of(f"{SECRET}\n")
    assert tokens.facts[token] == {
        "length": 41,
        "endsInNewline": True,
        "blanksAround": True,
        "invisibleCharacters": 0,
        "nonAscii": False,
    }
