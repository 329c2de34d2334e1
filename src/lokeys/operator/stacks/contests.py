# SPDX-License-Identifier: Apache-2.0
"""Finds objects that somebody changes back after each write: two writers must not go on forever.

written ─▶ changed back ─▶ written again, the same ─▶ … three times in a minute ─▶ left alone
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from lokeys.core.operate.intents import Intent
from lokeys.core.place import Ref

REVERTS = 3
WITHIN = timedelta(minutes=1)
LEFT_FOR = timedelta(minutes=10)
"""Then it is tried again: the other writer may be gone."""


@dataclass(slots=True)
class _Written:
    """An object's last written content, and when it had to be written again."""

    digest: str
    again: tuple[datetime, ...] = ()


class Contests:
    """Counts how often the objects of stacks had to be written again, by the stacks' uids."""

    def __init__(self) -> None:
        self._written: OrderedDict[str, tuple[datetime, dict[Ref, _Written]]] = OrderedDict()
        """In the order of each stack's last write. Writes older than a minute are forgotten."""
        self._left: dict[str, dict[Ref, tuple[str, datetime]]] = {}
        """Objects that are left alone, with what was written in vain, and until when."""

    def __len__(self) -> int:
        return len(self._written) + len(self._left)

    def wrote(self, uid: str, intent: Intent, *, anew: bool, now: datetime) -> None:
        """Note a write; `anew` if nothing existed.

        A write with other content than a moment ago does not undo anybody's change. If an object
        existed and was last written longer ago, somebody has changed it.
        """
        self._forget(now)
        _, written = self._written.pop(uid, (now, {}))
        self._written[uid] = now, written
        ref, digest = intent.ref, intent.digest
        before = written.get(ref)
        again: tuple[datetime, ...] = ()
        if before is None:
            again = () if anew else (now,)
        elif before.digest == digest:
            again = (*(at for at in before.again if now - at < WITHIN), now)
        if len(again) >= REVERTS:
            self._left.setdefault(uid, {})[ref] = digest, now + LEFT_FOR
            again = ()
        written[ref] = _Written(digest, again)

    def of(self, uid: str, *, now: datetime) -> dict[Ref, str]:
        """Return a stack's objects that are left alone, each with the last written digest."""
        left = self._left.get(uid, {})
        return {ref: digest for ref, (digest, until) in left.items() if now < until}

    def _forget(self, now: datetime) -> None:
        while self._written:
            uid, (last, _) = next(iter(self._written.items()))
            if now - last < WITHIN:
                break
            del self._written[uid]
        for uid in [each for each in self._left if not self.of(each, now=now)]:
            del self._left[uid]
