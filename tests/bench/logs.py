# SPDX-License-Identifier: Apache-2.0
"""What `lokeys doctor FILE` costs: speed on one core, memory, and a cold start.

The logs are a real Loki's (`tests/logs/made/`), repeated: quiet lines alone, and errors alone.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.cold import user_ms
from bench.figures import Figure

MADE = Path(__file__).parents[1] / "logs" / "made"
SIZE_BYTES = 200 << 20
MEGA = 1e6


def measure() -> Iterator[Figure]:
    """Yield the figures."""
    lines = [line for path in sorted(MADE.glob("*.log")) for line in path.open("rb")]
    quiet = b"".join(line for line in lines if line.startswith((b"level=info", b"level=debug")))
    loud = b"".join(line for line in lines if line.startswith(b"level=error"))
    with tempfile.TemporaryDirectory() as folder:
        clean, errors = Path(folder) / "clean.log", Path(folder) / "errors.log"
        for path, text in ((clean, quiet), (errors, loud)):
            with path.open("wb") as stream:
                for _ in range(SIZE_BYTES // len(text)):
                    stream.write(text)
        yield from _speed("a clean log", clean, at_least=200)
        yield from _speed("a log full of errors", errors, at_least=50)
    one = min(MADE.glob("healthy*.log"))
    yield Figure(
        name="lokeys doctor --logs: user CPU, cold",
        value=user_ms(["-m", "lokeys", "doctor", "--logs", str(one)]),
        unit="ms",
        at_most=120,
    )


def _speed(what: str, path: Path, *, at_least: float) -> Iterator[Figure]:
    size = path.stat().st_size
    took_s, peak_kib = _cost([sys.executable, "-m", "lokeys", "doctor", str(path)])
    grep_s, _ = _cost(["grep", "-c", "level=error", str(path)])
    ripgrep = shutil.which("rg")
    note = (
        f"{size / MEGA:.0f} MB; grep -c: {size / grep_s / MEGA:.0f} MB/s ({took_s / grep_s:.1f} x)"
    )
    if ripgrep:
        rg_s, _ = _cost([ripgrep, "-c", "level=error", str(path)])
        note += f", rg -c: {size / rg_s / MEGA:.0f} MB/s"
    yield Figure(
        name=f"lokeys doctor, {what}: speed of CPU",
        value=size / took_s / MEGA,
        unit="MB/s",
        at_least=at_least,
        note=note,
    )
    yield Figure(
        name=f"lokeys doctor, {what}: peak memory", value=peak_kib / 1024, unit="MiB", at_most=100
    )


def _cost(argv: list[str]) -> tuple[float, int]:
    """Return CPU seconds and peak memory of one process."""
    script = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], stdout=subprocess.PIPE)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(used.ru_utime + used.ru_stime, used.ru_maxrss)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *argv], check=True, capture_output=True, text=True
    )
    seconds, peak = done.stdout.split()
    return max(float(seconds), 0.001), int(peak)
