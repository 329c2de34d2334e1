# SPDX-License-Identifier: Apache-2.0
"""Rows by a word of their phrases: a line is compared with the few rows that may fit, not with all.

A log full of errors is read as fast as a hundred causes' phrases can be looked up at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Generic, Protocol, TypeVar

_WORD = re.compile(r"[a-z]{3,40}")


class HasPhrases(Protocol):
    """A row that is found by one of some phrases, in lowercase."""

    @property
    def phrases(self) -> tuple[str, ...]:
        """Return them."""
        ...


Row = TypeVar("Row", bound=HasPhrases)


def words_of(text: str) -> frozenset[str]:
    """Return the words of a lowercase text by which rows are looked up."""
    return frozenset(_WORD.findall(text))


def anchor(phrase: str) -> str:
    """Return the word by which a phrase is found: its longest that is surely a whole one in a line.

    The first and the last may be parts of longer words (`sts:assumerole`), so they are taken only
    where there is no other.
    """
    found = [match[0] for match in _WORD.finditer(phrase)]
    return max(found[1:-1] or found, key=len)


class WordIndex(Generic[Row]):
    """Finds the rows of a table that may fit a line, in the order of the table."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = tuple(rows)
        self._by_word: dict[str, list[int]] = {}
        for number, row in enumerate(self._rows):
            for word in {anchor(phrase) for phrase in row.phrases}:
                self._by_word.setdefault(word, []).append(number)

    def candidates(self, words: frozenset[str]) -> Sequence[Row]:
        """Return the rows of which a phrase's word is among these."""
        numbers = {n for word in self._by_word.keys() & words for n in self._by_word[word]}
        return [self._rows[number] for number in sorted(numbers)]
