# SPDX-License-Identifier: Apache-2.0
"""What a live workload keeps although its spec asks for something else.

In Kubernetes the claim templates of a live StatefulSet are immutable, whoever made them. This is
not a fault and nothing waits for it, so there is no finding: a takeover's plan and the Ready
condition show it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lokeys.core.kubernetes.json_fields import mappings_at, text_at
from lokeys.core.operate.snapshot import StackSnapshot
from lokeys.core.place import Ref
from lokeys.core.stack.render import names
from lokeys.core.stack.render.sizes import volume_gib
from lokeys.core.stack.resource.model import Component, LokiStack
from lokeys.core.text.words import quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptVolume:
    """One claim template that stays; `found` is what it has, `wanted` what the spec asks for."""

    workload: Ref
    claim: str
    found: str
    wanted: str

    def __str__(self) -> str:
        return (
            f"{self.workload}: volume {quoted(self.claim)} keeps {self.found}; "
            f"the spec asks for {self.wanted}"
        )


def volumes_that_stay(snapshot: StackSnapshot) -> Iterator[KeptVolume]:
    """Yield where the volumes that exist differ from those that the stack asks for."""
    stack = snapshot.view.stack
    if stack is None:
        return
    for component in names.STATEFUL:
        ref = Ref("StatefulSet", names.name(stack, component), stack.namespace)
        live = snapshot.objects.get(ref)
        if live is None or live.workload is None:
            continue
        for claim in mappings_at(live.workload.fixed, "volumeClaimTemplates"):
            found, wanted = _otherwise(stack, component, claim)
            if found:
                yield KeptVolume(
                    workload=ref,
                    claim=text_at(claim, "metadata", "name"),
                    found=" and ".join(found),
                    wanted=" and ".join(wanted),
                )


def _otherwise(stack: LokiStack, component: Component, claim: Any) -> tuple[list[str], list[str]]:
    """Return what a live claim has that is not asked for, and what is asked for instead."""
    name = text_at(claim, "metadata", "name")
    facts = (
        ("the storage class", ("storageClassName",), stack.storage_class_name),
        ("a size of", ("resources", "requests", "storage"), _size(stack, component, name)),
    )
    found, wanted = [], []
    for word, path, asked in facts:
        there = text_at(claim, "spec", *path)
        if there and there != asked:
            found.append(f"{word} {quoted(there)}")
            wanted.append(quoted(asked))
    return found, wanted


def _size(stack: LokiStack, component: Component, claim: str) -> str:
    return f"{volume_gib(stack.size, component, claim)}Gi"
