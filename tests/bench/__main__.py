# SPDX-License-Identifier: Apache-2.0
"""`make bench`: measure, print a table, keep the figures in bench.json.

    python -m bench [--page] [cold] [logs] [stacks] [pieces] [scale] [silent] [operated] [incident]

With --page the tables are also written into docs/reference/benchmarks.md.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import cold, incident, logs, operated, pieces, scale, silent, stacks
from bench.figures import Figure, table
from lokeys.clock import utc_now
from lokeys.core.findings.finding import time_to_json

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "bench.json"
PAGE = ROOT / "docs" / "reference" / "benchmarks.md"
SECTIONS: dict[str, tuple[str, Callable[[], Iterator[Figure]]]] = {
    "cold": ("Command line, cold", cold.measure),
    "logs": ("Logs", logs.measure),
    "stacks": ("LokiStacks, in files", stacks.measure),
    "pieces": ("Pieces, without a socket", pieces.measure),
    "scale": ("Operator, 1,000 StorageCredentials", scale.measure),
    "silent": ("Operator, beside a tenant whose store is silent", silent.measure),
    "operated": ("Operator, LokiStacks", operated.measure),
    "incident": ("A key changes at its source", incident.measure),
}


def main() -> int:
    """Run the sections; return 1 if a bound is not kept."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], metavar="SECTION")
    parser.add_argument("--page", action="store_true", help="write the tables into the docs")
    asked = parser.parse_args()
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    figures: list[Figure] = []
    for name in asked.sections or SECTIONS:
        title, measure = SECTIONS[name]
        load = os.getloadavg()[0]
        measured = list(measure())
        figures += measured
        kept[name] = {
            "title": title,
            "at": time_to_json(utc_now()),
            "machine": _machine(),
            "load": round(load, 1),
            "figures": [figure.to_json() for figure in measured],
        }
        print(f"\n{title}\n\n{table(measured)}", flush=True)
        KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    if asked.page:
        _write_page(kept)
    missed = [figure.name for figure in figures if figure.met is False]
    for name in missed:
        print(f"not kept: {name}", file=sys.stderr)
    return 1 if missed else 0


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def _write_page(kept: dict[str, dict[str, object]]) -> None:
    """Put each section's table between its markers."""
    page = PAGE.read_text()
    for name, section in kept.items():
        rows = [Figure.of_json(row) for row in section["figures"]]  # type: ignore[attr-defined]
        when = f"{section['at']}; {section['machine']}, load {section['load']} at the start"
        begin, end = f"<!-- {name} -->", "<!-- end -->"
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(end)
        page = f"{before}{begin}\nMeasured {when}.\n\n{table(rows)}\n{end}{after}"
    PAGE.write_text(page)


if __name__ == "__main__":
    sys.exit(main())
