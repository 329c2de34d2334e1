# SPDX-License-Identifier: Apache-2.0
"""What `validate` and `render` cost: one stack in a cold process, a thousand in one.

Whole commands, from the file to the last byte of the output: CPU (user and system) and the most
memory that they had.
"""

import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from bench.figures import Figure
from lokeys.adapters.files.manifests import read
from lokeys.core.stack.render.render import RenderOptions, render
from lokeys.core.text.yaml import documents
from lokeys.core.validation.validate import validate
from manifests.lokistack import NOW, SIZES, Choice

COLD_RUNS = 15
MANY = 1000
TIMES = 5
GROWN = {"stacks": 400, "schemas": 2000, "tenants": 2000, "streams of retention": 2000}
"""How many of each are few; TIMES as many are many."""

FIRST_DAY = date(1970, 1, 1)
MEBI = 1024 * 1024
PARENT = """
import os, sys
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""A small process between: Linux counts the memory of whoever starts a process as the child's."""

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One process: its CPU, its memory, and how many objects it wrote."""

    cpu_s: float
    memory_bytes: int
    written: int


def measure() -> Iterator[Figure]:
    """Yield the figures."""
    with tempfile.TemporaryDirectory() as folder:
        yield from _cold(Path(folder))
        yield from _many(Path(folder))
        yield from _linear()


def _cold(folder: Path) -> Iterator[Figure]:
    file = folder / "one.yaml"
    file.write_text(_text(_stack(0)))
    bare = 1000 * median(_measured("-c", "pass").cpu_s for _ in range(COLD_RUNS))
    ran("render", "-f", file)  # whatever Python compiles, it has compiled now
    for command, bound in (("validate", 120), ("render", 114)):
        runs = [ran(command, "-f", file) for _ in range(COLD_RUNS)]
        yield Figure(
            name=f"{command} of one stack: CPU, cold",
            value=1000 * median(run.cpu_s for run in runs),
            unit="ms",
            at_most=bound,
            note=f"least {1000 * min(run.cpu_s for run in runs):.0f}; median of {COLD_RUNS}; "
            f"Python alone {bare:.0f}; the Loki Operator's renderer 57",
        )
        memory = max(run.memory_bytes for run in runs)
        name = f"{command} of one stack: memory, peak"
        yield Figure(name=name, value=memory / MEBI, unit="MB")


def _many(folder: Path) -> Iterator[Figure]:
    file = folder / "many.yaml"
    file.write_text("".join(_text(_stack(number)) for number in range(MANY)))
    found = {}
    for form, bound in (("yaml", 400), ("json", 1000)):
        runs = [ran("render", "-f", file, "-o", form) for _ in range(3)]
        found[form] = median(run.cpu_s for run in runs)
        yield Figure(
            name=f"render of {MANY:,} stacks as {form.upper()}",
            value=MANY / found[form],
            unit="stacks/s",
            at_least=bound,
            note=f"{runs[0].written / MANY / 1000:.0f} kB a stack, read from YAML; median of 3",
        )
        memory = max(run.memory_bytes for run in runs)
        name = f"render of {MANY:,} stacks as {form.upper()}: memory, peak"
        yield Figure(name=name, value=memory / MEBI, unit="MB", at_most=150)
    judged = ran("validate", "-f", file, "-o", "json").cpu_s
    yield Figure(name=f"validate of {MANY:,} stacks", value=MANY / judged, unit="stacks/s")


def _linear() -> Iterator[Figure]:
    """Five times as many of one thing cost five times as much."""
    for what, count in GROWN.items():
        few, most = (_cost_of(what, each) for each in (count, count * TIMES))
        yield Figure(
            name=f"five times as many {what}",
            value=most / few,
            unit="times the CPU",
            at_most=TIMES * 1.3,
            note=f"{count:,} and {count * TIMES:,}; {1000 * few:.0f} and {1000 * most:.0f} ms",
        )


def _cost_of(what: str, count: int) -> float:
    """Return the CPU from text to text in this process: read, judged, rendered, written."""
    many = range(count) if what == "stacks" else ()
    objects = [each for number in many for each in _stack(number)] or _grown(what, count)
    text = _text(objects).encode()
    return median(_once(text) for _ in range(5))


def _once(text: bytes) -> float:
    began = time.process_time()
    given = read("-", stdin=io.BytesIO(text))
    for view in validate(given, now=NOW).stacks:
        assert view.stack
        assert view.storage
        documents(render(view.stack, view.storage, options=RenderOptions(now=NOW)))
    return time.process_time() - began


def _grown(what: str, count: int) -> list[Manifest]:
    stack, secret = _stack(0)
    spec = stack["spec"]
    match what:
        case "schemas":
            days = (FIRST_DAY + timedelta(days=number) for number in range(count))
            spec["storage"]["schemas"] = [
                {"version": "v13", "effectiveDate": day.isoformat()} for day in days
            ]
        case "tenants":
            spec["limits"]["tenants"] = {
                f"tenant-{number}": {"retention": {"days": 1 + number % 90}}
                for number in range(count)
            }
        case _:
            spec["limits"]["global"]["retention"]["streams"] = [
                {"days": 1 + number % 90, "selector": f'{{app="{number}"}}'}
                for number in range(count)
            ]
    return [stack, secret]


def _stack(number: int) -> list[Manifest]:
    """Return one of many stacks with its Secret: name, size, Secret and limits are its own."""
    choice = Choice(store="s3", size=SIZES[number % len(SIZES)])
    stack, secret = choice.manifest, choice.secret
    stack["metadata"] = {"name": f"stack-{number:05d}", "namespace": f"team-{number % 50:02d}"}
    secret["metadata"] = {**stack["metadata"], "name": f"store-{number:05d}"}
    stack["spec"]["storage"]["secret"]["name"] = secret["metadata"]["name"]
    secret["stringData"]["bucketnames"] = f"logs-{number:05d}"
    stack["spec"]["limits"] = {
        "global": {
            "ingestion": {"ingestionRate": 4 + number % 30},
            "retention": {"days": 1 + number % 90},
        }
    }
    return [stack, secret]


def _text(objects: Sequence[Mapping[str, Any]]) -> str:
    return "".join(f"---\n{yaml.dump(each, Dumper=yaml.CSafeDumper)}" for each in objects)


def ran(*arguments: object) -> Cost:
    """Run lokeys to its end; raises where it fails."""
    return _measured("-m", "lokeys", *map(str, arguments))


def _measured(*arguments: str) -> Cost:
    # Installed packages come with their bytecode; a process that may not keep it measures the
    # compiler.
    around = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    with tempfile.TemporaryFile() as output:
        words = [sys.executable, "-I", "-S", "-c", PARENT, sys.executable]
        done = subprocess.run(
            [*words, *arguments],
            stdout=output,
            stderr=subprocess.PIPE,
            env=around,
            check=True,
            text=True,
        )
        cpu_s, memory_kib = done.stderr.split()
        written = os.fstat(output.fileno()).st_size
    return Cost(cpu_s=float(cpu_s), memory_bytes=int(memory_kib) * 1024, written=written)
