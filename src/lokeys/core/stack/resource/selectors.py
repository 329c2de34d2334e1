# SPDX-License-Identifier: Apache-2.0
"""Stream selectors, as Loki parses them: it does not start with one that it refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lokeys.core.text.go_regex import NotCompiled, matches_empty

MAX_CHARACTERS = 16_384
# No two runs of white space are adjacent: the pattern would try every way to divide them.
_WIDE = r"u[0-9A-Fa-f]{4}|U00(?:0[0-9A-Fa-f]|10)[0-9A-Fa-f]{4}"
_ESCAPE = rf'\\(?:[abfnrtv\\"]|x[0-9A-Fa-f]{{2}}|[0-3][0-7]{{2}}|{_WIDE})'
_VALUE = rf'"(?:[^"\\\n]|{_ESCAPE})*"|`[^`]*`'
_MATCHER = rf"[A-Za-z_]\w*\s*(?:=~|!~|!?=)\s*(?:{_VALUE})"
_SELECTOR = re.compile(rf"\s*\{{\s*{_MATCHER}(?:\s*,\s*{_MATCHER})*\s*\}}\s*", re.ASCII)
_EACH = re.compile(rf"(=~|!~|!?=)\s*({_VALUE})", re.ASCII)
_ESCAPED = re.compile(_ESCAPE)
_LETTERS = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92, '"': 34}


def is_selector(text: str) -> bool:
    """Tell whether Loki accepts a selector of streams with their own retention.

    At least one matcher must require a label: a selector that also matches a missing label matches
    any stream, and Loki refuses to search all of them.
    """
    if len(text) > MAX_CHARACTERS or not _SELECTOR.fullmatch(text):
        return False
    try:
        return not all([*_fit_missing(text)])
    except NotCompiled:
        return False


def _fit_missing(text: str) -> Iterator[bool]:
    """Yield for each matcher whether it matches a missing label. Raises NotCompiled."""
    for found in _EACH.finditer(text):
        operator, value = found[1], _unquoted(found[2])
        empty = matches_empty(value) if "~" in operator else not value
        yield empty is not operator.startswith("!")


def _unquoted(value: str) -> str:
    inner = value[1:-1]
    return inner if value[0] == "`" else _ESCAPED.sub(_character, inner)


def _character(found: re.Match[str]) -> str:
    word = found[0][1:]
    if word in _LETTERS:
        return chr(_LETTERS[word])
    return chr(int(word[1:], 16) if word[0] in "xuU" else int(word, 8))
