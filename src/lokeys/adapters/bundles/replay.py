# SPDX-License-Identifier: Apache-2.0
"""Answers from a bundle, as given by cluster, stores and vaults when it was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2
import msgspec

from lokeys.adapters.bundles import layout
from lokeys.adapters.bundles.answers import KeptAnswers
from lokeys.adapters.bundles.layout import KeptCalls, Manifest
from lokeys.adapters.bundles.reading import Tree
from lokeys.adapters.bundles.recording import item_of
from lokeys.core.findings.verdict import Answer, Depth, StoreVerdict
from lokeys.core.place import Hop, Ref
from lokeys.core.route.model import Bucket, OnePasswordVault, RouteSpec
from lokeys.core.route.snapshot import (
    LogLine,
    LokiMetrics,
    PodState,
    SourceState,
    Unreadable,
    VaultState,
    Why,
)
from lokeys.core.sensitive import Fingerprint, Fingerprinter, KeyPair, PairFacts, Sensitive
from lokeys.errors import BadInput, NeedsHuman, NotReadable
from lokeys.kube.client import Api
from lokeys.kube.kubeconfig import ClusterConfig
from lokeys.kube.selectors import matches
from lokeys.ports import LokiPort, PodPorts, Reading, RoutePorts

Json = Mapping[str, Any]
Objs = list[Json]
NOT_IN_BUNDLE = "not in this bundle"
_KEY = Sensitive(b"the pairs of a bundle are tokens: nothing is secret about them")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that `lokeys collect` made."""

    manifest: Manifest
    calls: KeptCalls
    answers: KeptAnswers
    objects: Mapping[Ref, Json] = field(repr=False)
    logs: Mapping[tuple[Ref, str], str] = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def not_read(self) -> tuple[str, ...]:
        """Return what makes a report on it incomplete, in addition to what a look finds."""
        return (*self.manifest.left_out, *self.notes)


def bundle_of(tree: Tree, *, place: str) -> Bundle:
    """Return the bundle in some files. Raises BadInput if a part is missing or broken."""
    manifest = _part(tree, layout.MANIFEST, Manifest, place)
    calls = _part(tree, layout.CALLS, KeptCalls, place)
    answers = _part(tree, layout.ANSWERS, KeptAnswers, place)
    if answers.at.tzinfo is None or manifest.collected_at.tzinfo is None:
        raise BadInput("not a part of a bundle: a time without its zone", place=place)
    return Bundle(
        manifest=manifest,
        calls=calls,
        answers=answers,
        objects=_objects(tree),
        logs={
            (log.pod, log.container): tree.files[path].decode(errors="replace")
            for log in calls.logs
            if (path := layout.log_path(log.pod, log.container)) in tree.files
        },
        notes=tree.told(),
    )


def _part(tree: Tree, name: str, form: Any, place: str) -> Any:
    content = tree.files.get(name)
    if content is None:
        raise BadInput(f"{name} is missing", place=place, hint="collect it again")
    return layout.read(content, form, place=f"{place}/{name}")


def _objects(tree: Tree) -> dict[Ref, Json]:
    """Return the objects by their names; notes what is not an object."""
    found: dict[Ref, Json] = {}
    for path, content in tree.files.items():
        if not path.startswith("objects/"):
            continue
        try:
            obj = msgspec.json.decode(content)
            metadata = obj["metadata"]
            ref = Ref(obj["kind"], metadata["name"], metadata.get("namespace"))
        except (
            msgspec.MsgspecError,
            ValueError,
            TypeError,
            KeyError,
            AttributeError,
            RecursionError,
        ):
            tree.note(f"{path}: cut off, or no object")
            continue
        if all(isinstance(each, str) for each in (ref.kind, ref.name, ref.namespace or "")):
            found[ref] = obj
    return found


class BundleObjects:
    """An `Objects` that answers as the API server did."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._failed = {each.ref: each.failure for each in bundle.calls.gets}
        self._lists = {(e.kind, e.namespace, e.labels): e for e in bundle.calls.lists}
        self._events = {(each.about, each.reason): each for each in bundle.calls.events}
        self._logs = {(each.pod, each.container): each for each in bundle.calls.logs}

    async def get(self, ref: Ref) -> Json:
        """Return the object; raises the live run's error."""
        if ref in self._failed:
            raise self._failed[ref].raised()
        if ref in self._bundle.objects:
            return self._bundle.objects[ref]
        raise NotReadable(f"{ref} is {NOT_IN_BUNDLE}")

    async def list(
        self, kind: str, *, namespace: str | None, labels: str | None = None
    ) -> list[Json]:
        """Return the objects of a kind; raises the live run's error."""
        told = self._lists.get((kind, namespace, labels))
        if told is None:
            return self._chosen(kind, namespace, labels)
        if told.failure is not None:
            raise told.failure.raised()
        refs = [Ref(kind, name, place) for place, name in told.names]
        return [self._bundle.objects[ref] for ref in refs if ref in self._bundle.objects]

    def _chosen(self, kind: str, namespace: str | None, labels: str | None) -> Objs:
        """Return the result of a list that was not requested, from a larger one."""
        if (kind, None, None) in self._lists:
            larger = self._lists[kind, None, None]
        elif (kind, namespace, None) in self._lists:
            larger = self._lists[kind, namespace, None]
        else:
            raise NotReadable(f"objects of kind {kind} are {NOT_IN_BUNDLE}")
        if larger.failure is not None:
            raise larger.failure.raised()
        refs = [Ref(kind, n, p) for p, n in larger.names if namespace in (None, p)]
        found = [self._bundle.objects[ref] for ref in refs if ref in self._bundle.objects]
        return [each for each in found if matches(each, labels)]

    async def events(self, about: Ref, *, reason: str) -> Sequence[Json]:
        """Return the events of the live run."""
        told = self._events.get((about, reason))
        if told is not None and told.failure is not None:
            raise told.failure.raised()
        return told.items if told is not None else ()

    async def log(self, pod: Ref, *, container: str, lines: int, max_bytes: int) -> str:
        """Return what is kept of the log; raises the live run's error."""
        del lines, max_bytes
        told = self._logs.get((pod, container))
        if told is not None and told.failure is not None:
            raise told.failure.raised()
        if told is None or (pod, container) not in self._bundle.logs:
            raise NotReadable(f"the log of {pod} is {NOT_IN_BUNDLE}")
        return self._bundle.logs[pod, container]


@dataclass(frozen=True, slots=True)
class _Fingerprinter(Fingerprinter):
    """Names the pairs of a bundle as the live run named those behind their tokens."""

    known: Mapping[Fingerprint, PairFacts] = field(default_factory=dict)
    name: str = ""

    @property
    def key_name(self) -> str:
        """Return the name of the live run's key."""
        return self.name

    def describe(self, pair: KeyPair) -> PairFacts:
        """Return what the live run knew about the pair; otherwise what its form shows."""
        own = Fingerprinter(self.key, self.kept).describe(pair)
        return self.known.get(own.pair, own)


def fingerprinter_of(answers: KeptAnswers) -> Fingerprinter:
    """Return a fingerprinter that names pairs as the live run did."""
    plain = Fingerprinter(_KEY, answers.kept)
    known = {plain.describe(pair).pair: facts for pair, facts in _pairs(answers)}
    return _Fingerprinter(_KEY, answers.kept, known, answers.key_name)


def _pairs(answers: KeptAnswers) -> list[tuple[KeyPair, PairFacts]]:
    return [
        (
            KeyPair(
                access_key_id=Sensitive(_bytes(each.access_key_id)),
                secret_access_key=Sensitive(_bytes(each.secret_access_key)),
            ),
            each.facts,
        )
        for each in answers.pairs
    ]


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def replaying(spec: RouteSpec, ports: RoutePorts, answers: KeptAnswers) -> RoutePorts:
    """Return the ports of a route that answer as store, vault, source and Loki did."""
    pairs = {facts.pair: pair for pair, facts in _pairs(answers)}
    names = fingerprinter_of(answers)
    source = next((each for each in answers.sources if each.route == spec.route), None)
    vault = ports.vault
    if isinstance(spec.vault, OnePasswordVault):
        item = item_of(spec.vault)
        told = next((each for each in answers.vaults if each.item == item), None)
        gap = Unreadable(hop=Hop.VAULT, ref=item, why=Why.NOT_SUPPORTED, detail=NOT_IN_BUNDLE)
        vault = _Vault(
            Reading(state=told.state, pair=pairs.get(told.pair or Fingerprint("")), gaps=told.gaps)
            if told
            else Reading(gaps=(gap,))
        )
    return replace(
        ports,
        source=ports.source
        if source is None
        else _Source(
            Reading(
                state=source.state,
                pair=pairs.get(source.pair or Fingerprint("")),
                gaps=source.gaps,
            )
        ),
        vault=vault,
        store=_Store(answers, spec.bucket, names),
        loki=_Loki(ports.loki, answers),
    )


def replaying_pods(ports: PodPorts, answers: KeptAnswers) -> PodPorts:
    """Return the ports to pods without a route that answer as their Loki did."""
    return replace(ports, loki=_Loki(ports.loki, answers))


class _Source:
    def __init__(self, reading: Reading[SourceState]) -> None:
        self._reading = reading

    async def read(self) -> Reading[SourceState]:
        return self._reading

    async def refresh(self) -> None:
        raise _looked_at()

    async def ensure_user(self) -> bool:
        raise _looked_at()


class _Vault:
    def __init__(self, reading: Reading[VaultState]) -> None:
        self._reading = reading

    async def read(self, *, afresh: bool = False) -> Reading[VaultState]:
        del afresh
        return self._reading

    async def write(self, pair: KeyPair, *, over: Fingerprint) -> VaultState:
        del pair, over
        raise _looked_at()


class _Store:
    def __init__(self, answers: KeptAnswers, bucket: Bucket, names: Fingerprinter) -> None:
        self._at = answers.at
        self._names = names
        self._said = {
            each.pair: each.verdict
            for each in answers.stores
            if (each.endpoint, each.bucket) == (bucket.endpoint, bucket.name)
        }

    async def try_list(self, pair: KeyPair) -> StoreVerdict:
        told = self._said.get(self._names.describe(pair).pair)
        if told is not None:
            return told
        return StoreVerdict(
            answer=Answer.UNREACHABLE,
            depth=Depth.LIST,
            at=self._at,
            detail=f"the store's answer is {NOT_IN_BUNDLE}",
        )

    async def try_fully(self, pair: KeyPair) -> StoreVerdict:
        return await self.try_list(pair)

    async def try_everywhere(self, pair: KeyPair) -> Mapping[str, StoreVerdict]:
        return {"": await self.try_list(pair)}

    async def bucket_exists(self, pair: KeyPair) -> bool:
        del pair
        raise _looked_at()

    async def create_bucket(self, pair: KeyPair) -> None:
        del pair
        raise _looked_at()


class _Loki:
    def __init__(self, files: LokiPort, answers: KeptAnswers) -> None:
        self._files = files
        self._told = {each.pod: each for each in answers.metrics}

    async def metrics(self, pod: PodState) -> LokiMetrics | Unreadable:
        told = self._told.get(pod.uid)
        found = (told.counted or told.gap) if told is not None else None
        if found is not None:
            return found
        why = f"its counters are {NOT_IN_BUNDLE}"
        return Unreadable(hop=Hop.PODS, ref=pod.ref, why=Why.NOT_SUPPORTED, detail=why)

    async def log(self, pod: PodState) -> tuple[LogLine, ...] | Unreadable:
        return await self._files.log(pod)

    async def flush(self, pod: PodState) -> None:
        del pod
        raise _looked_at()


def _looked_at() -> NeedsHuman:
    return NeedsHuman("a bundle is looked at; nothing can be changed in it")


class _NoWay(httpx2.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("nobody is asked for a bundle", request=request)


def no_way(*_: object) -> httpx2.AsyncBaseTransport:
    """Return a transport that sends nothing: hosts in a bundle are never contacted."""
    return _NoWay()


def no_api() -> Api:
    """Return an API server that gives no answer: only the bundle is used."""
    config = ClusterConfig(
        context_name="bundle", origin="bundle", cluster={"server": "https://bundle.invalid"}
    )
    return Api(config, transport=_NoWay())
