# SPDX-License-Identifier: Apache-2.0
"""Makes the files of a bundle from what was recorded, without secrets, and limited in size."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from lokeys import __version__
from lokeys.adapters.bundles import layout
from lokeys.adapters.bundles.answers import (
    KeptAnswers,
    KnownPair,
    MetricsAnswer,
    SourceAnswer,
    StoreAnswer,
    VaultAnswer,
)
from lokeys.adapters.bundles.layout import (
    FailedGet,
    KeptCalls,
    KeptEvents,
    KeptList,
    KeptLog,
    Manifest,
    failure_of,
)
from lokeys.adapters.bundles.recording import Recorder
from lokeys.adapters.bundles.redaction import Redactor
from lokeys.adapters.bundles.trimming import trimmed
from lokeys.bounded_yaml import built
from lokeys.core.kubernetes.loki.reading import reading_of
from lokeys.core.kubernetes.size import MAX_LOKI_CONFIG_VALUES
from lokeys.core.place import Ref
from lokeys.core.route.snapshot import Unreadable
from lokeys.core.sensitive import Fingerprint, KeyPair
from lokeys.errors import BadInput, LokeysError, NotFound

MAX_BYTES = 64 << 20
"""For all files, uncompressed."""
_WORKLOADS = frozenset({"StatefulSet", "Deployment", "DaemonSet"})
_PARSE = partial(built, max_values=MAX_LOKI_CONFIG_VALUES)
_FOLDER = "lokeys-bundle"


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedRun:
    """The run that was recorded."""

    at: datetime
    namespace: str | None
    probe: str
    kept: bool
    key_name: str
    not_read: tuple[str, ...] = ()


@dataclass(slots=True)
class _Maker:
    """Makes the files one by one, as long as there is room."""

    recorder: Recorder
    run: CollectedRun
    room: int = MAX_BYTES
    redactor: Redactor = field(default_factory=Redactor)
    files: dict[str, bytes] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def made(self) -> dict[str, bytes]:
        objects = self._objects()
        self._learn(objects)
        here = {ref for ref, obj in objects.items() if self._put(ref, obj)}
        calls = KeptCalls(
            gets=tuple(self._gets()),
            lists=tuple(self._lists(here, missing=objects.keys() - here)),
            events=tuple(self._events()),
            logs=tuple(self._logs()),
        )
        self._add(layout.CALLS, layout.written(calls), always=True)
        answers = self.redactor.without_known(layout.written(self._answers()).decode())
        self._add(layout.ANSWERS, answers.encode(), always=True)
        self._add(layout.FACTS, layout.written(self.redactor.tokens.facts), always=True)
        self._add(layout.MANIFEST, layout.written(self._manifest(calls)), always=True)
        return dict(sorted(self.files.items()))

    def _objects(self) -> dict[Ref, Mapping[str, Any]]:
        """Return every object once, what was asked for by name first."""
        found = {r: o for r, o in self.recorder.gets.items() if not isinstance(o, LokeysError)}
        for (kind, *_), items in self.recorder.lists.items():
            for item in [] if isinstance(items, LokeysError) else items:
                ref = _ref_of(kind, item)
                if ref not in found and (kind not in _WORKLOADS or _runs_loki(ref, item)):
                    found[ref] = item
        return found

    def _learn(self, objects: Mapping[Ref, Mapping[str, Any]]) -> None:
        for ref, obj in objects.items():
            self.redactor.learn_object({**obj, "kind": ref.kind})
        for pair, _ in self.recorder.pairs.values():
            for half in (pair.access_key_id, pair.secret_access_key):
                self.redactor.learn(half.reveal_text())

    def _put(self, ref: Ref, obj: Mapping[str, Any]) -> bool:
        told = self.redactor.object({**obj, "kind": ref.kind})
        return self._add(layout.object_path(ref), layout.written(told), what=str(ref))

    def _add(self, path: str, content: bytes, *, what: str = "", always: bool = False) -> bool:
        if not always and len(content) > self.room:
            self.left_out.append(f"{what}: the bundle would be larger than {MAX_BYTES >> 20} MiB")
            return False
        self.room -= len(content)
        self.files[path] = content
        return True

    def _gets(self) -> Iterator[FailedGet]:
        for ref, answer in self.recorder.gets.items():
            if isinstance(answer, LokeysError):
                yield FailedGet(ref=ref, failure=self._failure(answer))

    def _lists(self, here: set[Ref], *, missing: set[Ref]) -> Iterator[KeptList]:
        for (kind, namespace, labels), items in self.recorder.lists.items():
            call = KeptList(kind=kind, namespace=namespace, labels=labels)
            if isinstance(items, LokeysError):
                yield replace(call, failure=self._failure(items))
                continue
            refs = [_ref_of(kind, item) for item in items]
            names = tuple((ref.namespace, ref.name) for ref in refs if ref in here)
            yield replace(call, names=names, left_out=sum(ref in missing for ref in refs))

    def _events(self) -> Iterator[KeptEvents]:
        for (about, reason), items in self.recorder.events.items():
            if isinstance(items, LokeysError):
                yield KeptEvents(about=about, reason=reason, failure=self._failure(items))
            else:
                told = tuple(self.redactor.object({**each, "kind": "Event"}) for each in items)
                yield KeptEvents(about=about, reason=reason, items=told)

    def _logs(self) -> Iterator[KeptLog]:
        for (pod, container), text in self.recorder.logs.items():
            if isinstance(text, LokeysError):
                yield KeptLog(pod=pod, container=container, failure=self._failure(text))
                continue
            lines = text.split("\n")
            kept = trimmed(lines)
            told = self.redactor.text("\n".join(kept)).encode(errors="replace")
            if self._add(layout.log_path(pod, container), told, what=f"the log of {pod}"):
                yield KeptLog(pod=pod, container=container, lines=len(lines), kept=len(kept))

    def _failure(self, error: LokeysError) -> layout.Failure:
        return failure_of(error, self.redactor.text(str(error)))

    def _answers(self) -> KeptAnswers:
        recorder, tokens = self.recorder, self.redactor.tokens
        return KeptAnswers(
            at=self.run.at,
            key_name=self.run.key_name,
            kept=self.run.kept,
            pairs=tuple(
                KnownPair(
                    access_key_id=tokens.of(pair.access_key_id.reveal_text()),
                    secret_access_key=tokens.of(pair.secret_access_key.reveal_text()),
                    facts=facts,
                )
                for pair, facts in recorder.pairs.values()
            ),
            stores=tuple(
                StoreAnswer(endpoint=endpoint, bucket=bucket, pair=pair, verdict=verdict)
                for (endpoint, bucket, pair), verdict in recorder.stores.items()
            ),
            vaults=tuple(
                VaultAnswer(item=item, state=r.state, pair=self._named(r.pair), gaps=r.gaps)
                for item, r in recorder.vaults.items()
            ),
            sources=tuple(
                SourceAnswer(route=route, state=r.state, pair=self._named(r.pair), gaps=r.gaps)
                for route, r in recorder.sources.items()
            ),
            metrics=tuple(
                MetricsAnswer(pod=pod, gap=told)
                if isinstance(told, Unreadable)
                else MetricsAnswer(pod=pod, counted=told)
                for pod, told in recorder.metrics.items()
            ),
        )

    def _named(self, pair: KeyPair | None) -> Fingerprint | None:
        known = self.recorder.pairs.items()
        return next((name for name, (each, _) in known if each == pair), None)

    def _manifest(self, calls: KeptCalls) -> Manifest:
        failures = (
            *(each.failure for each in calls.gets),
            *(each.failure for each in calls.lists),
            *(each.failure for each in calls.events),
            *(each.failure for each in calls.logs),
        )
        refused = [f.message for f in failures if f and not isinstance(f.raised(), NotFound)]
        said = [self.redactor.text(each) for each in self.run.not_read]
        return Manifest(
            kind=layout.KIND,
            version=__version__,
            collected_at=self.run.at,
            namespace=self.run.namespace,
            probe=self.run.probe,
            not_read=tuple(dict.fromkeys((*said, *refused))),
            left_out=tuple(self.left_out),
        )


def files_of(
    recorder: Recorder, run: CollectedRun, *, max_bytes: int = MAX_BYTES
) -> dict[str, bytes]:
    """Return the files of a bundle by their paths. No secret value is in any of them."""
    return _Maker(recorder, run, room=max_bytes).made()


def _ref_of(kind: str, item: Mapping[str, Any]) -> Ref:
    return Ref(kind, item["metadata"]["name"], item["metadata"].get("namespace"))


def _runs_loki(ref: Ref, item: Mapping[str, Any]) -> bool:
    """Tell whether a look continues with a workload; others are left out."""
    return reading_of(item, owner=ref, held={}, parse=_PARSE) is not None


def write(files: Mapping[str, bytes], path: Path) -> None:
    """Write a bundle into a new folder, or into a new .tar.gz, readable only by its owner.

    Raises BadInput if it exists already, or cannot be written.
    """
    try:
        if path.name.endswith((".tar.gz", ".tgz")):
            _create(path, _packed(files))
            return
        path.mkdir(mode=0o700, parents=True)
        for name, content in files.items():
            place = path / name
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _create(place, content)
    except FileExistsError:
        hint = "name a new folder, or a new .tar.gz, with -o"
        raise BadInput("there is something already", place=str(path), hint=hint) from None
    except OSError as error:
        raise BadInput(f"cannot be written: {error.strerror}", place=str(path)) from error


def _create(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def _packed(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for name, content in files.items():
            entry = tarfile.TarInfo(f"{_FOLDER}/{name}")
            entry.size, entry.mode = len(content), 0o600
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()
