# SPDX-License-Identifier: Apache-2.0
"""Answers of systems other than the API server to a collecting run, as a bundle keeps them.

Keys are named by their fingerprints. `pairs` says which tokens a fingerprint belongs to, so that a
reader of the bundle names each pair as the live run did.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from lokeys.core.findings.verdict import StoreVerdict
from lokeys.core.place import Ref
from lokeys.core.route.snapshot import LokiMetrics, SourceState, Unreadable, VaultState
from lokeys.core.sensitive import Fingerprint, PairFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPair:
    """A pair by its tokens, and what the run that read it knew about it."""

    access_key_id: str
    secret_access_key: str
    facts: PairFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAnswer:
    """What a store said about a pair."""

    endpoint: str
    bucket: str
    pair: Fingerprint
    verdict: StoreVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultAnswer:
    """What a vault held."""

    item: Ref
    state: VaultState | None = None
    pair: Fingerprint | None = None
    gaps: tuple[Unreadable, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceAnswer:
    """What a source said that is not in the cluster's objects."""

    route: str
    state: SourceState | None = None
    pair: Fingerprint | None = None
    gaps: tuple[Unreadable, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsAnswer:
    """The counters of the Loki in a pod, or why they could not be read."""

    pod: str
    counted: LokiMetrics | None = None
    gap: Unreadable | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswers:
    """All answers of one run, and its time."""

    at: datetime
    key_name: str = ""
    kept: bool = False
    pairs: tuple[KnownPair, ...] = ()
    stores: tuple[StoreAnswer, ...] = ()
    vaults: tuple[VaultAnswer, ...] = ()
    sources: tuple[SourceAnswer, ...] = ()
    metrics: tuple[MetricsAnswer, ...] = field(default=())
