# SPDX-License-Identifier: Apache-2.0
"""Commands as words: quoted once, filled in without becoming anything else, or not shown."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lokeys.core.findings.finding import Remedy, Rule
from lokeys.core.text.shell import Command, Joint, Json, NoCommand, Output, Var, command
from pasting import PAYLOADS

PRINTABLE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=20).filter(
    str.isprintable
)


def words_of(line: str, folder: Path) -> list[str]:
    """Return what bash makes of a line: the words that its first program is given."""
    done = subprocess.run(
        ["bash", "-c", f"show() {{ printf '%s\\0' \"$@\"; }}; show {line}"],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.split("\0")[:-1]


@settings(max_examples=25, deadline=None)
@given(st.lists(PRINTABLE | st.sampled_from([p for p in PAYLOADS if p.isprintable()]), min_size=1))
def test_every_word_arrives_as_it_is(tmp_path_factory: Any, words: list[str]) -> None:
    """Whatever it holds, in one line and in several."""
    folder = tmp_path_factory.mktemp("typed")
    typed = Command(tuple(words))
    assert words_of(str(typed), folder) == words
    assert words_of(typed.lines, folder) == words
    assert not list(folder.iterdir())


def test_a_template_is_filled_word_by_word() -> None:
    """A value never makes two words, nor is it filled in again; JSON stays JSON."""
    template = command(
        "kubectl -n {namespace} patch secret {name} -p", Json.of({"data": {"{key}": ["{key}", 1]}})
    ).pipe("tee {name}")
    known = {"namespace": "a b", "name": "{namespace}", "key": "\"'\n{x}"}
    made = template.filled(known)
    assert made.argv[:6] == ("kubectl", "-n", "a b", "patch", "secret", "{namespace}")
    patch = made.argv[-1]
    assert isinstance(patch, Json)
    assert json.loads(patch.document) == {"data": {"\"'\n{x}": ["\"'\n{x}", 1]}}
    assert str(made).endswith(" | tee '{namespace}'")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param("a\nb", "cannot be printed", id="a new line"),
        pytest.param("a\x1b[2J", "cannot be printed", id="what a terminal obeys"),
        pytest.param("a\u2028b", "cannot be printed", id="a line of Unicode"),
        pytest.param("--token=x", "begins with a dash", id="an option"),
        pytest.param("a" * 5000, "too long", id="more than anybody reads"),
    ],
)
def test_a_sentence_stands_where_no_command_can_be(value: str, reason: str) -> None:
    """What is pasted is what was seen; the sentence does not repeat the word."""
    remedy = Remedy(text="mend {what}", command=command("kubectl get pod {name}"))
    rule = Rule(code="", title="", message="", meaning="", why="", remedy=(remedy,))
    (made,) = rule.at(None, what="it", name=value).remedy
    assert made.command is None
    assert made.text.startswith("mend it; no command is shown, as ")
    assert reason in made.text
    assert value not in made.text


def test_variables_and_outputs_are_one_word() -> None:
    """What a command found out is quoted, and what stands before it."""
    typed = Command(("a", Var("FOUND", "--key=x y"), Output("date +%s", "now=")))
    assert str(typed) == 'a \'--key=x y\'"$FOUND" now="$(date +%s)"'
    with pytest.raises(NoCommand):
        Command((Var("FOUND", "\n"),))


def test_what_stands_between_commands_is_no_word() -> None:
    """Pipe, and, then, and the file that is written to; a long command has one flag a line."""
    typed = command("a").followed(Joint.THEN, "b").followed(Joint.AND, "c").pipe("d")
    assert str(typed.followed(Joint.INTO, "e f").option("-x")) == "a -x; b && c | d > 'e f'"
    long = Command(("a", "--first", "x" * 50, "--second", "y" * 50)).pipe("b --c")
    assert long.lines.split(" \\\n  ") == [
        "a",
        f"--first {'x' * 50}",
        f"--second {'y' * 50}",
        "| b --c",
    ]
