# SPDX-License-Identifier: Apache-2.0
"""Events on an object, never the same twice within an hour.

The name of an event is derived from its content, so a second replica, or this one after a restart,
finds that it exists.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from datetime import datetime

from lokeys.clock import utc_now
from lokeys.core.text.words import printable
from lokeys.errors import Conflict, LokeysError
from lokeys.kube.client import Api, Object
from lokeys.kube.resources import EVENT

QUIET_S = 3600.0
MAX_MESSAGE = 1024
"""The API server's limit, in bytes."""
MAX_REMEMBERED = 10_000

_log = logging.getLogger(__name__)


class EventWriter:
    """Writes events as one component. A failure to write is logged and stops nothing."""

    def __init__(
        self,
        api: Api,
        *,
        component: str = "lokeys",
        instance: str = "",
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._api = api
        self._component = component
        self._instance = instance or component
        self._clock = clock
        self._now = now
        self._written: dict[str, float] = {}

    async def write(
        self, regarding: Object, *, reason: str, message: str, warning: bool = False
    ) -> None:
        """Write one event about `regarding`, unless the same was written within the hour.

        The message may quote untrusted text: it is made printable and cut to an event's length.
        """
        body = self._event(regarding, reason=reason, message=_fit(message), warning=warning)
        name = body["metadata"]["name"]
        if self._written_lately(name):
            return
        try:
            await self._api.create(EVENT, body)
        except Conflict:
            pass  # it exists from before a restart, or from the other replica
        except LokeysError as exc:
            _log.warning("cannot write event %s on %s: %s", reason, _title(regarding), exc)
            return
        self._written[name] = self._clock()

    def _written_lately(self, name: str) -> bool:
        now = self._clock()
        if len(self._written) >= MAX_REMEMBERED:
            self._written = {n: at for n, at in self._written.items() if now - at < QUIET_S}
        return now - self._written.get(name, float("-inf")) < QUIET_S

    def _event(self, regarding: Object, *, reason: str, message: str, warning: bool) -> Object:
        metadata = regarding["metadata"]
        namespace = metadata.get("namespace") or "default"
        content = "\0".join((metadata.get("uid", ""), reason, message))
        digest = hashlib.sha256(content.encode()).hexdigest()[:16]
        stamp = f"{self._now():%Y-%m-%dT%H:%M:%SZ}"
        return {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.kind,
            "metadata": {"name": f"{metadata['name'][:200]}.{digest}", "namespace": namespace},
            "involvedObject": {
                "apiVersion": regarding["apiVersion"],
                "kind": regarding["kind"],
                "name": metadata["name"],
                "namespace": metadata.get("namespace", ""),
                "uid": metadata.get("uid", ""),
                "resourceVersion": metadata.get("resourceVersion", ""),
            },
            "reason": reason,
            "message": message,
            "type": "Warning" if warning else "Normal",
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "reportingInstance": self._instance,
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "count": 1,
        }


def _fit(message: str) -> str:
    """Return a message on one line, safe for a terminal, and within an event's limit."""
    text = printable(message[:MAX_MESSAGE])
    return text.encode()[:MAX_MESSAGE].decode(errors="ignore")


def _title(regarding: Object) -> str:
    metadata = regarding["metadata"]
    return f"{regarding['kind']} {metadata.get('namespace', '')}/{metadata['name']}"
