# SPDX-License-Identifier: Apache-2.0
"""What keeps the keys of the tests' own stores out of the tests' output."""

from dataclasses import dataclass

import pytest

from parts.hidden import Hidden

ONE, TWO = ("AKONE", Hidden("secret-of-one")), ("AKONE", Hidden("secret-of-two"))


@dataclass
class Holder:
    pair: tuple[str, str]


def test_an_assertion_on_pairs_shows_no_secret() -> None:
    """That two differ is seen by their hashes; what they are is not."""
    for one, two in ((ONE, TWO), (Holder(ONE), Holder(TWO)), ([ONE], [TWO]), ({ONE}, {TWO})):
        with pytest.raises(AssertionError) as failure:
            assert one == two
        shown = str(failure.value)
        assert repr(ONE[1]) in shown
        assert repr(TWO[1]) in shown
        assert "secret-of" not in shown


def test_it_is_the_text_in_every_other_way() -> None:
    """It can be compared, signed with, and put into a command."""
    assert ONE[1] == "secret-of-one"
    assert f"--secret-key={ONE[1]}" == "--secret-key=secret-of-one"
    assert ONE[1].encode() == b"secret-of-one"
