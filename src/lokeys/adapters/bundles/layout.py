# SPDX-License-Identifier: Apache-2.0
"""What is in a bundle, file by file.

manifest.json                          what this is, when it was made, what could not be read
calls.json                             every list, event and log that was asked for, and errors
answers.json                           what stores, vaults and Lokis answered
objects/NAMESPACE/KIND/NAME.json       objects; `_` is the namespace of those that have none
logs/NAMESPACE/POD/CONTAINER.log       the end of a container's log, trimmed around errors
facts.json                             for each token: the length and form of its value
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from lokeys.core.place import Ref, is_name
from lokeys.errors import (
    BadInput,
    Conflict,
    Forbidden,
    LokeysError,
    NotFound,
    NotReadable,
    Throttled,
    Transient,
    Unreachable,
)
from lokeys.kube.replies import NoSuchKind

KIND = "Bundle"
MANIFEST, CALLS, ANSWERS, FACTS = "manifest.json", "calls.json", "answers.json", "facts.json"
CLUSTER = "_"
_Decoded = TypeVar("_Decoded")
_ERRORS: Mapping[str, Callable[[str], LokeysError]] = {
    error.__name__: error
    for error in (
        *(NoSuchKind, NotFound, Forbidden, NotReadable, Unreachable, Conflict),
        *(Throttled, Transient, BadInput),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error of the live run."""

    error: str
    message: str

    def raised(self) -> LokeysError:
        """Return the error of the live run."""
        return _ERRORS.get(self.error, NotReadable)(self.message)


def failure_of(error: LokeysError, message: str) -> Failure:
    """Return what is kept of an error: its nearest class that callers handle, and its text."""
    name = next((each.__name__ for each in type(error).__mro__ if each.__name__ in _ERRORS), "")
    return Failure(error=name or "NotReadable", message=message)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedGet:
    """An object that was requested and not returned."""

    ref: Ref
    failure: Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptList:
    """A list: the namespaces and names in it. `left_out` are not in the bundle."""

    kind: str
    namespace: str | None = None
    labels: str | None = None
    names: tuple[tuple[str | None, str], ...] = ()
    left_out: int = 0
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptEvents:
    """Events about an object."""

    about: Ref
    reason: str
    items: tuple[dict[str, Any], ...] = ()
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptLog:
    """A log: how many lines were read, and how many are kept."""

    pod: Ref
    container: str
    lines: int = 0
    kept: int = 0
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCalls:
    """All requests to the API server."""

    gets: tuple[FailedGet, ...] = ()
    lists: tuple[KeptList, ...] = ()
    events: tuple[KeptEvents, ...] = ()
    logs: tuple[KeptLog, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a bundle is. `namespace` None: of all namespaces. `not_read`: in words."""

    kind: str
    version: str
    collected_at: datetime
    namespace: str | None = None
    probe: str = "read"
    not_read: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def written(part: object) -> bytes:
    """Return a part of a bundle as JSON."""
    return msgspec.json.format(msgspec.json.encode(part), indent=1)


def read(content: bytes, form: type[_Decoded], *, place: str) -> _Decoded:
    """Return the part that JSON stands for. Raises BadInput."""
    try:
        return msgspec.json.decode(content, type=form)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        # The error's own text may quote a value.
        why = "cut off, or not JSON" if type(error) is msgspec.DecodeError else "not of this form"
        raise BadInput(
            f"not a part of a bundle: {why}", place=place, hint="collect it again"
        ) from None


def object_path(ref: Ref) -> str:
    """Return an object's path in a bundle."""
    namespace = ref.namespace or CLUSTER
    return f"objects/{_safe(namespace)}/{_safe(ref.kind)}/{_safe(ref.name)}.json"


def log_path(pod: Ref, container: str) -> str:
    """Return a log's path in a bundle."""
    return f"logs/{_safe(pod.namespace or CLUSTER)}/{_safe(pod.name)}/{_safe(container)}.log"


def _safe(name: str) -> str:
    """Return a name for a file: an object's own, otherwise without unusual characters."""
    if is_name(name.lower()) or name == CLUSTER:
        return name
    return "".join(each if each.isascii() and each.isalnum() else "-" for each in name)[:253] or "-"
