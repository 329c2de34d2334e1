# SPDX-License-Identifier: Apache-2.0
"""What the API server stand-in was asked, and the faults it plays on demand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from lokeys.demo.parts.kube_kinds import Refusal, ServedKind


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultTarget:
    """What a request is about; `subresource` "" means the object itself."""

    kind: ServedKind
    namespace: str = ""
    name: str = ""
    subresource: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRequest:
    """One request, in Kubernetes' own words: verb and resource (`pods`, `pods/eviction`)."""

    verb: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    agent: str = ""
    at: datetime
    target: FaultTarget | None = None

    @property
    def resource(self) -> str:
        """Return the resource as RBAC names it, or "" for an invalid path."""
        if self.target is None:
            return ""
        more = f"/{self.target.subresource}" if self.target.subresource else ""
        return self.target.kind.plural + more

    @property
    def writes(self) -> bool:
        """Tell whether the request asks for a change."""
        return self.verb not in {"get", "list", "watch"} and "selfsubject" not in self.path


@dataclass(slots=True, kw_only=True)
class ApiFault:
    """How some requests are answered instead; at most `times` of them (None: all)."""

    when: Callable[[SeenRequest], bool]
    code: int = 0  # 0: no refusal, only what the other fields say
    retry_after_s: int | None = None
    delay_s: float = 0
    lose_answer: bool = False  # do the work, then hang up
    times: int | None = 1

    def refusal(self, seen: SeenRequest) -> Refusal:
        """Return the Status to answer with."""
        reason, text = _REASONS.get(self.code, ("InternalError", "an error on demand"))
        details = {"retryAfterSeconds": self.retry_after_s} if self.retry_after_s else {}
        if self.code == 403:
            text = _forbidden(seen)
        return Refusal(self.code, reason, text, details=details)


_REASONS = {
    401: ("Unauthorized", "Unauthorized"),
    403: ("Forbidden", "forbidden"),
    404: ("NotFound", "the server could not find the requested resource"),
    409: ("Conflict", "the object has been modified"),
    410: ("Expired", "The provided continue parameter is too old"),
    429: ("TooManyRequests", "Too many requests, please try again later."),
    503: ("ServiceUnavailable", "the server is currently unable to handle the request"),
    504: ("Timeout", "the request did not complete in the allotted time"),
}


def _forbidden(seen: SeenRequest) -> str:
    target = seen.target
    if target is None:
        return f'forbidden: User "stand-in" cannot {seen.verb} path "{seen.path}"'
    name = f' "{target.name}"' if target.name else ""
    scope = f' in the namespace "{target.namespace}"' if target.namespace else ""
    return (
        f'{target.kind.resource}{name} is forbidden: User "stand-in" cannot {seen.verb} resource '
        f'"{seen.resource}" in API group "{target.kind.group}"{scope or " at the cluster scope"}'
    )


class Faults:
    """The faults in force, oldest first."""

    def __init__(self) -> None:
        self._faults: list[ApiFault] = []

    def add(self, fault: ApiFault) -> None:
        """Play a fault from now on."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Play none."""
        self._faults.clear()

    def take(self, seen: SeenRequest) -> ApiFault | None:
        """Return the fault that answers this request, and count it."""
        for fault in self._faults:
            if fault.times != 0 and fault.when(seen):
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None

    def forbids(self, seen: SeenRequest) -> bool:
        """Tell whether a lasting 403 stands against this request; counts nothing."""
        return any(
            fault.code == 403 and fault.times is None and fault.when(seen) for fault in self._faults
        )
