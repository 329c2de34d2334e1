# SPDX-License-Identifier: Apache-2.0
"""Secret values that will not print, their fingerprints, and the flaws of their form."""

from __future__ import annotations

import copy
import json
import pickle
from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import FINGERPRINTER, a_key_pair, a_pair
from lokeys.core.sensitive import Fingerprinter, Flaw, KeyPair, Sensitive, short

VALUE = "wJalrXUtnFEMI-a-canary-secret"


def a_pair_of(key_id: bytes | str, secret: bytes | str) -> KeyPair:
    """Return a pair of these values."""
    return KeyPair(access_key_id=Sensitive(key_id), secret_access_key=Sensitive(secret))


@pytest.mark.parametrize(
    "shown",
    [str, repr, format, "{0}".format, lambda value: f"{value!r:>40}"],
    ids=["str", "repr", "format", "template", "padded"],
)
def test_a_secret_does_not_print(shown: object) -> None:
    """R10: no way of making text of it shows the value, alone or within a pair."""
    for value in (Sensitive(VALUE), a_pair_of(VALUE, VALUE)):
        assert VALUE not in shown(value)  # type: ignore[operator]


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps])
def test_a_secret_is_not_serialised(copied: object) -> None:
    """It leaves the process only through `reveal`."""
    with pytest.raises(TypeError):
        copied(Sensitive(VALUE))  # type: ignore[operator]


def test_a_secret_has_no_hash() -> None:
    """Nobody keeps secrets in sets: fingerprints are for that."""
    with pytest.raises(TypeError, match="fingerprints"):
        hash(Sensitive(VALUE))


def test_what_adapters_may_ask() -> None:
    """The value comes back as it was, text or bytes, and only an empty one is false."""
    assert Sensitive(VALUE).reveal() == VALUE.encode()
    assert Sensitive(VALUE).reveal_text() == VALUE
    assert Sensitive(b"\xff").reveal_text().encode(errors="surrogateescape") == b"\xff"
    assert f"{Sensitive(VALUE):>40}" == "<sensitive>"
    assert Sensitive(VALUE)
    assert not Sensitive("")


def test_equality_is_of_values() -> None:
    """Secrets and pairs are equal by value, and to nothing of another type."""
    assert Sensitive(VALUE) == Sensitive(VALUE.encode())
    assert Sensitive(VALUE) != VALUE
    assert a_key_pair("A") == a_key_pair("A")
    assert a_key_pair("A") != a_key_pair("A/B")
    assert a_key_pair("A") != "A"


@settings(deadline=None)
@given(one=st.tuples(st.binary(), st.binary()), other=st.tuples(st.binary(), st.binary()))
def test_fingerprints_are_equal_exactly_where_pairs_are(
    one: tuple[bytes, bytes], other: tuple[bytes, bytes]
) -> None:
    """Wherever the border between id and secret lies, two pairs are told apart."""
    facts = [FINGERPRINTER.describe(a_pair_of(*values)) for values in (one, other)]
    assert (facts[0].pair == facts[1].pair) == (one == other)
    assert (facts[0].key_id == facts[1].key_id) == (one[0] == other[0])


def test_a_fingerprint_says_whether_it_outlives_the_run() -> None:
    """`k:` of a kept key, `r:` of this run's, shown with six digits; never the same for both."""
    run = Fingerprinter(Sensitive("another key"), kept=False)
    assert short(a_pair("A").pair).startswith("k:")
    assert short(run.describe(a_key_pair("A")).pair).startswith("r:")
    assert len(short(a_pair("A").pair)) == len("k:") + 6
    assert FINGERPRINTER.key_name != run.key_name
    assert a_pair("A").pair[2:] != run.describe(a_key_pair("A")).pair[2:]


KEY_ID, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY12"
FLAWS = {
    "nothing is wrong": (KEY_ID, SECRET, set()),
    "both are empty": ("", "", {Flaw.ID_EMPTY, Flaw.SECRET_EMPTY}),
    "only blanks": (" \n", SECRET, {Flaw.ID_EMPTY}),
    "a newline at the end": (KEY_ID + "\n", SECRET, {Flaw.ID_TRAILING_NEWLINE}),
    "a line of Windows": (KEY_ID, SECRET + "\r\n", {Flaw.SECRET_TRAILING_NEWLINE}),
    "a zero-width space": (KEY_ID, SECRET + "\u200b", {Flaw.SECRET_INVISIBLE}),
    "a blank before it": (" " + KEY_ID, SECRET, {Flaw.ID_INVISIBLE}),
    "no text at all": (b"\xff\xfe", SECRET, {Flaw.ID_INVISIBLE}),
    "base64 of the id": (b64encode(KEY_ID.encode()), SECRET, {Flaw.ID_DOUBLE_BASE64}),
    "base64 of secret and newline": (
        KEY_ID,
        b64encode(SECRET.encode() + b"\n") + b"\n",
        {Flaw.SECRET_DOUBLE_BASE64, Flaw.SECRET_TRAILING_NEWLINE},
    ),
    "four characters a group, yet no base64": (KEY_ID, "-" * 40, set()),
    "short base64 may be an id": (b64encode(b"AKIA"), SECRET, set()),
}


@pytest.mark.parametrize(("key_id", "secret", "flaws"), FLAWS.values(), ids=FLAWS.keys())
def test_flaws_of_form(key_id: str, secret: str, flaws: set[Flaw]) -> None:
    """What is wrong with a value is seen without asking any store."""
    facts = FINGERPRINTER.describe(a_pair_of(key_id, secret))
    assert facts.flaws == flaws
    assert facts.blank == bool(flaws & {Flaw.ID_EMPTY, Flaw.SECRET_EMPTY})


def test_a_pair_without_blanks_is_what_a_bare_value_of_yaml_is() -> None:
    """Blanks inside, and all else, stay."""
    pair = KeyPair(access_key_id=Sensitive(" AK\n"), secret_access_key=Sensitive("a b\t\r\n"))
    bare = KeyPair(access_key_id=Sensitive("AK"), secret_access_key=Sensitive("a b"))

    assert pair.without_blanks() == bare
