# SPDX-License-Identifier: Apache-2.0
"""Where something is: an object by its name, a hop by its place on a key's way."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """The name of one object; prints as people write it."""

    kind: str
    name: str
    namespace: str | None = None

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else self.path

    @property
    def path(self) -> str:
        """Return `Kind/name`, for places where the namespace is known."""
        return f"{self.kind}/{self.name}"


class Hop(StrEnum):
    """The places a static key passes, in the order of its way."""

    SOURCE = "source"
    VAULT = "vault"
    DELIVERY = "delivery"
    SECRET = "secret"
    PODS = "pods"
    STORE = "store"
