# SPDX-License-Identifier: Apache-2.0
"""Stacks of one namespace whose objects would have the same names.

The name of an object is its stack's and a word, with a dash between; a stack's name may hold dashes
itself. So the index gateway of `a` is named like the gateway of `a-index`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from lokeys.core.findings.catalogue.lokistacks import SHARED_NAMES
from lokeys.core.findings.finding import Finding
from lokeys.core.stack.resource.model import LokiStack
from lokeys.core.stack.storage.wording import tell
from lokeys.core.stack.validation.objects import location_of
from lokeys.core.stack.validation.stacks import StackView

NAMED = 3
"""So many objects are named, however many there are."""
_FIELD = "metadata.name"


def shared_names(views: Iterable[StackView]) -> Iterator[Finding]:
    """Yield a finding at each stack whose objects another stack, of a shorter name, needs too."""
    known: dict[tuple[str, str], tuple[StackView, LokiStack]] = {}
    for view in views:
        if view.stack is not None:
            known.setdefault((view.stack.namespace, view.stack.name), (view, view.stack))
    for (namespace, name), (view, stack) in known.items():
        for shorter in _beginnings(name):
            if (namespace, shorter) not in known:
                continue
            # What renders stacks takes a while to load, and few names begin alike.
            from lokeys.core.stack.render.made import made_of  # noqa: PLC0415

            other = known[namespace, shorter][1]
            shared = sorted(made_of(stack) & made_of(other))
            if shared:
                yield _told(view, other, [f"{kind} {each}" for kind, each in shared])


def _told(view: StackView, other: LokiStack, shared: list[str]) -> Finding:
    more = len(shared) - NAMED
    named = ", ".join(shared[:NAMED]) + (f" and {more} more" if more > 0 else "")
    words = {"other": other.route, "objects": named}
    found = tell(SHARED_NAMES, view.ref, stack=view.ref, field=_FIELD, words=words)
    return replace(found, route=None, location=location_of(view.placed, _FIELD))


def _beginnings(name: str) -> Iterator[str]:
    """Yield all that a name begins with, up to one of its dashes."""
    parts = name.split("-")
    return ("-".join(parts[:count]) for count in range(1, len(parts)))
