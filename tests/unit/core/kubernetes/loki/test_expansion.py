# SPDX-License-Identifier: Apache-2.0
"""What `-config.expand-env` makes of a text. The rows were run through envsubst v1.0.3 itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokeys.core.kubernetes.loki.environment import ContainerEnvironment, Setting
from lokeys.core.kubernetes.loki.expansion import NotExpandable, expanded
from lokeys.core.kubernetes.loki.marks import Marks

SET = {"A": "one", "B2": "two", "EMPTY": "", "LINE": "key\n"}
ENVIRONMENT = ContainerEnvironment(settings={n: Setting(name=n, value=v) for n, v in SET.items()})


def result(text: str) -> str | None:
    """Return a text expanded, its marks filled in; None where it is not followed."""
    marks = Marks()
    found = expanded(text, ENVIRONMENT, marks)
    return None if found is None else marks.filled(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a: b", "a: b", id="nothing to expand"),
        pytest.param("${A}-${B2}", "one-two", id="variables"),
        pytest.param("x${GONE}y", "xy", id="one that is not set is empty"),
        pytest.param("$A $(A) %A%", "$A $(A) %A%", id="other spellings are left"),
        pytest.param("$${A} $$ $", "${A} $ $", id="a doubled dollar sign escapes"),
        pytest.param("$$${A}", "$one", id="three of them escape once"),
        pytest.param(r"\\ \/ \n", r"\ / \n", id="so does a backslash before two characters"),
        pytest.param("${GONE:-a/b:c}", "a/b:c", id="a default"),
        pytest.param("${EMPTY:=d} ${EMPTY=d} ${EMPTY:?d}", "d d d", id="its other spellings"),
        pytest.param("${A:-d} ${A:+d} ${A=d}", "one one one", id="a default that is not needed"),
        pytest.param("${GONE:-}", "", id="an empty default"),
        pytest.param("${GONE:-${A}}", "one", id="a variable for a default"),
        pytest.param("${GONE:-x${B2}y$z}", "xtwoy$z", id="text and variables for a default"),
        pytest.param("${GONE:-a${A^^}}", None, id="a default with a function"),
        pytest.param("${A:1}", None, id="part of a value"),
        pytest.param("${A^} ", None, id="capitals"),
        pytest.param("${A,,}", None, id="small letters"),
        pytest.param("${A/o/x}", None, id="a replacement"),
        pytest.param("${A#o}", None, id="no beginning"),
        pytest.param("${A%e}", None, id="no end"),
        pytest.param("${#A}", None, id="a length"),
        pytest.param("${GONE:word}", None, id="a default of older Lokis, which is a function now"),
        pytest.param("${A:-" * 10 + "}" * 10, None, id="defaults within defaults"),
        pytest.param("${A}" * 10_001, None, id="more than is followed"),
    ],
)
def test_a_text_is_expanded_as_loki_does_it(text: str, expected: str | None) -> None:
    """Functions are known to have a value, which is not followed."""
    assert result(text) == expected


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("a\nb: ${MY-KEY}", "${MY-…", id="a dash in the name"),
        pytest.param("\n${my.key}", "${my.…", id="a dot in the name"),
        pytest.param("\n${A-canary}", "${A-…", id="a default without a colon"),
        pytest.param("\n${}", "${…", id="no name"),
        pytest.param("\n${ A }", "${ …", id="a blank"),
        pytest.param("\n${A", "${A…", id="no end"),
        pytest.param("\n${A:-canary", "${A…", id="no end of a default"),
        pytest.param("\n# ${.Values}", "${.…", id="a comment"),
        pytest.param("\n${#}", "${#…", id="a length of nothing"),
    ],
)
def test_what_loki_cannot_read_is_told_by_its_line(text: str, shown: str) -> None:
    """It ends at start. A default may be a key, so nothing of it is shown."""
    with pytest.raises(NotExpandable) as caught:
        result(text)

    assert (caught.value.expression, caught.value.line) == (shown, 2)


def test_blanks_at_the_ends_of_a_value_stay_around_its_mark() -> None:
    """So YAML does to them what it does in Loki; the value itself is no part of the text."""
    marks = Marks()
    found = expanded("a: ${LINE}|${EMPTY}|", ENVIRONMENT, marks)

    assert found is not None
    assert "key" not in found
    assert found.count("\n") == 1
    assert marks.filled(found) == "a: key\n||"


@given(st.text(alphabet="${}:-=AB \\/^\ue000\ue0010", max_size=40))
def test_any_text_is_expanded_or_refused(text: str) -> None:
    """Nobody's text raises anything else, and none makes a mark of its own."""
    marks = Marks()
    try:
        found = expanded(text, ENVIRONMENT, marks)
    except NotExpandable:
        return
    assert found is None or len(marks.within(found)) <= len(marks.placed)
