# SPDX-License-Identifier: Apache-2.0
"""What the command line costs before it does anything: CPU of a cold process, and its imports."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from statistics import median

from bench.figures import Figure

RUNS = 15
HEAVY = ("httpx2", "botocore", "rich", "yaml", "h2", "prometheus_client", "asyncio")
WHICH_LOADED = (
    "import sys; sys.argv = ['lokeys', {word!r}]\n"
    "from lokeys.cli.main import run\n"
    "try: run()\n"
    "finally: sys.stderr.write(' '.join(n for n in {heavy!r} if n in sys.modules))\n"
)


def measure() -> Iterator[Figure]:
    """Yield the figures."""
    bare = user_ms(["-c", "pass"])
    for word in ("--help", "--version"):
        cold = user_ms(["-m", "lokeys", word])
        yield Figure(
            name=f"lokeys {word}: user CPU, cold",
            value=cold,
            unit="ms",
            at_most=100,
            note=f"Python alone takes {bare:.0f} ms; median of {RUNS} processes",
        )
        loaded = heavy_modules(word)
        yield Figure(
            name=f"lokeys {word}: heavy modules imported",
            value=len(loaded),
            unit="",
            at_most=0,
            note=", ".join(loaded) or f"none of {', '.join(HEAVY)}",
        )


def user_ms(arguments: list[str]) -> float:
    """Return the median of the user CPU that a Python process with these arguments takes."""
    return median(_user_ms_once(arguments) for _ in range(RUNS))


def _user_ms_once(arguments: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return 1000 * (resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)


def heavy_modules(word: str) -> list[str]:
    """Return which of HEAVY are loaded after `lokeys WORD`."""
    script = WHICH_LOADED.format(word=word, heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"NO_COLOR": "1"},
    )
    return done.stderr.split()
