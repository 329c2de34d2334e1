# SPDX-License-Identifier: Apache-2.0
"""The operator is killed before any one of the writes of a heal, and another goes on.

The product's own operator runs on the stand-ins, which pass the contracts of the real parts. All
that it asks of the API server, the vault and the store goes by a gate; before write number n the
gate shuts for good, as if its process had died there: the call never arrives, nor does any after
it, and all that it knew is gone. Then another operator starts. This is done for every n, so for
every state in which a heal can leave the world: what is only read between two writes, or whether
the answer to the last one came, changes nothing outside of the process that is gone.

What only the real parts show (SIGKILL, a Lease that runs out) is in e2e/test_operator_killed.py.
"""

import asyncio
import re
import socket
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from integration.cli.story import (
    ROOK_SECRET,
    STORE_NAMESPACE,
    add_rook_user,
    is_ready,
    rook_data,
    storage_credential,
)
from integration.demo.world import (
    NAMESPACE,
    SECRET,
    World,
    external_secret,
    named,
    stateful_set,
    until,
)
from lokeys.core.kubernetes.consent import ALLOWED_URLS
from lokeys.core.route.bridging import ALLOWED_BRIDGE
from lokeys.demo.parts.kube_fields import Author
from lokeys.demo.parts.kube_kinds import Json
from lokeys.demo.parts.kube_store import StoreChange
from lokeys.demo.parts.kube_views import condition
from lokeys.demo.parts.loki import LokiBehaviour
from lokeys.demo.parts.loki_store import StorageSettings
from lokeys.demo.parts.node import WorkloadSettings
from lokeys.demo.parts.workloads import Workloads
from lokeys.http_server import Handler, Hangup, HttpRequest, HttpServer, Response
from lokeys.kube.kubeconfig import load
from lokeys.operator.main import Settings, run
from lokeys.operator.stacks.operator import Choice

pytestmark = pytest.mark.chaos

AT_A_TIME = 10
WITHIN_S = 60
PROBES = "lokeys-probe/"
SYSTEM = "lokeys-system"
Pair = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Way:
    """How the key gets into the Secret, and how often each write for it may arrive."""

    delivery: Callable[[World], tuple[Json, ...]]
    writes: dict[str, tuple[int, int]]
    route: Json = field(default_factory=dict)
    bridged: bool = False
    """Whether the user at RGW itself is the source, whose admin allows a bridge."""


def own_secret(world: World) -> tuple[Json, ...]:
    """Return the Secret as a person made it; from now on lokeys writes it."""
    data = {"AWS_ACCESS_KEY_ID": world.key_id, "AWS_SECRET_ACCESS_KEY": world.secret}
    return (named("Secret", SECRET, stringData=data),)


VAULT = r"^PATCH /v1/vaults/.*/items/"
FORCED = r"^PATCH .*/externalsecrets/"
PATCHED = rf"^PATCH .*/secrets/{SECRET}$"
ADDED = r"^PUT /admin/user"
RETIRED = r"^DELETE /admin/user"
KEPT = rf"^POST .*/{NAMESPACE}/secrets$"
DROPPED = r"^DELETE .*/secrets/lokeys-bridge-loki$"
WAYS = {
    "a forced sync": Way(
        delivery=lambda _: (external_secret(),),
        writes={VAULT: (1, 1), FORCED: (1, 3), PATCHED: (0, 0)},
    ),
    "a wrong data-hash": Way(
        delivery=lambda _: (external_secret(refreshPolicy="CreatedOnce"),),
        writes={VAULT: (1, 1), FORCED: (0, 0), PATCHED: (1, 3)},
    ),
    "lokeys writes it": Way(
        delivery=own_secret,
        route={"vault": None, "secret": {"name": SECRET}},
        writes={VAULT: (0, 0), FORCED: (0, 0), PATCHED: (1, 1)},
    ),
    "a bridge": Way(
        delivery=lambda _: (external_secret(),),
        writes={
            VAULT: (1, 1),
            FORCED: (1, 3),
            PATCHED: (0, 0),
            KEPT: (1, 1),
            ADDED: (1, 1),
            RETIRED: (1, 1),
            DROPPED: (1, 1),
        },
        bridged=True,
    ),
}


ALWAYS = (
    r"^PATCH .*/storagecredentials/loki/status$",
    rf"^PUT /loki/{PROBES}",
    rf"^DELETE /loki/{PROBES}",
    r"^POST .*/pods/loki-0/eviction$",
)
"""What every heal asks for, whatever the way: the memory, the test of the key, the pod."""


@dataclass
class Gate:
    """All that one operator asks outside goes by here, until it dies at write `dies_at`."""

    counts: bool = False
    """Whether the heal has begun."""
    dies_at: int = 0
    writes: list[str] = field(default_factory=list)
    died: asyncio.Event = field(default_factory=asyncio.Event)

    def before(self, answer: Handler) -> Handler:
        async def guarded(request: HttpRequest) -> Response:
            if self.died.is_set():
                raise Hangup
            if self.counts and request.method != "GET":
                if len(self.writes) + 1 == self.dies_at:
                    self.died.set()
                    raise Hangup
                self.writes.append(f"{request.method} {request.path}")
            return await answer(request)

        return guarded


@dataclass
class Home:
    """A story's world; each operator sees it through a gate of its own."""

    world: World
    workloads: Workloads
    folder: Path
    port: int
    gates: list[Gate] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    """Every pair that the delivered Secret has held, in order."""
    pods: set[str] = field(default_factory=set)
    """The uid of every Loki pod that there has been."""
    through: Gate = field(default_factory=Gate)
    """The gate of the operator of the moment."""

    def __post_init__(self) -> None:
        self.world.api.store.hooks.append(self._note)

    def _note(self, change: StoreChange) -> None:
        metadata = change.subject["metadata"]
        if change.kind.kind == "Pod":
            self.pods.add(metadata["uid"])
        if (change.kind.kind, metadata["name"]) == ("Secret", SECRET):
            data = change.subject["data"]
            pair = (text_of(data["AWS_ACCESS_KEY_ID"]), text_of(data["AWS_SECRET_ACCESS_KEY"]))
            if self.pairs[-1:] != [pair]:
                self.pairs.append(pair)

    @asynccontextmanager
    async def operator(self, gate: Gate) -> AsyncIterator[None]:
        """Run an operator behind the gate; it dies there, or is ended when the test is done."""
        self.gates.append(gate)
        self.through = gate
        async with HttpServer(gate.before(self.world.api.handle)) as door:
            config = self.folder / f"kubeconfig-{len(self.gates)}"
            text = self.world.api.write_kubeconfig(config, namespace=NAMESPACE).read_text()
            config.write_text(text.replace(self.world.api.url, door.url))
            settings = Settings(
                config=load(kubeconfig=str(config)),
                host="127.0.0.1",
                port=0,
                lokistacks=Choice.NONE,
            )
            task = asyncio.create_task(run(settings))
            try:
                yield
            finally:
                gate.died.set()
                task.cancel()
                with suppress(BaseException):
                    await task

    def door(self, answer: Handler) -> Handler:
        """Return a part as the operator of the moment reaches it."""

        async def guarded(request: HttpRequest) -> Response:
            return await self.through.before(answer)(request)

        return guarded

    @property
    def writes(self) -> list[str]:
        """Return every write of the heal that has arrived, whoever asked for it."""
        return [write for gate in self.gates for write in gate.writes]

    def asked(self, pattern: str) -> int:
        """Return how many such writes have arrived."""
        return sum(re.search(pattern, write) is not None for write in self.writes)

    def live_pair(self) -> Pair:
        """Return the one pair that the store takes."""
        *_, pair = self.world.s3.users["loki"].keys.items()
        return pair

    def one_key_is_left(self) -> bool:
        """Tell whether a bridge, if there was one, is over, and nothing is kept of it."""
        kept = self.world.find("Secret", "lokeys-bridge-loki")
        return len(self.world.s3.users["loki"].keys) == 1 and kept is None

    def is_mended(self) -> bool:
        """Tell whether Loki runs with the key that the store takes, and the route says so."""
        try:
            runs = self.workloads.loki(NAMESPACE, "loki-0").pair
        except KeyError:
            return False
        if not self.one_key_is_left() or not self.is_ready():
            return False
        return runs.access_key_id.reveal_text() == self.live_pair()[0]

    def is_ready(self) -> bool:
        route = self.world.api.store.find("StorageCredential", "loki", NAMESPACE)
        return condition(route or {}, "Ready").get("status") == "True"

    def rotate(self) -> Pair:
        """Replace the key at the store, and let Rook write it into its Secret."""
        key_id, secret = self.world.rotate()
        if self.world.api.store.find("Secret", ROOK_SECRET, STORE_NAMESPACE) is None:
            route = self.world.get("StorageCredential", "loki")
            asked = {"metadata": {"annotations": {"lokeys.dev/reconcile": key_id}}}
            self.world.api.store.merge(route, asked, author=Author(manager="kubectl"))
            return key_id, secret
        held = self.world.api.store.get("Secret", ROOK_SECRET, STORE_NAMESPACE)
        data = rook_data(key_id, secret, self.world.s3_server.url)
        self.world.api.store.replace({**held, "data": data}, author=Author(manager="rook"))
        return key_id, secret

    def end_leases(self) -> None:
        """Let the time of every Lease be up: its holder is dead."""
        for namespace, name in ((SYSTEM, "lokeys-operator"), (NAMESPACE, "lokeys-loki")):
            lease = self.world.api.store.find("Lease", name, namespace)
            if lease is not None:
                gone = {"spec": {"holderIdentity": ""}}
                self.world.api.store.merge(lease, gone, author=Author(manager="time"))

    async def push(self, line: str) -> None:
        pod = self.world.get("Pod", "loki-0")
        url = f"http://{pod['status']['podIP']}:{self.port}/loki/api/v1/push"
        stamp = str(10**18 + len(line))
        body = {"streams": [{"stream": {"app": "test"}, "values": [[stamp, line]]}]}
        assert (await self.world.http.post(url, json=body)).is_success

    async def wait_lines(self, wanted: list[str]) -> None:
        """Wait until Loki finds these lines, each once."""
        async with asyncio.timeout(WITHIN_S):
            while sorted(await self.lines()) != wanted:  # noqa: ASYNC110 - the store has no event
                await asyncio.sleep(0.05)

    async def lines(self) -> list[str]:
        loki = self.workloads.loki(NAMESPACE, "loki-0")
        answer = await self.world.http.get(f"{loki.url}/loki/api/v1/query_range")
        streams = answer.json()["data"]["result"]
        return [line for stream in streams for _, line in stream["values"]]


def rgw_user(world: World, url: str) -> Json:
    """Let RGW's admin allow a bridge; return the user as a source."""
    key_id, secret = world.s3.create_user("admin", caps={"users": "*"})
    admin = named("Secret", "rgw-admin", stringData={"accessKey": key_id, "secretKey": secret})
    admin["metadata"]["annotations"] = {ALLOWED_URLS: url, ALLOWED_BRIDGE: "1h"}
    world.api.add(admin)
    return {"rgw": {"endpoint": url, "uid": "loki", "adminSecretRef": {"name": "rgw-admin"}}}


def text_of(encoded: str) -> str:
    return b64decode(encoded).decode()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def built(folder: Path, way: Way) -> AsyncIterator[Home]:
    """Build a Loki that writes with the source's key, and a route in mode Heal."""
    async with AsyncExitStack() as stack:
        world = World(stack, folder)
        await world.start()
        port = free_port()
        endpoint = world.s3_server.url
        loki = LokiBehaviour(
            storage=StorageSettings(endpoint=endpoint, bucket="loki"),
            flush_every_s=0.1,
            min_ready_s=0.05,
        )
        settings = WorkloadSettings(loki=loki, port=port)
        workloads = Workloads(world.api, folder=folder, settings=settings)
        home = Home(world, workloads, folder, port)
        store, vault = [
            await stack.enter_async_context(HttpServer(home.door(handler)))
            for handler in (world.s3.handle, world.connect.handle)
        ]
        source = {}
        if way.bridged:
            source = {"source": rgw_user(world, store.url)}
        else:
            add_rook_user(
                world, **{"lokeys.dev/allowed-namespaces": NAMESPACE, ALLOWED_URLS: store.url}
            )
        world.api.add(*way.delivery(world), stateful_set(grace_s=3))
        world.allow("connect-token", vault.url)
        await world.run_external_secrets()
        await stack.enter_async_context(workloads)
        route = storage_credential(store.url, vault.url, prove="Flush", **source, **way.route)
        route["spec"] = {key: value for key, value in route["spec"].items() if value is not None}
        route["spec"]["workloads"][0]["metrics"] = {"port": port}
        world.api.add(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}}, route
        )
        await until(lambda: is_ready(world.find("Pod", "loki-0")))
        world.allow(SECRET, store.url)
        yield home


async def healed(folder: Path, way: Way, *, dies_at: int) -> Home:
    """Play the story with an operator that dies at that write, 0: at none; check the promises."""
    async with built(folder, way) as home:
        gate = Gate(dies_at=dies_at)
        async with home.operator(gate):
            await until(home.is_ready, timeout_s=WITHIN_S)
            await home.push("before")
            gate.counts = True
            home.rotate()
            await home.push("during")
            await until(lambda: gate.died.is_set() or home.is_mended(), timeout_s=WITHIN_S)
        if not home.is_mended():
            home.end_leases()
            async with home.operator(Gate(counts=True)):
                await until(home.is_mended, timeout_s=WITHIN_S)
        await promises(home, way)
        return home


async def promises(home: Home, way: Way) -> None:
    """Nothing was done twice, no pair was torn, no line is lost, and nothing was left behind."""
    assert home.pairs[1:] == [home.live_pair()], "the Secret changed once, both halves at once"
    for pattern, (least, most) in way.writes.items():
        assert least <= home.asked(pattern) <= most, f"{pattern}: {home.asked(pattern)} times"
    assert home.asked(r"^POST .*/pods/loki-0/eviction$") == 1, "one eviction"
    assert len(home.pods) == 2, "one pod was replaced, once"
    await home.wait_lines(["before", "during"])
    left = [name for name in home.world.s3.buckets["loki"].objects if name.startswith(PROBES)]
    assert left == [], "no probe object is left"


async def everywhere(folder: Path, way: Way) -> tuple[list[str], list[str]]:
    """Kill before every write of a heal; return where it was killed, and what went wrong where."""
    whole = await healed(new_folder(folder, 0), way, dies_at=0)
    turn, killed, wrong = asyncio.Semaphore(AT_A_TIME), list[str](), list[str]()

    async def one(number: int) -> None:
        async with turn:
            call = whole.writes[number - 1]
            try:
                home = await healed(new_folder(folder, number), way, dies_at=number)
                killed.extend([call] * (len(home.gates) - 1))
            except (AssertionError, TimeoutError) as error:
                wrong.append(f"killed before write {number}, {call}: {error or 'no end'}")

    await asyncio.gather(*map(one, range(1, len(whole.writes) + 1)))
    return killed, wrong


def new_folder(folder: Path, number: int) -> Path:
    made = folder / str(number)
    made.mkdir()
    return made


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_killed_before_any_write_another_operator_finishes(tmp_path: Path, way: Way) -> None:
    """Whichever write was the next one: the heal ends, and nothing is done twice, torn or lost."""
    killed, wrong = asyncio.run(everywhere(tmp_path, way))
    assert wrong == [], "\n".join(wrong)
    needed = [pattern for pattern, (least, _) in way.writes.items() if least]
    for pattern in (*needed, *ALWAYS):
        assert any(re.search(pattern, call) for call in killed), f"none was killed at {pattern}"
