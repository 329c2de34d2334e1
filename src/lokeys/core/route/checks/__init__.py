# SPDX-License-Identifier: Apache-2.0
"""The checks: each looks at a snapshot and yields findings of its own subject.

A check compares neighbours only: the vault with the source, the Secret with the vault, the pods
with the Secret. So each disagreement is reported once, at the hop where the key goes stale.
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
"""Every check there is; the order does not matter, findings are ranked afterwards."""


def findings(snapshot: Seen) -> Iterator[Finding]:
    """Yield what each check finds, unranked and unfolded."""
    for check in CHECKS:
        yield from check(snapshot)
