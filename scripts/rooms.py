# SPDX-License-Identifier: Apache-2.0
"""Print the rooms of `lokeys.core` and the arrows between them, from the code's own imports.

    python scripts/rooms.py            which room imports which, and how often
    python scripts/rooms.py engine     the rooms of another package

A room is a package or module directly below the named one. An arrow from A to B means that a module
of A imports one of B, at the top of the file or later.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src"


def rooms(package: str) -> list[str]:
    """Return the names of what stands directly below `lokeys.<package>`."""
    folder = SOURCE / "lokeys" / package.replace(".", "/")
    names = {path.stem for path in folder.glob("*.py") if path.stem != "__init__"}
    return sorted(names | {path.parent.name for path in folder.glob("*/__init__.py")})


def arrows(package: str) -> Counter[tuple[str, str]]:
    """Return how many imports lead from one room to another."""
    folder = SOURCE / "lokeys" / package.replace(".", "/")
    prefix, known = f"lokeys.{package}.", set(rooms(package))
    found: Counter[tuple[str, str]] = Counter()
    for path in folder.rglob("*.py"):
        room = path.relative_to(folder).parts[0].removesuffix(".py")
        for target in _imported(path):
            there = target.removeprefix(prefix).partition(".")[0]
            if target.startswith(prefix) and there in known - {room} and room in known:
                found[room, there] += 1
    return found


def _imported(path: Path) -> Iterator[str]:
    """Yield the full name of each thing that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def main() -> None:
    """Print the rooms, then the arrows, the mutual ones marked."""
    package = sys.argv[1] if len(sys.argv) > 1 else "core"
    between, names = arrows(package), rooms(package)
    sys.stdout.write(f"{len(names)} rooms of lokeys.{package}: {', '.join(names)}\n")
    sys.stdout.write(f"{len(between)} arrows:\n")
    for (start, end), count in sorted(between.items()):
        mutual = "  mutual" if (end, start) in between else ""
        sys.stdout.write(f"  {start} -> {end}  {count}{mutual}\n")


if __name__ == "__main__":
    main()
