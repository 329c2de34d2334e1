# SPDX-License-Identifier: Apache-2.0
"""The pieces by themselves, without a socket: what a look, a key in the queue, a watch costs."""

import asyncio
import base64
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from statistics import median

import httpx2
import msgspec

from bench.figures import Figure
from bench.stub import metrics_page
from builders import look
from lokeys.adapters.aws.sign import SignedCall, signed
from lokeys.adapters.loki.pod import parse_metrics
from lokeys.clock import utc_now
from lokeys.core.route.conditions import status
from lokeys.core.route.plan import Policy
from lokeys.core.sensitive import KeyPair, Sensitive
from lokeys.engine.route.look import judge
from lokeys.kube.informer import InformerSet, Scope
from lokeys.kube.queue import WorkQueue
from lokeys.kube.resources import SECRET
from unit.kube.scripted import api, listing

RUNS = 7
WATCHES = 2_000
OBJECTS = 10_000


def measure() -> Iterator[Figure]:
    """Yield the figures."""
    seen = look()
    judging = seconds(lambda: judge(seen, Policy()), 300)
    yield Figure(name="judge one snapshot", value=1000 * judging, unit="ms")
    judged = judge(seen, Policy())
    telling = seconds(
        lambda: status(seen, judged.diagnosis, judged.plan, before={}, generation=1), 300
    )
    yield Figure(name="write its status down", value=1000 * telling, unit="ms")
    page = metrics_page()
    reading = seconds(lambda: parse_metrics(page, now=utc_now()), 30)
    yield Figure(
        name="read one metrics page", value=1000 * reading, unit="ms",
        note=f"{len(page) / 1000:.0f} kB, as an idle single binary's",
    )  # fmt: skip
    pair = KeyPair(access_key_id=Sensitive("AKIA"), secret_access_key=Sensitive("s" * 40))
    call = SignedCall(method="GET", url="http://rgw.storage.svc/bucket?list-type=2&max-keys=1")
    signing = seconds(lambda: signed(call, pair, region="us-east-1", now=utc_now()), 300)
    yield Figure(name="sign one request", value=1000 * signing, unit="ms")
    yield asyncio.run(_queue())
    yield asyncio.run(_watch_memory())
    yield asyncio.run(_relist())


def seconds(what: Callable[[], object], times: int) -> float:
    """Return the CPU that one call takes: the median of several runs of `times`."""
    return median(_run(what, times) for _ in range(RUNS))


def _run(what: Callable[[], object], times: int) -> float:
    began = time.process_time()
    for _ in range(times):
        what()
    return (time.process_time() - began) / times


async def _queue() -> Figure:
    """Put 100,000 keys through the queue, each added three times."""
    keys = [("namespace", f"loki-{number}") for number in range(100_000)]
    began = time.process_time()
    queue: WorkQueue[tuple[str, str]] = WorkQueue()
    for _ in range(3):
        for key in keys:
            queue.add(key)
    for _ in keys:
        queue.done(await queue.get())
    rate = len(keys) / (time.process_time() - began)
    return Figure(name="keys through the queue", value=rate, unit="/s")


class _Quiet(httpx2.AsyncByteStream):
    """A watch on which nothing happens."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""


def _object(name: str, version: int = 1) -> dict[str, object]:
    """Return an object as large as most."""
    metadata = {
        "name": name,
        "namespace": "ns",
        "uid": f"2f4ab1f0-0000-4000-8000-{name}",
        "resourceVersion": str(version),
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {"app.kubernetes.io/instance": name, "app.kubernetes.io/name": "loki"},
        "managedFields": [
            {"manager": "kubectl", "fieldsV1": {"f:data": {f"f:{key}": {} for key in range(9)}}}
        ],
    }
    return {"metadata": metadata, "data": {"key": base64.b64encode(name.encode()).decode()}}


async def _watch_memory() -> Figure:
    """Follow 2,000 Secrets by their names, each with an informer of its own."""

    async def answer(request: httpx2.Request) -> httpx2.Response:
        if "watch" in request.url.params:
            return httpx2.Response(200, stream=_Quiet())
        name = request.url.params["fieldSelector"].partition("=")[2]
        return listing(1, _object(name))

    async with InformerSet(api(answer)) as informers:
        tracemalloc.start()
        scopes = (
            Scope.one(SECRET, f"secret-{number}", namespace="ns", metadata_only=True)
            for number in range(WATCHES)
        )
        followed = [informers.subscribe(scope, lambda _old, _new: None) for scope in scopes]
        await asyncio.gather(*(one.informer.synced.wait() for one in followed))
        await asyncio.sleep(0.5)  # until each watches
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    note = f"{WATCHES} watches on a transport in memory; HTTP/2 streams come on top"
    return Figure(name="memory a watch by name", value=held / WATCHES / 1024, unit="KiB", note=note)


async def _relist() -> Figure:
    """List 10,000 objects, and list them again after the server has forgotten the moment."""
    body = msgspec.json.encode(
        {
            "metadata": {"resourceVersion": "9"},
            "items": [_object(f"secret-{number}", number) for number in range(OBJECTS)],
        }
    )
    forgotten, over = asyncio.Event(), asyncio.Event()

    async def answer(request: httpx2.Request) -> httpx2.Response:
        if "watch" not in request.url.params:
            return httpx2.Response(200, content=body)
        if forgotten.is_set():
            over.set()
            return httpx2.Response(200, stream=_Quiet())
        forgotten.set()
        return httpx2.Response(410, json={"kind": "Status", "code": 410, "metadata": {}})

    changes = 0

    def count(_old: object, _new: object) -> None:
        nonlocal changes
        changes += 1

    began = time.process_time()
    async with InformerSet(api(answer)) as informers:
        informers.subscribe(Scope(resource=SECRET), count)
        await over.wait()
        both = time.process_time() - began
    assert changes == OBJECTS
    note = f"{OBJECTS} objects of {len(body) / OBJECTS / 1000:.1f} kB, unchanged: told once each"
    return Figure(name="list, and list again after a 410", value=both, unit="s CPU", note=note)
