# SPDX-License-Identifier: Apache-2.0
"""Objects in a folder that a tool builds: findings about them may not apply to the result.

What kustomize patches, or what is filled in before it is applied, is used as it is built. So no
fault of it is an error: it is a warning with the command that builds it, or info.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from lokeys.core.findings.finding import Finding, Remedy, Severity
from lokeys.core.stack.validation.objects import Placed
from lokeys.core.text.shell import Command
from lokeys.core.text.variables import is_filled_in

_ABSENT = frozenset({"missing_storage_secret", "missing_ca_configmap"}) | {
    *("missing_tenant_secret", "missing_tenant_ca")
}
_TOKEN = re.compile(r"\[([0-9]+)\]|([^.\[\]]+)")


@dataclass(frozen=True, slots=True)
class Unbuilt:
    """What becomes of an object: by which command, and whether it is changed itself.

    If it is not, more objects may be added around it.
    """

    command: Command | None
    is_changed: bool


@runtime_checkable
class MayBeUnbuilt(Protocol):
    """An object that knows whether it is built."""

    @property
    def unbuilt(self) -> Unbuilt | None:
        """Return what becomes of it; None if it is applied as it is."""
        ...


def is_changed(placed: Placed) -> bool:
    """Tell whether an object is changed before it is applied."""
    unbuilt = _unbuilt(placed)
    return unbuilt is not None and unbuilt.is_changed


def builder_of(placed: Placed) -> str:
    """Return the command that prints an object as it is built; otherwise only the tool."""
    unbuilt = _unbuilt(placed)
    return str(Command(unbuilt.command.argv)) if unbuilt and unbuilt.command else "kustomize build"


def softened(finding: Finding, own: Placed | None, stack: Placed) -> Finding:
    """Return a finding adapted to objects that are built: an error becomes a warning.

    `own` is the object that it is about, None if that does not exist.
    """
    if not finding.is_error:
        return finding
    if finding.object is not None and is_filled_in(finding.object.name):
        return _filled_later(finding)
    if own is stack and is_filled_in(_at(stack.object, finding.field or "")):
        return _filled_later(finding)
    unbuilt = _unbuilt(own) if own is not None else None
    around = _unbuilt(stack)
    if unbuilt is not None and unbuilt.is_changed:
        return _built(finding, unbuilt, "this is as it lies there, before it is built")
    if around is not None and finding.fault in _ABSENT:
        return _built(finding, around, "more may be there once it is built")
    return finding


def _unbuilt(placed: Placed) -> Unbuilt | None:
    return placed.unbuilt if isinstance(placed, MayBeUnbuilt) else None


def _built(finding: Finding, unbuilt: Unbuilt, why: str) -> Finding:
    first = Remedy(text=f"{why}: judge what is built", command=unbuilt.command)
    return replace(finding, severity=Severity.WARNING, remedy=(first, *finding.remedy))


def _filled_later(finding: Finding) -> Finding:
    text = "it is filled in before it is applied: judge what is applied, `lokeys validate -f -`"
    return replace(finding, severity=Severity.INFO, remedy=(Remedy(text=text),))


def _at(content: object, field: str) -> str:
    """Return the text at a JSON path; empty if there is none."""
    for index, name in _TOKEN.findall(field):
        if isinstance(content, Mapping):
            content = content.get(name)
        elif isinstance(content, list) and index and int(index) < len(content):
            content = content[int(index)]
        else:
            return ""
    return content if isinstance(content, str) else ""
