# SPDX-License-Identifier: Apache-2.0
"""What is found on the way from a running Loki to where its key is minted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

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
"""Stands where something must be filled in; no object can have this name."""

Notes = dict[str, str]
"""What is to be said about a field, by its path in the manifest."""

GUESS = "spec.source.rook.user"
"""Where it is said how sure a user of Rook is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A container's variables: plain values, and which key of which Secret the others are."""

    values: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LokiStorage:
    """Where Loki writes; empty where its configuration does not say.

    `variables` name the environment variables of the pair, where the configuration names them.
    """

    bucket: str = ""
    endpoint: str = ""
    region: str = ""
    path_style: bool = True
    variables: PairKeys | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LokiWorkload:
    """A workload that runs Loki: its object, its container and the pair's place in its Secret."""

    ref: Ref
    container: str
    secret: SecretRef | None
    storage: LokiStorage
    port: int = 3100

    @property
    def as_workload(self) -> Workload:
        """Return it as a route lists it."""
        metrics = MetricsEndpoint(port=self.port)
        return Workload(
            kind=self.ref.kind, name=self.ref.name, container=self.container, metrics=metrics
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A user of Rook whose key Loki may have. `key_id` is as Kubernetes encodes it."""

    source: RookSource
    key_id: str | None = field(repr=False)
    endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovered:
    """A route as far as it can be told. `notes` stand by the field's path in the manifest.

    `sure` is False where the source is a guess: its key must prove itself at the bucket first.
    """

    spec: RouteSpec
    notes: Mapping[str, str] = field(default_factory=dict)
    sure: bool = True
    candidates: tuple[RookSource, ...] = ()
    """Users whose key this may be, where the key id itself does not tell."""

    @property
    def blanks(self) -> tuple[str, ...]:
        """Return the paths that a person has to fill in."""
        return tuple(path for path, note in self.notes.items() if UNKNOWN in note)

    @property
    def lookable(self) -> bool:
        """Tell whether a look at the route makes sense: bucket and endpoint are known."""
        return UNKNOWN not in (self.spec.bucket.name, self.spec.bucket.endpoint)

    @property
    def proved(self) -> RouteSpec:
        """Return what of the route may be judged: no guess, and nothing that is still to be said.

        So no finding rests on a guess.
        """
        spec = self.spec if self.sure else replace(self.spec, source=UnknownSource())
        vague = any(path.startswith("spec.vault") for path in self.blanks)
        return replace(spec, vault=None) if vague else spec

    @property
    def doubt(self) -> str:
        """Return what could not be told of the route, and what is compared without it."""
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
