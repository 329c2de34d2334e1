# SPDX-License-Identifier: Apache-2.0
"""Stacks of one namespace whose objects would have the same names.

The name of an object is its stack's, a dash, and a word; a stack's name may itself contain dashes.
So the index gateway of `a` has the same name as the gateway of `a-index`.
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
"""At most this many objects are named."""
_FIELD = "metadata.name"


def shared_names(views: Iterable[StackView]) -> Iterator[Finding]:
    """Yield a finding at each stack whose objects a stack with a shorter name also needs."""
    known: dict[tuple[str, str], tuple[StackView, LokiStack]] = {}
    for view in views:
        if view.stack is not None:
            known.setdefault((view.stack.namespace, view.stack.name), (view, view.stack))
    for (namespace, name), (view, stack) in known.items():
        for shorter in _beginnings(name):
            if (namespace, shorter) not in known:
                continue
            # The module that renders stacks loads slowly, and few names have the same beginning.
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
    """Yield the parts of a name before each of its dashes."""
    parts = name.split("-")
    return ("-".join(parts[:count]) for count in range(1, len(parts)))
