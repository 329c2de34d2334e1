# SPDX-License-Identifier: Apache-2.0
"""From a new key at the source to a Loki that writes with it, stage by stage, on the real parts.

Three times: as a script types the runbook, without a pause, as the operator heals by a restart,
and as it does where a bridge is allowed. Loki has the charts' settings: 30 s of grace, 15 s of
`min_ready_duration`. Lines are pushed until the pod is gone.

Before that, how long Loki's own back-off lasts: its key is taken away and given back.
"""

import base64
import contextlib
import dataclasses
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Self, TypeVar

import httpx2

from bench.figures import Figure
from e2e.operators import Installation, running, wait_led
from e2e.sight import SECRET, Pair
from e2e.world import Homelab, Loop
from lokeys.adapters.kubernetes.external_secrets import FORCE_SYNC
from lokeys.adapters.loki.pod import parse_metrics
from lokeys.clock import utc_now
from lokeys.core.route.resource.crd import crd
from lokeys.http_server import Handler, HttpRequest, Response
from lokeys.kube.client import Api, Object
from lokeys.kube.kubeconfig import load
from lokeys.kube.resources import EXTERNAL_SECRET, POD, STORAGE_CREDENTIAL, Resource
from lokeys.kube.resources import SECRET as SECRETS
from parts.build import program
from parts.external_secrets import ExternalSecrets
from parts.kubelet.node import Kubelet
from parts.kubernetes import Kubernetes
from parts.manifests import PORT
from parts.process import wait_for
from parts.rgw import Rgw

RUNS = 3
OUTAGE_S = 60
STREAMS = 20
GRACE_S, MIN_READY_S = 30, 15
STAGES = (
    ("vault", "the vault holds the new key", "own"),
    ("forced", "External Secrets is told to look", "own"),
    ("delivered", "the Secret holds the new key", "ESO's sync"),
    ("stopping", "the pod is told to stop", "own"),
    ("stopped", "the pod is gone", "the pod's stop"),
    ("running", "the new pod runs", "the pod's start"),
    ("written", "its first good request at the store", "the pod's start"),
    ("ready", "it is ready", "the pod's start"),
    ("proved", "the route is Ready: ProvedByLoki", "own"),
)


def measure() -> Iterator[Figure]:
    """Yield the figures."""
    with _homelab() as (home, installation):
        again = {asked: _again(home, asked=asked) for asked in (False, True)}
        by_hand = [_by_hand(home) for _ in range(RUNS)]
        home.kubernetes.apply(home.route())
        installation.allow(home, home.route())
        with running(installation.replica()) as operator:
            wait_led(operator)
            home.wait_condition("Ready", "True", reason="ProvedByLoki")
            by_lokeys = [_by_lokeys(home) for _ in range(RUNS)]
            home.allow_bridge()
            installation.allow(home, home.route())
            by_bridge = _by_bridge(home)
    yield from _stages("runbook by a script", by_hand)
    yield from _stages("lokeys operator", by_lokeys)
    yield Figure(
        name="lokeys operator, with a bridge: the old key is valid again",
        value=by_bridge["valid"],
        unit="s",
        at_most=2,
        note="own; one run: Rook keeps `spec.keys` after it",
    )
    yield Figure(
        name="lokeys operator, with a bridge: the running Loki's next good request",
        value=by_bridge["good"],
        unit="s",
        note="asked to flush at once; nothing has restarted",
    )
    yield from _back_off(again)
    own = median(_own(run) for run in by_lokeys)
    whole = median(run["written"] for run in by_lokeys)
    hand = median(run["written"] for run in by_hand)
    proof = median(run["proved"] - run["written"] for run in by_lokeys)
    yield Figure(
        name="lokeys' own part",
        value=own,
        unit="s",
        at_most=2,
        note="of the way to Loki's request: without ESO's sync, the pod's stop and start",
    )
    yield Figure(
        name="new key at the source to Loki's first good request",
        value=whole,
        unit="s",
        at_most=20,
        note=f"the runbook {hand:.1f} s",
    )
    yield Figure(name="from that request to Ready: ProvedByLoki", value=proof, unit="s")
    yield Figure(name="the runbook takes so many times as long", value=hand / whole, unit="")
    bridged = by_bridge["good"]
    yield Figure(name="... as the bridge", value=hand / bridged, unit="", note=f"{bridged:.1f} s")


def _back_off(again: dict[bool, tuple[float, float]]) -> Iterator[Figure]:
    """Yield how long a Loki takes to write again once its key works again."""
    for asked, (first, last) in again.items():
        how = "asked to flush at once" if asked else "by its own back-off"
        yield Figure(
            name=f"after {OUTAGE_S} s the old key works again: Loki's next write, {how}",
            value=first,
            unit="s",
            note=f"the last of {STREAMS} streams after {last:.1f} s",
        )


def _stages(who: str, runs: list[dict[str, float]]) -> Iterator[Figure]:
    """Yield when each stage was reached, counted from the new key at the source."""
    for name, says, whose in STAGES:
        moments = [run[name] for run in runs if name in run]
        if moments:
            yield Figure(name=f"{who}: {says}", value=median(moments), unit="s",
                         note=f"{whose}; {min(moments):.2f} to {max(moments):.2f}")  # fmt: skip


def _own(run: dict[str, float]) -> float:
    """Return what lokeys took of a run: the rest is others' stages."""
    acting = run["forced"] + (run["stopping"] - run["delivered"])
    return acting + max(run["written"] - run["ready"], 0.0)


# --- one run -------------------------------------------------------------------------------------


def _by_lokeys(home: Homelab) -> dict[str, float]:
    with _Clock(home) as clock:
        clock.pair = home.replace_key()
        clock.wait("ready")
        clock.wait("proved")
    return clock.moments()


def _by_bridge(home: Homelab) -> dict[str, float]:
    """Replace the key where a bridge is allowed; the old pod's own requests are its end."""
    old, uid = home.source_pair(), home.pod()["metadata"]["uid"]

    def works() -> bool:
        return home.rgw.request(old, "GET", f"/{home.bucket}").is_success

    def writes() -> bool:
        same = home.pod()["metadata"]["uid"] == uid
        return not same or home.requests(200) > good

    with _Clock(home) as clock:
        good = home.requests(200)
        clock.pair = home.replace_key()
        wait_for(works, "the old key is valid again", timeout_s=60)
        clock.note("valid")
        good = home.requests(200)
        wait_for(writes, "Loki's next good request", timeout_s=60)
        clock.note("good")
        clock.wait("ready")
        clock.wait("proved")
    return clock.moments()


def _again(home: Homelab, *, asked: bool) -> tuple[float, float]:
    """Take Loki's key away for a while; return when after its return it first wrote, and last.

    Its streams are quiet meanwhile: each is being flushed, refused, and waits to be tried again.
    """
    pair, url = home.source_pair(), home.loki_url()
    home.remove_key_at_rgw(pair[0])
    with httpx2.Client(trust_env=False, timeout=10) as client:
        for number in range(STREAMS):
            stream = {"app": "test", "line": f"{time.time_ns()} {number}"}
            body = {"streams": [{"stream": stream, "values": [[str(time.time_ns()), "x"]]}]}
            client.post(f"{url}/loki/api/v1/push", json=body).raise_for_status()
        time.sleep(OUTAGE_S)
        good = _writes(home)
        home.add_key_at_rgw(*pair)
        began = time.monotonic()
        if asked:
            client.post(f"{url}/flush").raise_for_status()
    wait_for(lambda: _writes(home) > good, "Loki writes again", timeout_s=180)
    first = time.monotonic() - began
    wait_for(lambda: _writes(home) >= good + STREAMS, "every stream is written", timeout_s=180)
    return first, time.monotonic() - began


def _writes(home: Homelab) -> float:
    name = "loki_objstore_bucket_transport_requests_total"
    return home.metric(name, 'method="PUT"', 'status_code="200"')


def _by_hand(home: Homelab) -> dict[str, float]:
    """Do what the runbook says: read, edit, annotate, delete the pod, wait."""
    kubectl, space = home.kubernetes.kubectl, ("-n", home.monitoring)
    with _Clock(home) as clock:
        clock.pair = home.replace_key()
        kubectl("get", "secret", "-n", home.storage, home.generated, "-o", "json")
        key, secret = home.source_pair()
        home.connect.edit(home.vault_id, home.item_id, access_key=key, secret_key=str(secret))
        clock.note("vault")
        word = f"force-sync={time.monotonic_ns()}"
        kubectl("annotate", *space, "externalsecret", SECRET, word, "--overwrite")
        clock.note("forced")
        clock.wait("delivered")
        kubectl("delete", "pod", *space, "loki-0")
        clock.wait("written")
        clock.wait("ready")
    return clock.moments()


class _Clock:
    """Notes when each stage is reached: from watches, from Connect, from the new pod's metrics."""

    def __init__(self, home: Homelab) -> None:
        self.pair: Pair | None = None
        self._home = home
        self._at: dict[str, float] = {}
        self._contents: list[tuple[float, Pair | None]] = []
        self._sources: list[tuple[float, Pair | None]] = []
        self._old = home.pod()["metadata"]["uid"]
        self._new_address: str | None = None
        self._unready = False
        path = EXTERNAL_SECRET.path(home.monitoring, SECRET)
        self._forced = _forced(home.kubernetes.api.get(path))
        self._over = threading.Event()
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        home = self._home
        home.on_connect = self._connect_asked
        self._stack.callback(setattr, home, "on_connect", None)
        for resource, namespace, take in (
            (SECRETS, home.storage, self._source_seen),
            (SECRETS, home.monitoring, self._secret_seen),
            (EXTERNAL_SECRET, home.monitoring, self._external_secret_seen),
            (POD, home.monitoring, self._pod_seen),
            (STORAGE_CREDENTIAL, home.monitoring, self._route_seen),
        ):
            watching = home.loop.start(self._watch(resource, namespace, take))
            self._stack.callback(watching.cancel)
        for work in (self._push, self._poll):
            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            self._stack.callback(thread.join, 15)
        self._stack.callback(self._over.set)
        time.sleep(3)  # lines that are not flushed yet belong to the incident
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def note(self, stage: str) -> None:
        """Say that a stage is reached now; the first time counts."""
        self._at.setdefault(stage, time.monotonic())

    def wait(self, stage: str, *, timeout_s: float = 120) -> None:
        """Wait for a stage."""
        wait_for(lambda: stage in self.moments(), stage, timeout_s=timeout_s)

    def moments(self) -> dict[str, float]:
        """Return when each stage was reached, counted from the new key at the source."""
        begun = self._first(self._sources)
        if begun is None:
            return {}
        reached = {**self._at, "delivered": self._first(self._contents)}
        return {name: at - begun for name, at in reached.items() if at is not None and at > begun}

    def _first(self, seen: list[tuple[float, Pair | None]]) -> float | None:
        return next((at for at, pair in seen if pair and pair == self.pair), None)

    # --- what is seen ----------------------------------------------------------------------------

    async def _watch(
        self, resource: Resource, namespace: str, take: Callable[[str, Object], None]
    ) -> None:
        async with Api(load(kubeconfig=str(self._home.kubernetes.kubeconfig))) as api:
            version = (await api.list(resource, namespace=namespace)).resource_version
            async for event in api.watch(resource, namespace=namespace, resource_version=version):
                if event.type != "BOOKMARK":
                    take(event.type, event.object)

    async def _connect_asked(self, request: HttpRequest, handle: Handler) -> Response:
        response = await handle(request)
        if request.method == "PATCH" and response.status == 200:
            self.note("vault")
        return response

    def _source_seen(self, _: str, obj: Object) -> None:
        if obj["metadata"]["name"] == self._home.generated:
            self._sources.append((time.monotonic(), _pair_in(obj)))

    def _secret_seen(self, _: str, obj: Object) -> None:
        if obj["metadata"]["name"] == SECRET:
            self._contents.append((time.monotonic(), _pair_in(obj)))

    def _external_secret_seen(self, _: str, obj: Object) -> None:
        forced = _forced(obj)
        if forced != self._forced:
            self.note("forced")

    def _pod_seen(self, event: str, pod: Object) -> None:
        metadata, status = pod["metadata"], pod.get("status", {})
        if metadata["uid"] == self._old:
            if event == "DELETED":
                self.note("stopped")
            elif "deletionTimestamp" in metadata:
                self.note("stopping")
            return
        states = [one.get("state", {}) for one in status.get("containerStatuses", ())]
        if states and all("running" in state for state in states):
            self._new_address = status.get("podIP")
            self.note("running")
        if _is_true(status, "Ready"):
            self.note("ready")

    def _route_seen(self, _: str, route: Object) -> None:
        if not _is_true(route.get("status", {}), "Ready"):
            self._unready = True
        elif self._unready:
            self.note("proved")

    def _push(self) -> None:
        """Push a line again and again until the pod is gone; then the streams are idle."""
        while not self._over.wait(0.5) and "stopped" not in self._at:
            with contextlib.suppress(httpx2.HTTPError, KeyError):
                self._home.push(f"line at {time.monotonic_ns()}")

    def _poll(self) -> None:
        """Ask the new pod for its metrics until its store has answered well."""
        with httpx2.Client(trust_env=False, timeout=5) as client:
            while not self._over.wait(0.1) and "written" not in self._at:
                if self._new_address is None:
                    continue
                with contextlib.suppress(httpx2.HTTPError):
                    page = client.get(f"http://{self._new_address}:{PORT}/metrics")
                    if parse_metrics(page.content, now=utc_now()).accepted:
                        self.note("written")


def _forced(external_secret: Object) -> str | None:
    found: str | None = external_secret["metadata"].get("annotations", {}).get(FORCE_SYNC)
    return found


def _pair_in(secret: Object) -> Pair | None:
    data = secret.get("data") or {}
    for keys in (("AccessKey", "SecretKey"), ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")):
        if all(key in data for key in keys):
            key, value = (base64.b64decode(data[name]).decode() for name in keys)
            return key, value
    return None


def _is_true(status: Object, condition: str) -> bool:
    found = status.get("conditions") or ()
    return any(one["type"] == condition and one["status"] == "True" for one in found)


# --- the world -----------------------------------------------------------------------------------


@contextlib.contextmanager
def _homelab() -> Iterator[tuple[Homelab, Installation]]:
    """Build the whole homelab, with an operator installed that does not run yet."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kubernetes = _started(stack, Kubernetes())
        kubernetes.apply(crd())
        external_secrets = ExternalSecrets(kubernetes)
        stack.callback(external_secrets.close)
        external_secrets.start()
        rgw = _started(stack, Rgw())
        kubelet = _started(stack, Kubelet(kubernetes, {"loki": [str(program("loki", "loki"))]}))
        loop = Loop()
        stack.callback(loop.close)
        home = Homelab(kubernetes, external_secrets, rgw, kubelet, loop, "")
        stack.callback(home.close)
        loki = dataclasses.replace(home.loki, grace_s=GRACE_S, min_ready_s=MIN_READY_S)
        home.build(loki=loki)
        home.push("the first line")
        home.wait_written()
        installation = Installation(kubernetes, folder)
        stack.callback(installation.close)
        yield home, installation


Part = TypeVar("Part", Kubernetes, Rgw, Kubelet)


def _started(stack: contextlib.ExitStack, part: Part) -> Part:
    stack.callback(part.stop)
    part.start()
    return part
