# SPDX-License-Identifier: Apache-2.0
"""A Loki stand-in: takes lines over HTTP, keeps a WAL, flushes chunks with the key it started with.

As the real one it is ready whatever its key is worth, retries refused flushes forever, and hangs
in its shutdown flush while the key is dead; only the WAL then keeps the lines.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from lokeys.clock import utc_now
from lokeys.core.sensitive import KeyPair
from lokeys.demo.parts.loki_log import Counters, Log, exposition
from lokeys.demo.parts.loki_store import ChunkStore, StorageSettings, StoreError
from lokeys.http_server import HttpRequest, HttpServer, Listen, Response, text
from lokeys.http_server import json as json_answer

Entry = tuple[str, str]
"""Nanoseconds as text, and the line."""

PORT = 3100


class Spelling(StrEnum):
    """Which object-store client's words and metrics a Loki has."""

    CURRENT = "current"
    OLDER = "older"


@dataclass(frozen=True, slots=True, kw_only=True)
class LokiBehaviour:
    """How a Loki stand-in behaves. The real one waits 15 s until ready, and 10 s between tries."""

    storage: StorageSettings
    spelling: Spelling = Spelling.CURRENT
    flush_every_s: float = 0.5
    min_ready_s: float = 0.2
    ready_needs_storage: bool = False  # as with a sidecar or probe that looks at the storage


class Wal:
    """Lines that the store does not have yet, in a file that may outlive the process."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "wal.jsonl"

    def replay(self) -> dict[str, list[Entry]]:
        """Return the lines of an earlier life, by stream."""
        streams: dict[str, list[Entry]] = {}
        if self._file.exists():
            for row in self._file.read_text().splitlines():
                stream, at, line = json.loads(row)
                streams.setdefault(stream, []).append((at, line))
        return streams

    def append(self, stream: str, entries: list[Entry]) -> None:
        """Keep some lines."""
        with self._file.open("a") as file:
            file.writelines(json.dumps([stream, *entry]) + "\n" for entry in entries)

    def checkpoint(self, streams: dict[str, list[Entry]]) -> None:
        """Keep these lines and no others."""
        self._file.write_text("")
        for stream, entries in streams.items():
            self.append(stream, entries)


@dataclass(kw_only=True)
class Loki:
    """One Loki process. Entering starts it; leaving kills it; `stop` asks it to end by itself."""

    settings: LokiBehaviour
    pair: KeyPair = field(repr=False)
    wal: Path
    host: str = "127.0.0.1"
    port: int = 0
    on_ready: Callable[[], None] = lambda: None  # called whenever `ready` may have changed
    clock: Callable[[], datetime] = utc_now

    def __post_init__(self) -> None:
        older = self.settings.spelling is Spelling.OLDER
        self.log = Log(self.clock)
        self.counters = Counters(started_at=self.clock())
        self.store = ChunkStore(self.settings.storage, self.pair, older=older)
        self.stopping = False
        self._wal = Wal(self.wal)
        self._streams: dict[str, list[Entry]] = {}
        self._refused = False
        self.settled = False
        self._retries = 0
        self._flush_now = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._server = HttpServer(self._handle, Listen(host=self.host, port=self.port))

    @property
    def ready(self) -> bool:
        """Tell what `/ready` says."""
        blocked = self.settings.ready_needs_storage and self._refused
        return self.settled and not self.stopping and not blocked

    @property
    def url(self) -> str:
        """Return where it listens."""
        return self._server.url

    async def __aenter__(self) -> Self:
        self._replay()
        await self._server.start()
        self.log("info", "main.go:146", "Starting Loki", version="(version=3.7.8-stand-in)")
        self._tasks = [asyncio.create_task(self._settle()), asyncio.create_task(self._flush_loop())]
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self.stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.stop()
        await self.store.close()

    async def stop(self) -> None:
        """Do what SIGTERM asks for: flush everything, however long that takes, then return."""
        self.stopping = True
        self.log("info", "signals.go:62", "=== received SIGINT/SIGTERM ===\n*** exiting")
        self.on_ready()
        while self._streams:
            self._flush_now.set()
            await asyncio.sleep(min(0.05, self.settings.flush_every_s))
        self.log("info", "wal.go:157", "stopped", component="wal")

    def push(self, streams: list[dict[str, Any]]) -> None:
        """Take lines in Loki's push format."""
        for pushed in streams:
            labels = sorted(pushed["stream"].items())
            stream = "{" + ", ".join(f'{name}="{value}"' for name, value in labels) + "}"
            entries = [(str(at), str(line)) for at, line, *_ in pushed["values"]]
            self._wal.append(stream, entries)
            self._streams.setdefault(stream, []).extend(entries)
        self.counters.chunks_in_memory = len(self._streams)

    async def lines(self) -> list[tuple[str, str, str]]:
        """Return all lines as (time, stream, line), from memory and from the store."""
        found = {(at, stream, line) for stream, kept in self._streams.items() for at, line in kept}
        for key in await self.store.keys("fake/"):
            chunk = json.loads(gzip.decompress(await self.store.get(key)))
            found |= {(at, chunk["stream"], line) for at, line in chunk["entries"]}
        return sorted(found)

    async def flush(self) -> None:
        """Try once to write every chunk in memory to the store."""
        async with self._flushing:
            for stream in list(self._streams):
                await self._flush_stream(stream)

    # --- inside ---------------------------------------------------------------------------------

    def _replay(self) -> None:
        self.log("info", "ingester.go:595", "recovering from WAL", component="ingester")
        self._streams = self._wal.replay()
        self.counters.chunks_in_memory = len(self._streams)
        self.counters.replayed_entries = sum(map(len, self._streams.values()))
        self.log("info", "ingester.go:567", "WAL recovery finished", component="ingester")

    async def _settle(self) -> None:
        await self._seed()
        await asyncio.sleep(self.settings.min_ready_s)
        self.settled = True
        self.on_ready()

    async def _seed(self) -> None:
        """Look for the cluster's seed and make it if there is none, as every start does."""
        name = "loki_cluster_seed.json"
        try:
            await self.store.get(name)
        except StoreError as error:
            self.log("error", "reporter.go:205", "failed to read cluster seed file", err=error)
            if error.status == 404:
                with suppress(StoreError):
                    await self.store.put(name, b"{}")

    async def _flush_loop(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.settings.flush_every_s):
                    await self._flush_now.wait()
            self._flush_now.clear()
            await self.flush()

    async def _flush_stream(self, stream: str) -> None:
        entries = list(self._streams[stream])
        body = gzip.compress(json.dumps({"stream": stream, "entries": entries}).encode())
        fingerprint, checksum = zlib.crc32(stream.encode()), zlib.crc32(body)
        span = f"{int(entries[0][0]) // 10**6:x}:{int(entries[-1][0]) // 10**6:x}"
        self.counters.flushes += 1
        try:
            await self.store.put(f"fake/{fingerprint:016x}/{span}:{checksum:x}", body)
        except StoreError as error:
            self._note_failure(stream, error)
            return
        self._retries = 0
        self.counters.last_upload_at = self.clock()
        del self._streams[stream][: len(entries)]
        self._streams = {name: kept for name, kept in self._streams.items() if kept}
        self.counters.chunks_in_memory = len(self._streams)
        self._wal.checkpoint(self._streams)
        self._set_refused(refused=False)

    def _note_failure(self, stream: str, error: StoreError) -> None:
        text = f"failed to flush chunks: store put chunk: {error}, num_chunks: 1, labels: {stream}"
        self.counters.flush_failures += 1
        self.log(
            "error",
            "flush.go:356",
            "failed to flush",
            component="ingester",
            retries=self._retries,
            err=text,
        )
        self._retries += 1
        self._set_refused(refused=True)

    def _set_refused(self, *, refused: bool) -> None:
        if refused != self._refused:
            self._refused = refused
            self.on_ready()

    # --- HTTP -----------------------------------------------------------------------------------

    async def _handle(self, request: HttpRequest) -> Response:
        answers = {
            ("GET", "/ready"): self._ready_answer,
            ("GET", "/metrics"): self._metrics,
            ("POST", "/flush"): self._take_flush,
            ("POST", "/loki/api/v1/push"): self._take_lines,
        }
        if request.path == "/loki/api/v1/query_range":
            return await self._query()
        if answer := answers.get((request.method, request.path)):
            return answer(request)
        return text("404 page not found\n", status=404)

    def _ready_answer(self, _request: HttpRequest) -> Response:
        if self.ready:
            return text("ready\n")
        return text("Ingester not ready: waiting for 15s after being ready\n", status=503)

    def _metrics(self, _request: HttpRequest) -> Response:
        older = self.settings.spelling is Spelling.OLDER
        return text(exposition(self.counters, self.store.requests, older=older))

    def _take_flush(self, _request: HttpRequest) -> Response:
        self._flush_now.set()
        return Response(status=204)

    def _take_lines(self, request: HttpRequest) -> Response:
        if self.stopping:
            return text("Ingester is shutting down\n", status=503)
        try:
            self.push(json.loads(request.body)["streams"])
        except (ValueError, KeyError, TypeError):
            return text("couldn't parse push request\n", status=400)
        return Response(status=204)

    async def _query(self) -> Response:
        try:
            rows = await self.lines()
        except StoreError as error:
            return text(f"{error}\n", status=500)
        values = [[at, line] for at, _, line in rows]
        result = [{"stream": {}, "values": values}] if values else []
        return json_answer(
            {"status": "success", "data": {"resultType": "streams", "result": result}}
        )
