# SPDX-License-Identifier: Apache-2.0
"""Records `lokeys demo` in a terminal, as a picture that plays it.

    python scripts/recording.py FILE

The picture is an SVG whose styles move the lines up as they came, pauses shortened. Where nothing
may move, it shows the end.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

COLUMNS, ROWS = 100, 28
LONGEST_PAUSE_S, LAST_PAUSE_S = 1.5, 6.0
LINE, LETTER, MARGIN, BAR = 18, 8.45, 16, 28
PROGRAM = [str(Path(sys.executable).with_name("lokeys")), "demo"]
COLOURS = {"31": "#ff6b6b", "32": "#5fd38d", "33": "#ffd166", "36": "#5cc8ff"}
_CODE = re.compile(r"\x1b\[([0-9;]*)m")


@dataclass(frozen=True, slots=True)
class Line:
    """A line as the terminal got it, and when, in seconds from the start."""

    at_s: float
    text: str


def record(command: Sequence[str]) -> list[Line]:
    """Run a program in a terminal of its own, and return its lines."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    environment.pop("NO_COLOR", None)
    begun = time.monotonic()
    child = subprocess.Popen(  # noqa: S603 - a list of words
        command, stdin=its, stdout=its, stderr=its, env=environment, close_fds=True
    )
    os.close(its)
    lines, rest = [Line(0, "\x1b[36m$ lokeys demo\x1b[0m")], b""
    for piece in _pieces(ours):
        *whole, rest = (rest + piece).split(b"\n")
        at_s = time.monotonic() - begun
        lines += [Line(at_s, each.decode().rstrip("\r")) for each in whole]
    os.close(ours)
    if child.wait() != 0:
        raise RuntimeError(f"{command[-1]} ended with {child.returncode}")
    return lines


def _pieces(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            return
        if not piece:
            return
        yield piece


def picture(lines: Sequence[Line]) -> str:
    """Return the SVG that plays these lines."""
    times = list(_shortened(lines))
    whole_s = times[-1] + LAST_PAUSE_S
    moves = []
    for number, at_s in enumerate(times, start=1):
        if number < len(times) and times[number] == at_s:
            continue  # the next line comes with it
        moves.append(f"{100 * at_s / whole_s:.2f}%{{transform:translateY({_up(number)}px)}}")
    end = _up(len(lines))
    width, height = COLUMNS * LETTER + 2 * MARGIN, ROWS * LINE + BAR + MARGIN
    shown = "\n".join(
        f'<text y="{(number + 1) * LINE}" xml:space="preserve">{"".join(_spans(line.text))}</text>'
        for number, line in enumerate(lines)
        if line.text
    )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" role="img"
 aria-label="lokeys demo, played in a terminal">
<!-- Made by scripts/recording.py: make recording -->
<style>
text{{fill:#d7dae0;font:14px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace}}
.b{{font-weight:bold}} .d{{opacity:.62}}
{" ".join(f".c{code}{{fill:{colour}}}" for code, colour in COLOURS.items())}
.all{{transform:translateY({end}px)}}
@media (prefers-reduced-motion:no-preference){{
.all{{animation:play {whole_s:.1f}s step-end infinite}}}}
@keyframes play{{{"".join(moves)}100%{{transform:translateY({end}px)}}}}
</style>
<rect width="100%" height="100%" rx="8" fill="#1b1f27"/>
<g fill="#4b5263"><circle cx="18" cy="15" r="5"/><circle cx="36" cy="15" r="5"/>
<circle cx="54" cy="15" r="5"/></g>
<svg x="{MARGIN}" y="{BAR}" width="{width - 2 * MARGIN:.0f}" height="{ROWS * LINE}"><g class="all">
{shown}
</g></svg>
</svg>
"""


def _up(printed: int) -> int:
    """Return how far the lines stand from their places when so many are printed."""
    return (ROWS - printed) * LINE - 4


def _shortened(lines: Sequence[Line]) -> Iterator[float]:
    shown_s = before_s = 0.0
    for line in lines:
        shown_s += min(line.at_s - before_s, LONGEST_PAUSE_S)
        before_s = line.at_s
        yield round(shown_s, 2)


def _spans(text: str) -> Iterator[str]:
    """Yield the pieces of a line, each with the look that the terminal was told."""
    look: list[str] = []
    for place, part in enumerate(_CODE.split(text)):
        if place % 2:
            look = _looks(look, part)
        elif part:
            yield (
                f'<tspan class="{" ".join(look)}">{escape(part)}</tspan>' if look else escape(part)
            )


def _looks(look: list[str], codes: str) -> list[str]:
    for code in codes.split(";"):
        if code in {"", "0"}:
            look = []
        elif code in {"1", "2"}:
            look = [*look, "b" if code == "1" else "d"]
        elif code in COLOURS:
            look = [*look, f"c{code}"]
    return look


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(picture(record(PROGRAM)))
