# SPDX-License-Identifier: Apache-2.0
"""The recording in the README: how it is made, and that it shows the demo as it is."""

import re
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import recording
from lokeys.demo import story
from recording import Line, picture, record

ROOT = Path(__file__).parents[3]
FILE = ROOT / "docs/images/demo.svg"
SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    return ["".join(each.itertext()) for each in ET.fromstring(svg).iter(f"{SVG}text")]


def test_lines_are_shown_as_the_terminal_got_them() -> None:
    """Codes become styles, and what XML would take for itself is escaped."""
    made = picture([Line(0, "\x1b[1;31ma < b\x1b[0m & c"), Line(1, "")])
    assert texts(made) == ["a < b & c"]
    assert '<tspan class="b c31">a &lt; b</tspan> &amp; c' in made


def test_a_long_pause_is_shortened() -> None:
    """Whoever watches need not wait as long as the demo did."""
    made = picture([Line(0, "a"), Line(100, "b")])
    whole_s = recording.LONGEST_PAUSE_S + recording.LAST_PAUSE_S
    assert f"animation:play {whole_s}s" in made


def test_a_program_is_recorded_in_a_terminal() -> None:
    """It is one to the program, and its lines come whole."""
    code = "import os, sys; print(sys.stdout.isatty(), os.get_terminal_size().columns); print('b')"
    said = [line.text for line in record([sys.executable, "-c", code])]
    assert said[1:] == ["True 100", "b"]


def test_the_readme_shows_the_demo_as_it_is() -> None:
    """Every scene of the story is in the picture: if one is missing, run `make recording`."""
    scenes = re.findall(r'record\.act\(\s*"([^"]+)"', Path(story.__file__).read_text())
    shown = "\n".join(texts(FILE.read_text()))
    assert len(scenes) >= 4
    assert [scene for scene in scenes if scene not in shown] == []
    assert "docs/images/demo.svg" in (ROOT / "README.md").read_text()
