# SPDX-License-Identifier: Apache-2.0
"""A selector of streams with which Loki would not start is told before it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokeys.core.stack.resource.selectors import MAX_CHARACTERS, is_selector
from lokeys.core.text.go_regex import MAX_DEPTH, NotCompiled, matches_empty
from manifests.selectors import REFUSED, TAKEN


@pytest.mark.parametrize("selector", TAKEN)
def test_a_selector_is_taken(selector: str) -> None:
    """As the real Loki takes it."""
    assert is_selector(selector)


@pytest.mark.parametrize("selector", REFUSED)
def test_a_selector_is_refused(selector: str) -> None:
    """Where it is none, its expression is none, or it fits streams without the label."""
    assert not is_selector(selector)


def test_what_is_too_long_or_too_deep_is_refused() -> None:
    """Before anything takes long."""
    assert not is_selector('{app="' + "a" * MAX_CHARACTERS + '"}')
    assert matches_empty("(" * (MAX_DEPTH - 1) + ")" * (MAX_DEPTH - 1))
    with pytest.raises(NotCompiled):
        matches_empty("(" * MAX_DEPTH + ")" * MAX_DEPTH)


signs = st.text("ab\\|*+?()[]{}^$.,-:dDpPQEzB0189x<>iéu=\"`'!~ \n", max_size=40)


@given(signs)
def test_any_text_is_judged(text: str) -> None:
    """Whatever somebody writes, the answer is yes or no."""
    assert is_selector(text) in (True, False)
    assert is_selector(f"{{a=~`{text}`}}") in (True, False)
