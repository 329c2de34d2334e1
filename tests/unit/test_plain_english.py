# SPDX-License-Identifier: Apache-2.0
"""Every text that a person reads is plain English: no turn of phrase of the list is in one."""

from __future__ import annotations

from pathlib import Path

import pytest

from plain_english import LATER, ROOT, TURNS, files, is_later, refused

EVERY = list(files())


@pytest.mark.parametrize("top", sorted({path.relative_to(ROOT).parts[0] for path in EVERY}))
def test_no_text_has_a_turn_that_makes_a_reader_stop(top: str) -> None:
    """Titles, messages, remedies, help texts, docstrings, comments and pages use plain words."""
    of_it = [path for path in EVERY if path.relative_to(ROOT).parts[0] == top]
    found = [str(each) for path in of_it if not is_later(path) for each in refused(path)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("room", LATER)
def test_a_room_that_is_rewritten_leaves_the_list(room: str) -> None:
    """The list of rooms to rewrite gets shorter: one that has nothing left to refuse goes."""
    assert any(refused(path) for path in EVERY if str(path.relative_to(ROOT)).startswith(room)), (
        f"take {room} out of LATER"
    )


def test_each_turn_is_refused_in_strings_docstrings_comments_and_pages(tmp_path: Path) -> None:
    """The check can fail, wherever a text stands; code in a page is not a text."""
    page, source = tmp_path / "page.md", tmp_path / "source.py"
    page.write_text("It is told.\n\n```sh\nmend told\n```\n\n| a | `told` | anew |\n")
    source.write_text('"""Mend it."""\nX = "a line a hop"  # in clear\nF(says=("told",))\n')
    assert [(each.line, each.turn) for each in refused(page)] == [(1, "told"), (7, "anew")]
    assert [(each.line, each.turn) for each in refused(source)] == [
        (1, "Mend"),
        (2, "a line a hop"),
        (2, "in clear"),
    ]


def test_each_turn_has_something_better() -> None:
    """The message of a failure says what to write."""
    assert all(instead for _, instead in TURNS)
