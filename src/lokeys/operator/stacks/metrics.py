# SPDX-License-Identifier: Apache-2.0
"""The metrics of LokiStacks: their statuses as numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from lokeys.core.operate.status import VERIFIED, told_before
from lokeys.operator import metric_names as names
from lokeys.operator.metrics import TRUTH, family
from lokeys.operator.workers import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """What is kept of a status."""

    ready: float | None
    state: tuple[str, str] | None
    mode: str
    verified: float | None
    verdict: str
    pods: Mapping[str, int]


class StackMetrics(Collector):
    """The last reported state of each stack."""

    def __init__(self) -> None:
        self._stacks: dict[Key, _Shown] = {}

    def show(self, key: Key, status: Mapping[str, Any]) -> None:
        """Take a stack's status."""
        by_type = {each.get("type"): each for each in status.get("conditions") or ()}
        verdict = by_type.get(VERIFIED, {})
        told = told_before(status)
        self._stacks[key] = _Shown(
            ready=TRUTH.get(by_type.get("Ready", {}).get("status")),
            state=(told.type, told.reason) if told else None,
            mode=(status.get("storage") or {}).get("credentialMode", ""),
            verified=TRUTH.get(verdict.get("status")),
            verdict=verdict.get("reason", ""),
            pods=dict(_pods(status)),
        )

    def forget(self, key: Key) -> None:
        """Show a stack no longer."""
        self._stacks.pop(key, None)

    def collect(self) -> Iterable[Metric]:
        """Return every family, at the time of a scrape."""
        stacks = tuple(self._stacks.items())
        yield family(names.STACK_READY, ((key, shown.ready) for key, shown in stacks))
        yield family(
            names.STACK_STATE, (((*k, *shown.state), 1.0) for k, shown in stacks if shown.state)
        )
        yield family(
            names.STACK_MODE, (((*k, shown.mode), 1.0) for k, shown in stacks if shown.mode)
        )
        yield family(
            names.STACK_VERIFIED,
            (((*k, shown.mode, shown.verdict), shown.verified) for k, shown in stacks),
        )
        yield family(
            names.STACK_PODS,
            (((*k, state), float(n)) for k, shown in stacks for state, n in shown.pods.items()),
        )


def _pods(status: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    counted: dict[str, int] = {}
    for by_state in (status.get("components") or {}).values():
        for state, pods in by_state.items():
            counted[state] = counted.get(state, 0) + len(pods)
    return iter(counted.items())
