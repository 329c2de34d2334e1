# SPDX-License-Identifier: Apache-2.0
"""The checks: each examines a snapshot and yields the findings of its own subject.

A check compares neighbours only: the vault with the source, the Secret with the vault, the pods
with the Secret. So each difference is reported once, at the hop where the key becomes stale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lokeys.core.findings.finding import Finding
from lokeys.core.route.checks import (
    bridge,
    configuration,
    delivery,
    pods,
    reading,
    source,
    store,
    vault,
)
from lokeys.core.route.key_state import Seen

Check = Callable[[Seen], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    *source.CHECKS,
    *vault.CHECKS,
    *delivery.CHECKS,
    *pods.CHECKS,
    *bridge.CHECKS,
    *store.CHECKS,
    *configuration.CHECKS,
    *reading.CHECKS,
)
"""Every check. The order does not matter: findings are ranked afterwards."""


def findings(snapshot: Seen) -> Iterator[Finding]:
    """Yield what each check finds, neither ranked nor folded."""
    for check in CHECKS:
        yield from check(snapshot)
