# SPDX-License-Identifier: Apache-2.0
"""Input that is not judged: what it is, why, and how it can be judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, LiteralString

from lokeys.core.stack.validation.objects import Placed
from lokeys.core.text.shell import Command, NoCommand

_RULES = "LokiStack's rules are not judged"
_KINDS = {
    "AlertingRule": _RULES,
    "RecordingRule": _RULES,
    "RulerConfig": _RULES,
    "HelmRelease": "what its chart makes is not judged: hand in what `helm template` prints",
    "Application": "what it makes is not judged: hand in what `argocd app manifests` prints",
    "ApplicationSet": "what it makes is not judged: hand in what `argocd app manifests` prints",
    "Template": "hand in what `oc process --local -o yaml -f FILE` prints",
}
"""Kinds that are reported, and why; all others have nothing to do with storage credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """Input that is not judged; `command` prints a form that can be."""

    what: str
    why: str
    file: str
    line: int = 1
    command: Command | None = None


def build_command(tool: LiteralString, folder: str) -> Command | None:
    """Return the command that validates a tool's output for a folder; None for an unusable name."""
    try:
        printing = Command((*tool.split(), f"./{folder}" if folder.startswith("-") else folder))
    except NoCommand:
        return None
    return printing.pipe("lokeys validate -f -")


def of_kinds(given: Iterable[Placed]) -> Iterator[PassedOver]:
    """Yield the kinds that are not judged, each once, at its first object."""
    found: dict[str, list[Placed]] = {}
    for placed in given:
        kind = placed.object.get("kind")
        if isinstance(kind, str) and kind in _KINDS:
            found.setdefault(kind, []).append(placed)
    for kind, why in _KINDS.items():
        if kind in found:
            first, *more = found[kind]
            what = f"{1 + len(more)} {kind}{'s' if more else ''}"
            yield PassedOver(what=what, why=why, file=first.file, line=first.line)


def passed_over_to_json(each: PassedOver) -> dict[str, Any]:
    """Return it in the report's form."""
    return {
        "what": each.what,
        "why": each.why,
        "location": {"file": each.file, "line": each.line, "column": 1},
        "command": str(each.command) if each.command else None,
    }
