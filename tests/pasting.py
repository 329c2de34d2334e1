# SPDX-License-Identifier: Apache-2.0
"""What somebody hostile writes into a text, and a shell that everything printed is pasted into."""

import dataclasses
import enum
import os
import stat
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

MARK = "pwned"
BAIT = "bait-of-a-glob"
RUNS = f"touch {MARK}"
PAYLOADS = (
    *(f";{RUNS}", f"$({RUNS})", f"`{RUNS}`", f"\n{RUNS}\n", f"&&{RUNS}&&", f"|{RUNS}", f"&{RUNS} "),
    *(f"';{RUNS};'", f'";{RUNS};"', f"\\';{RUNS} #", f"'$({RUNS})'", f'"$({RUNS})"', f"\\\n{RUNS}"),
    *(f">{MARK}", f" >{MARK} ", f"<({RUNS})", f"${{x:-$({RUNS})}}", f"\r{RUNS}\r", f"\x00{RUNS}"),
    *(f"\u2028{RUNS}\u2028", f"\x85{RUNS}\x85", f"\x1b]52;c;{MARK}\x07", f"\u202e{RUNS}"),
    *(f"-o{MARK}", f"--{MARK}", f" --{MARK} ", "bait*", "[a-z]ait-of-a-glo?", f"{{a,--{MARK}}}"),
    *(f"{{place.{MARK}}}", "{", "}}", "%s", "~", "!!", f"\nEOF\n{RUNS}\n", f" #\n{RUNS}"),
)
PROGRAMS = (
    *("kubectl", "lokeys", "radosgw-admin", "curl", "aws", "az", "gcloud", "terraform", "date"),
    *("base64", "touch", "NAME"),
)
_STUB = f"""#!/bin/sh
# Whoever is asked to run, or is handed what a payload made into a word of its own, leaves a mark.
case "$0" in */touch) : > "{{folder}}/{MARK}" ;; esac
for word in "$@"; do
  case "$word" in -o{MARK}|--{MARK}|{BAIT}) : > "{{folder}}/{MARK}" ;; esac
done
"""


def hostile(text: str, number: int) -> str:
    """Return a text with a payload: behind it, before it, or in its place."""
    payload = PAYLOADS[number % len(PAYLOADS)]
    return (f"{text}{payload}", payload, f"{payload}{text}")[number // len(PAYLOADS) % 3]


class Spoiler:
    """Puts a payload into one text of a tree: of JSON, or of the core's own classes."""

    def __init__(self, number: int, payload: int) -> None:
        self._left = number
        self._payload = payload
        self.spoilt = False

    def value(self, value: Any) -> Any:
        """Return the tree with the one text changed."""
        if self.spoilt:
            return value
        if isinstance(value, str) and not isinstance(value, enum.Enum):
            return self._text(value)
        if isinstance(value, dict):
            return {self.value(key): self.value(each) for key, each in value.items()}
        if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
            return type(value)(self.value(each) for each in value)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._record(value)
        return value

    def _text(self, text: str) -> str:
        self._left -= 1
        if self._left >= 0:
            return text
        self.spoilt = True
        return hostile(text, self._payload)

    def _record(self, record: Any) -> Any:
        known = {f.name: getattr(record, f.name) for f in dataclasses.fields(record) if f.init}
        # A cause is a word of the core's own list: nobody outside writes one.
        changed = {n: each if n == "cause" else self.value(each) for n, each in known.items()}
        if all(changed[name] is known[name] for name in known):
            return record
        return dataclasses.replace(record, **changed)


def spoilt(tree: Any) -> Iterator[Any]:
    """Yield the tree with each of its texts spoilt, one at a time, by one payload after another."""
    number = 0
    while True:
        spoiler = Spoiler(number, number * 7 + 3)
        found = spoiler.value(tree)
        if not spoiler.spoilt:
            return
        yield found
        number += 1


def paste(scripts: Sequence[str], folder: Path) -> str:
    """Run each text as bash does, with stubs alone on the PATH; return what ran that should not.

    A text in which a quote is left open is an error, too.
    """
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    for name in PROGRAMS:
        stub = programs / name
        stub.write_text(_STUB.format(folder=folder))
        stub.chmod(stub.stat().st_mode | stat.S_IXUSR)
    home = folder / "home"
    home.mkdir(exist_ok=True)
    (home / BAIT).touch()
    for at in range(0, len(scripts), 200):
        some = scripts[at : at + 200]
        _run("\n".join(some), programs, home)
        if _marked(folder, home):
            return _guilty(some, programs, folder, home)
    return ""


def _marked(folder: Path, home: Path) -> bool:
    return (folder / MARK).exists() or (home / MARK).exists()


def _run(text: str, programs: Path, home: Path) -> None:
    environment = {"PATH": str(programs), "HOME": str(home), "LC_ALL": "C.UTF-8"}
    whole = ["/bin/bash", "-c", text]
    checked = subprocess.run(
        ["/bin/bash", "-n"], input=text, text=True, capture_output=True, check=False
    )
    assert not checked.returncode, (checked.stderr, text)
    subprocess.run(
        whole, cwd=home, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
        check=False, timeout=120,
    )  # fmt: skip


def _guilty(scripts: Sequence[str], programs: Path, folder: Path, home: Path) -> str:
    for text in scripts:
        for place in (folder, home):
            with_mark = place / MARK
            with_mark.unlink(missing_ok=True)
        _run(text, programs, home)
        if _marked(folder, home):
            return text
    return os.linesep.join(scripts)
