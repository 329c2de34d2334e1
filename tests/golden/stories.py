# SPDX-License-Identifier: Apache-2.0
"""Reads a golden case: what differs from a healthy route, in the words of `builders`.

    story: what happened, in a sentence
    source: B                                  a pair's word, or a mapping of what differs
    vault: {pair: A, version: 7}
    store: {A: UNKNOWN_KEY, B: ACCEPTED}       what the store says of each pair
    pods: {loki-0: {ready: false, refused: 41, prints: ["level=error err=..."]}}
    memory: {content: {pair: B, since: -5m}}
    unreadable: [{hop: SECRET, ref: Secret monitoring/loki, why: FORBIDDEN}]

Enums go by their names, times as `-5m` before now and `+5m` after it, references as
`Kind namespace/name`.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, NewType, Union, get_args, get_origin, get_type_hints

import yaml

import builders
from builders import NOW, a_pair, a_pod, a_route, a_workload, look, said
from lokeys.core.findings.verdict import Answer, StoreVerdict
from lokeys.core.place import Ref
from lokeys.core.route.loki_log import complaints
from lokeys.core.route.memory import Memory
from lokeys.core.route.model import (
    AwsIamSource,
    ClaimSource,
    ExternalSecretRef,
    OnePasswordVault,
    RgwSource,
    RookSource,
    SecretRef,
    SecretSource,
)
from lokeys.core.route.slots import Slot
from lokeys.core.route.snapshot import (
    DeliveryState,
    LokiMetrics,
    PodState,
    SecretState,
    Snapshot,
    SourceState,
    VaultState,
    WorkloadState,
)
from lokeys.core.sensitive import PairFacts

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SOURCES = {
    "rook": RookSource,
    "rgw": RgwSource,
    "secret": SecretSource,
    "awsIAM": AwsIamSource,
    "objectBucketClaim": ClaimSource,
}
_PARTS: dict[str, type] = {
    "vault": OnePasswordVault,
    "secret": SecretRef,
    "values": SecretRef,
    "made_by": Ref,
}
_HOPS: dict[str, tuple[type, Callable[..., Any]]] = {
    "source": (SourceState, builders.a_source),
    "vault": (VaultState, builders.a_vault),
    "secret": (SecretState, builders.a_secret),
    "delivery": (DeliveryState, builders.a_delivery),
}


def read_story(path: Path) -> tuple[str, Snapshot]:
    """Return the sentence and the look that a case file tells."""
    told = yaml.safe_load(path.read_text())
    story = told.pop("story")
    route = told.pop("route", {})
    changes: dict[str, Any] = {"spec": a_route(**{k: _route(k, v) for k, v in route.items()})}
    for name, (state, build) in _HOPS.items():
        if name in told:
            changes[name] = _hop(told.pop(name), state, build)
    if "store" in told:
        verdicts = {a_pair(word): _verdict(raw) for word, raw in told.pop("store").items()}
        changes["verdicts"] = verdicts
    if "pods" in told:
        pods = told.pop("pods").items()
        changes["pods"] = tuple(_pod(name, dict(raw or {})) for name, raw in pods)
    if "workloads" in told:
        changes["workloads"] = tuple(map(_workload, told.pop("workloads")))
    if "memory" in told:
        changes["memory"] = Memory(**_known(Memory, told.pop("memory")))
    changes |= _known(Snapshot, told)
    return story, look(**changes)


def _workload(raw: dict[str, Any]) -> WorkloadState:
    """Return a workload; `writes_to` is the builder's own word."""
    writes_to = raw.pop("writes_to", "")
    return a_workload(writes_to=writes_to, **_known(WorkloadState, raw))


def _pod(name: str, raw: dict[str, Any]) -> PodState:
    lines = raw.pop("prints", None)
    known = _known(PodState, raw)
    return a_pod(name, **known) if lines is None else a_pod(name, **known, log=complaints(lines))


def _hop(raw: Any, state: type, build: Callable[..., Any]) -> Any:
    if raw is None or isinstance(raw, str):
        return raw if raw is None else build(a_pair(raw))
    return build(**_known(state, raw))


def _verdict(raw: Any) -> StoreVerdict:
    if isinstance(raw, str):
        return said(Answer[raw])
    return said(**_known(StoreVerdict, raw))


def _route(name: str, raw: Any) -> Any:
    if name == "source":
        (kind, given) = next(iter(raw.items()))
        return _value(_SOURCES[kind], given)
    if name == "external_secret" and raw is not None:
        return ExternalSecretRef(**raw)
    if name in _PARTS and raw is not None:
        return _value(_PARTS[name], raw)
    return raw


def _known(kind: type, raw: Mapping[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    if kind is PodState:
        hints |= get_type_hints(LokiMetrics)
    return {name: _value(hints[name], value) for name, value in raw.items()}


def _value(hint: Any, raw: Any) -> Any:  # noqa: PLR0911 - one line a form
    """Return what a YAML value means where `hint` is wanted."""
    if get_origin(hint) in (Union, types.UnionType):
        choices = [choice for choice in get_args(hint) if choice is not type(None)]
        return None if raw is None else _value(choices[0], raw)
    if get_origin(hint) is tuple and get_args(hint)[0] is Slot:
        return builders.live(*map(a_pair, raw))
    if get_origin(hint) is tuple and ... not in get_args(hint):
        return tuple(_value(each, item) for each, item in zip(get_args(hint), raw, strict=True))
    if get_origin(hint) in (tuple, frozenset):
        return get_origin(hint)(_value(get_args(hint)[0], item) for item in raw)
    if isinstance(get_origin(hint), type) and issubclass(get_origin(hint), Mapping):
        return {name: _value(get_args(hint)[1], item) for name, item in raw.items()}
    if isinstance(hint, NewType):
        return a_pair(raw).pair
    if isinstance(hint, type):
        return _plain(hint, raw)
    return raw


def _plain(hint: type, raw: Any) -> Any:  # noqa: PLR0911 - one line a type
    if hint is PairFacts:
        return a_pair(raw)
    if hint is datetime:
        later = raw.startswith("+")
        away = _duration(raw.lstrip("+-"))
        return NOW + away if later else NOW - away
    if hint is timedelta:
        return _duration(raw)
    if hint is Ref:
        kind, _, rest = raw.partition(" ")
        namespace, _, name = rest.rpartition("/")
        return Ref(kind, name, namespace or None)
    if issubclass(hint, Enum):
        return hint[raw]
    if is_dataclass(hint) and isinstance(raw, Mapping):
        return hint(**_known(hint, raw))
    return raw


def _duration(text: str) -> timedelta:
    found = re.fullmatch(r"(\d+)([smhd])", text)
    if found is None:
        raise ValueError(f"no duration: {text}")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
