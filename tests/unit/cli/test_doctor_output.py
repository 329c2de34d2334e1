# SPDX-License-Identifier: Apache-2.0
"""The doctor's forms: for CI, for an issue tracker, and what differs since the look before."""

import asyncio
import dataclasses
import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.ports import World
from fakes.sessions import Desk
from lokeys.cli import live_doctor
from lokeys.cli.doctor_output import Diagnosed, show
from lokeys.cli.options import Options
from lokeys.cli.output import Printer
from lokeys.core.findings.finding import Finding
from lokeys.core.findings.rules import RULES
from lokeys.core.place import Ref

HOSTILE = "@everyone see #1 <img src=x> [here](http://evil.example) ``` \u202egnp\n````\n# big"


def outside_of_blocks(text: str) -> Iterator[str]:
    """Yield the lines that a Markdown reader would obey: those in no fenced block."""
    fence = ""
    for line in text.split("\n"):
        ticks = len(line) - len(line.lstrip("`"))
        if not fence and ticks >= 3:
            fence = line[:ticks]
        elif fence and line.rstrip() == line[:ticks] and ticks >= len(fence):
            fence = ""
        elif not fence:
            yield line
    assert not fence, "a block is not closed"


def written(output: str, *findings: Finding) -> str:
    """Return what is printed of some findings."""
    desk = Desk(World())
    printer = Printer(environ={}, out=desk.out, err=desk.err)
    show(printer, Options(output=output), Diagnosed(document={"x": 1}, findings=findings))
    return desk.printed


def finding(text: str) -> Finding:
    """Return a finding in which somebody else's words stand wherever they may."""
    found = RULES["LK1005"].at(Ref("Secret", text, text), detail=text, evidence=[text])
    return dataclasses.replace(found, title=text, message=text)


@given(st.one_of(st.text(), st.just(HOSTILE), st.text("`~ \n@#<a")))
def test_no_words_of_others_are_obeyed_in_an_issue(text: str) -> None:
    """They stand in blocks that they cannot end: no person is called, no link is made."""
    told = list(outside_of_blocks(written("markdown", finding(text))))
    assert [line for line in told if line] == [
        "### lokeys doctor",
        f"#### 1. {RULES['LK1005'].severity.value} LK1005, certain",
        told[-2],
    ]
    assert told[-2].startswith("lokeys ")


def test_a_command_is_there_to_be_copied() -> None:
    """In a block of its own, as it is."""
    rule = RULES["LK0401"]
    found = rule.at(Ref("OnePasswordItem", "loki", "homelab"), route="monitoring/loki")
    text = written("markdown", found)
    commands = [str(each.command) for each in found.remedy if each.command]
    assert commands
    assert all(f"\n{command}\n" in text for command in commands)


@pytest.mark.parametrize("output", ["sarif", "junit"])
def test_ci_reads_a_diagnosis(output: str) -> None:
    """Each finding is there once, with its code."""
    desk = Desk(stale())
    code = asyncio.run(live_doctor.examine(desk.session(output=output), live_doctor.Asked()))
    assert code == 3
    if output == "sarif":
        results = json.loads(desk.printed)["runs"][0]["results"]
        codes = [each["ruleId"] for each in results]
    else:
        cases = ET.fromstring(desk.printed).iter("testcase")
        codes = [str(case.get("name")).split()[0] for case in cases]
    assert codes[0] == "LK0401"


def stale() -> World:
    """Return a world whose source's key was replaced."""
    world = World()
    world.rotate_source()
    return world


class Over(Exception):
    """The person has seen enough."""


def test_a_watch_says_what_is_new_and_what_is_gone() -> None:
    """First all; then nothing as long as nothing differs; then the change alone."""
    world = World()
    desk = Desk(world)
    looks: list[str] = []

    async def next_look(_: float) -> None:
        looks.append(desk.printed)
        if len(looks) == 2:
            world.rotate_source()
        if len(looks) == 3:
            world.item = world.source
            world.secret = world.source
        if len(looks) == 4:
            raise Over

    session = dataclasses.replace(desk.session(), sleep=next_look)
    with pytest.raises(Over):
        asyncio.run(live_doctor.watch(session, live_doctor.Asked()))
    first, second, third, fourth = looks
    assert "nothing to report" in first
    assert second == first
    assert "vault" in third[len(second) :]
    assert "gone: LK0401" in fourth[len(third) :]
