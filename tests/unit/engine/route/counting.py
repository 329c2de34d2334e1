# SPDX-License-Identifier: Apache-2.0
"""Ports that count how often they are asked."""

from collections import Counter
from dataclasses import replace
from typing import Any

from lokeys.ports import RoutePorts


class Counted:
    """Wraps a port; `calls` counts each method by name."""

    def __init__(self, name: str, port: Any, calls: Counter[str]) -> None:
        self._name = name
        self._port = port
        self._calls = calls

    def __getattr__(self, method: str) -> Any:
        call = getattr(self._port, method)

        async def counted(*args: Any, **words: Any) -> Any:
            self._calls[f"{self._name}.{method}"] += 1
            return await call(*args, **words)

        return counted


def counted(ports: RoutePorts) -> tuple[RoutePorts, Counter[str]]:
    """Return the ports, counted."""
    calls: Counter[str] = Counter()
    names = ("source", "vault", "delivery", "secret", "workloads", "store", "loki")
    wrapped: dict[str, Any] = {name: Counted(name, getattr(ports, name), calls) for name in names}
    return replace(ports, **wrapped), calls
