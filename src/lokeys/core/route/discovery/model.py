# SPDX-License-Identifier: Apache-2.0
"""What is found on the way from a running Loki to where its key is created."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from lokeys.core.kubernetes.loki.model import InFile, LokiStorage, PairPlace, RunningLoki
from lokeys.core.place import Ref
from lokeys.core.route.model import (
    MetricsEndpoint,
    PairKeys,
    RookSource,
    RouteSpec,
    SecretRef,
    UnknownSource,
    Workload,
    source_ref,
)

UNKNOWN = "CHANGE-ME"
"""Marks what must be filled in; no object can have this name."""

Notes = dict[str, str]
"""Notes about fields, by their path in the manifest."""

_STEP = re.compile(r"[-_a-zA-Z0-9]{1,100}")
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")

GUESS = "spec.source.rook.user"
"""The field whose note says how certain a user of Rook is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LokiWorkload:
    """A workload that runs Loki. `stack`: the LokiStack whose component it is."""

    ref: Ref
    loki: RunningLoki
    stack: str | None = None

    @property
    def secret(self) -> SecretRef | None:
        """Return the Secret with both halves of its pair, or the place in a text."""
        pair = self.loki.pair
        halves = pair.data_keys if pair else None
        if halves is None:
            return _inside(pair) if pair else None
        keys = PairKeys(access_key_id=halves[0].key, secret_access_key=halves[1].key)
        return SecretRef(name=halves[0].ref.name, keys=keys)

    @property
    def storage(self) -> LokiStorage:
        """Return where it writes."""
        return self.loki.storage

    @property
    def as_workload(self) -> Workload:
        """Return it as a route lists it: a stack stands for all of its components."""
        return replace(self.alone, kind="LokiStack", name=self.stack) if self.stack else self.alone

    @property
    def alone(self) -> Workload:
        """Return it by itself, even as a component of a stack."""
        metrics = MetricsEndpoint(port=self.loki.port)
        container = self.loki.container
        return Workload(
            kind=self.ref.kind, name=self.ref.name, container=container, metrics=metrics
        )


def _inside(pair: PairPlace) -> SecretRef | None:
    """Return the text with both halves, if a resource can name their places."""
    one, other = pair.key_id, pair.secret
    if pair.in_url or not (isinstance(one, InFile) and isinstance(other, InFile)):
        return None
    named = all(_STEP.fullmatch(step) for step in (*one.path, *other.path))
    if one.file != other.file or not named or not _DATA_KEY.fullmatch(one.file.key):
        return None
    keys = PairKeys(access_key_id=".".join(one.path), secret_access_key=".".join(other.path))
    place = one.file.ref
    return SecretRef(name=place.name, kind=place.kind, inside=one.file.key, keys=keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A user of Rook whose key Loki may have. `key_id` is as Kubernetes encodes it."""

    source: RookSource
    key_id: str | None = field(repr=False)
    endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovered:
    """A route as far as it is known. `notes` are by the field's path in the manifest.

    `sure` is False if the source is a guess: its key must first be proved at the bucket.
    """

    spec: RouteSpec
    notes: Mapping[str, str] = field(default_factory=dict)
    sure: bool = True
    candidates: tuple[RookSource, ...] = ()
    """Users whose key this may be, if the key id does not decide it."""

    @property
    def blanks(self) -> tuple[str, ...]:
        """Return the paths that a person has to fill in."""
        return tuple(path for path, note in self.notes.items() if UNKNOWN in note)

    @property
    def lookable(self) -> bool:
        """Tell whether the route can be examined: bucket and endpoint are known."""
        return UNKNOWN not in (self.spec.bucket.name, self.spec.bucket.endpoint)

    @property
    def proved(self) -> RouteSpec:
        """Return the part of the route that may be judged: no guess, and nothing left to fill in.

        So no finding is based on a guess.
        """
        spec = self.spec if self.sure else replace(self.spec, source=UnknownSource())
        vague = any(path.startswith("spec.vault") for path in self.blanks)
        return replace(spec, vault=None) if vague else spec

    @property
    def doubt(self) -> str:
        """Return what is not known about the route, and what is compared without it."""
        lost = [self.notes[path].replace(f"{UNKNOWN}: ", "") for path in self.blanks]
        if not self.sure and "spec.source" not in self.blanks:
            lost += [f"{source_ref(self.spec)} is {self.notes[GUESS]}"]
        if not lost:
            return ""
        left = self.proved
        if not self.sure and left.vault is None:
            lost.append("its Secret is compared with nothing before it")
        else:
            lost.append(f"{'vault' if not self.sure else 'source'} and Secret are compared")
        return "; ".join(lost)
