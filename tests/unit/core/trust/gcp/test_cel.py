# SPDX-License-Identifier: Apache-2.0
"""Google's attribute conditions: true, false, or more than is read here."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokeys.core.trust.gcp.cel import holds

CLAIMS: dict[str, str | tuple[str, ...]] = {
    "assertion.sub": "system:serviceaccount:ns:stack",
    "google.subject": "system:serviceaccount:ns:stack",
    "assertion.aud": ("loki",),
    "assertion.kubernetes.io.namespace": "ns",
}
TABLE: dict[str, bool | None] = {
    "true": True,
    "false": False,
    "assertion.sub == 'system:serviceaccount:ns:stack'": True,
    "'system:serviceaccount:ns:stack' == assertion.sub": True,
    "assertion.sub != 'x'": True,
    "assertion.sub != assertion.unknown": None,
    'google.subject == "x"': False,
    "assertion.sub in ['x', 'system:serviceaccount:ns:stack']": True,
    "assertion.sub in ['x',]": False,
    "assertion.sub in []": False,
    "'loki' in assertion.aud": True,
    "'loki' in assertion.sub": None,
    "assertion.sub.startsWith('system:serviceaccount:ns:')": True,
    "assertion.sub.endsWith('-ruler')": False,
    "assertion.sub.contains(':ns:')": True,
    "assertion.sub.matches('x')": None,
    "assertion.sub.startsWith(assertion.sub)": None,
    "assertion.unknown.startsWith('x')": None,
    "assertion['sub'].startsWith('system:')": True,
    "assertion['kubernetes.io']['namespace'] == 'ns'": True,
    "assertion.unknown == 'x'": None,
    "!(assertion.sub == 'x')": True,
    "!assertion.unknown": None,
    "true && assertion.sub == 'x'": False,
    "true && true": True,
    "true && assertion.unknown == 'x'": None,
    "false && assertion.unknown == 'x'": False,
    "false || true": True,
    "false || false": False,
    "false || assertion.unknown == 'x'": None,
    "true || assertion.unknown == 'x'": True,
    "assertion.sub": None,
    "'x'": None,
    "": None,
    "size(assertion.sub) > 3": None,
    "assertion.sub == 'x' ? true : false": None,
    "(true": None,
    "true true": None,
    "['x' 'y']": None,
    "[assertion.sub]": None,
    "== 'x'": None,
    "assertion.sub ==": None,
    "assertion.sub == 'a\\'b'": None,
    "assertion['sub'": None,
    "assertion.sub.startsWith('x'": None,
    "!" * 3 + "true": False,
    "(" * 40 + "true" + ")" * 40: None,
    "true " * 1000: None,
}


@pytest.mark.parametrize(("condition", "expected"), TABLE.items())
def test_a_condition_is_met_or_not_or_not_read(condition: str, expected: bool | None) -> None:
    """What is not known or not read is neither true nor false."""
    assert holds(condition, CLAIMS) is expected


@given(st.text("assertion.sub()[]'!&|=, in", max_size=40))
def test_no_text_breaks_the_reader(text: str) -> None:
    """Any text has one of the three answers."""
    assert holds(text, CLAIMS) in (True, False, None)
