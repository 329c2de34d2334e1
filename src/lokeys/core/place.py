# SPDX-License-Identifier: Apache-2.0
"""Where something is: an object by its name, a hop by its position on a route."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

_LABEL = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")
_NAMESPACE = re.compile(_LABEL)


def is_name(text: object) -> bool:
    """Tell whether an object can have this name: a DNS subdomain (RFC 1123)."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


def is_namespace(text: object) -> bool:
    """Tell whether a namespace can have this name: a DNS label (RFC 1123)."""
    return isinstance(text, str) and _NAMESPACE.fullmatch(text) is not None


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
    """The hops of a static key, in the order of its route."""

    SOURCE = "source"
    VAULT = "vault"
    DELIVERY = "delivery"
    VALUES = "values"
    RELEASE = "release"
    SECRET = "secret"
    PODS = "pods"
    STORE = "store"
