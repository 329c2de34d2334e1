# SPDX-License-Identifier: Apache-2.0
"""One run of a command: its cluster, its user, and how its routes are reached."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from lokeys.adapters.bundles.recording import Recorder
from lokeys.adapters.clouds import AllClouds
from lokeys.adapters.http_clients import HttpClients
from lokeys.adapters.kubernetes import fingerprints
from lokeys.adapters.kubernetes.cluster import Cluster
from lokeys.adapters.kubernetes.history import RouteHistory
from lokeys.adapters.kubernetes.objects import LiveObjects
from lokeys.adapters.kubernetes.probe_jobs import ran
from lokeys.adapters.kubernetes.token_request import TokenRequests
from lokeys.adapters.wiring import Access, wire, wire_pods
from lokeys.cli.options import Options
from lokeys.cli.output import Printer
from lokeys.cli.reach import Reach, ReachMode
from lokeys.clock import utc_now
from lokeys.core.findings.finding import Finding, Severity
from lokeys.core.findings.link import Link
from lokeys.core.findings.report import heeded, ignore_of
from lokeys.core.kubernetes.json_fields import at
from lokeys.core.place import Ref
from lokeys.core.proxies import Proxies, from_environment
from lokeys.core.route.history import incident_of, with_incident
from lokeys.core.route.memory import Memory
from lokeys.core.route.model import RouteSpec, Workload
from lokeys.core.route.receipts.model import Actor, Door, Receipt
from lokeys.core.route.resource.status import fitted, memory_to_status
from lokeys.engine.route.act import RemainingLease
from lokeys.engine.stack.verify import Verifier
from lokeys.errors import LeaseLost, LokeysError, NeedsHuman, NotFound, Waiting
from lokeys.kube.calls import CallLimits
from lokeys.kube.client import Api
from lokeys.kube.kubeconfig import ClusterConfig, load
from lokeys.kube.lease import Lease, this_process
from lokeys.kube.resources import STORAGE_CREDENTIAL
from lokeys.ports import Clock, Clouds, CredentialVerifier, Objects, PodPorts, RoutePorts, Sleep

LEASE_AWAITED_S = 20.0
"""Longer than a lease lasts: a live holder has renewed it by then, a dead one has lost it."""
CALL_S = 15.0
Hold = Callable[[RouteSpec], AbstractAsyncContextManager[RemainingLease]]
Remember = Callable[[RouteSpec, Memory], Awaitable[None]]
Keep = Callable[[RouteSpec, Receipt], Awaitable[None]]
Way = Callable[[str, str | None], Awaitable[tuple[Link, ...]]]
"""Takes an endpoint and its trusted CA bundle, returns the links up to the endpoint."""
RunJob = Callable[[Mapping[str, Any]], Awaitable[tuple[Link, ...]]]
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What a command works with. All access to the outside is through these fields."""

    options: Options
    printer: Printer
    namespace: str
    objects: Objects
    wire: Callable[[RouteSpec], RoutePorts]
    pods: Callable[[str, Sequence[Workload]], PodPorts]
    """Returns the pods of a namespace's workloads that no route has."""
    hold: Hold
    remember: Remember
    keep: Keep
    """Keeps a receipt beside the route's resource, and a summary in its status."""
    clouds: Clouds
    verifier: Callable[[Objects], CredentialVerifier]
    run_job: RunJob
    """Runs a probe's Job to its end, removes it, and returns the links that it reported."""
    way: Way
    """Tests the path to an endpoint, before any key is sent there."""
    fingerprint_key: str
    """The name of the fingerprints' key: a status made with another key cannot be compared."""
    kept: bool
    """Whether fingerprints outlive this run, so that a status may remember them."""
    clock: Clock = utc_now
    sleep: Sleep = asyncio.sleep

    @property
    def fail_on(self) -> Severity:
        """Return the lowest severity of a finding that counts as a failure."""
        return Severity(self.options.fail_on)

    def heeded(self, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
        """Return the findings that the person wants to see."""
        return heeded(findings, [ignore_of(word) for word in self.options.ignore])


async def opens_bucket(session: Session, spec: RouteSpec) -> bool:
    """Tell whether the key of a guessed source may list the bucket that Loki writes.

    Only Loki's configuration named the address, so a key goes there only if its own owner allows
    it.
    """
    ports = session.wire(spec)
    reading = await ports.source.read()
    state = reading.state
    if state is None or reading.pair is None or not state.consent.covers(spec.bucket.endpoint):
        return False
    return (await ports.store.try_list(reading.pair)).accepted


def run_session(
    options: Options,
    body: Callable[[Session], Awaitable[Answer]],
    *,
    recorder: Recorder | None = None,
) -> Answer:
    """Run a command's body with a session on the chosen cluster. Ctrl-C cancels the body."""

    async def main() -> Answer:
        async with opened(options, recorder=recorder) as session:
            return await body(session)

    return asyncio.run(main())


@asynccontextmanager
async def opened(
    options: Options, printer: Printer | None = None, *, recorder: Recorder | None = None
) -> AsyncIterator[Session]:
    """Open a session on the cluster that the options choose; `recorder` keeps all that it reads."""
    config = cluster_config(options)
    printer = printer or Printer(no_color=options.no_color)
    proxies = proxies_told(printer, options)
    in_cluster = config.origin == "in-cluster"
    mode = ReachMode(options.reach)
    async with (
        Api(config, limits=CallLimits(call_s=CALL_S)) as api,
        Reach(api, mode=mode, in_cluster=in_cluster) as reach,
        HttpClients(dial=reach.dial, proxies=proxies) as clients,
    ):
        # The first call: an unreachable server is reported before anything is gathered.
        await api.raw_get("/version")
        fingerprinter = await fingerprints.load(api)
        objects: Objects = LiveObjects(api)
        if recorder is not None:
            objects = recorder.objects(objects)
            fingerprinter = recorder.fingerprinter(fingerprinter)
        cluster = Cluster(objects=objects, api=api, fingerprinter=fingerprinter, clock=utc_now)
        access = Access(
            cluster=cluster, clients=clients, callers_rights=True, outside=not in_cluster
        )
        clouds = AllClouds(clients=clients, clock=utc_now)

        def wired(spec: RouteSpec) -> RoutePorts:
            ports = wire(spec, access)
            return ports if recorder is None else recorder.ports(spec, ports)

        def podded(namespace: str, workloads: Sequence[Workload]) -> PodPorts:
            ports = wire_pods(namespace, workloads, access)
            return ports if recorder is None else recorder.pods(ports)

        yield Session(
            options=options,
            printer=printer,
            namespace=config.namespace,
            objects=objects,
            wire=wired,
            pods=podded,
            hold=lambda spec: _hold(api, spec),
            remember=_Status(api, fingerprinter.key_name).remember,
            keep=_Receipts(api).keep,
            clouds=clouds,
            verifier=lambda objects: Verifier(
                tokens=TokenRequests(api), clouds=clouds, objects=objects
            ),
            run_job=lambda job: ran(api, job),
            way=way_through(clients, utc_now),
            kept=fingerprinter.kept,
            fingerprint_key=fingerprinter.key_name,
        )


def way_through(clients: HttpClients, clock: Clock) -> Way:
    """Return a test of the path to an endpoint, as these clients connect."""

    async def links(endpoint: str, ca_bundle: str | None) -> tuple[Link, ...]:
        from lokeys.adapters.way import StoreWay  # noqa: PLC0415 - probes alone look at it

        way = StoreWay(endpoint=endpoint, ca_bundle=ca_bundle, clients=clients, clock=clock)
        return await way.links()

    return links


def proxies_told(printer: Printer, options: Options) -> Proxies:
    """Return the environment's proxies; with -v they are shown."""
    proxies = from_environment(os.environ)
    if options.verbose:
        for line in proxies.told():
            printer.talk((line, "faint"))
    return proxies


def cluster_config(options: Options) -> ClusterConfig:
    """Return the cluster that the options choose. Raises BadInput."""
    return load(kubeconfig=options.kubeconfig, context=options.context, namespace=options.namespace)


@asynccontextmanager
async def _hold(api: Api, spec: RouteSpec) -> AsyncIterator[RemainingLease]:
    """Hold the route's Lease. Refuses, naming the holder, if another acts on the route."""
    lease = Lease(api, name=f"lokeys-{spec.name}", namespace=spec.namespace, holder=this_process())
    try:
        await lease.acquire(timeout_s=LEASE_AWAITED_S, from_the_dead_only=True)
    except Waiting as exc:
        raise LeaseLost(f"somebody else is acting on this route: {exc}") from exc
    async with lease.hold():
        yield lease.remaining_s


def _insist_on_bridge(memory: Memory, kept: Mapping[str, Any]) -> None:
    """Refuse to continue if the end of a bridge was not kept: an older definition drops it."""
    if memory.bridge is not None and at(kept, "status", "memory", "bridge") is None:
        raise NeedsHuman(
            "the definition of StorageCredentials in this cluster is older than this lokeys and "
            "does not keep the end of a bridge: apply the one that came with it"
        )


class _Status:
    """Keeps lokeys' memory in a resource's status; writes only what is new."""

    def __init__(self, api: Api, key: str) -> None:
        self._api = api
        self._key = key
        self._written: dict[Ref, Mapping[str, Any]] = {}

    async def remember(self, spec: RouteSpec, memory: Memory) -> None:
        """Write what must be remembered; nothing if the resource was deleted meanwhile."""
        kept = fitted({"memory": memory_to_status(memory, key=self._key)})
        if self._written.get(spec.ref) == kept:
            return
        place = {"namespace": spec.namespace, "subresource": "status"}
        try:
            found = await self._api.get(STORAGE_CREDENTIAL, spec.name, namespace=spec.namespace)
            status = found.get("status")
            if not status or status.get("memory") != kept["memory"]:
                change = (
                    {"op": "add", "path": "/status/memory", "value": kept["memory"]}
                    if status
                    else {"op": "add", "path": "/status", "value": kept}
                )
                found = await self._api.json_patch(STORAGE_CREDENTIAL, spec.name, [change], **place)
                _insist_on_bridge(memory, found)
        except NotFound:
            return
        self._written[spec.ref] = kept


class _Receipts:
    """Keeps the receipts of a person's actions, under their user name in the API server."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def keep(self, spec: RouteSpec, receipt: Receipt) -> None:
        """Keep it in the route's ConfigMap, and a summary in its status."""
        found = await self._api.get(STORAGE_CREDENTIAL, spec.name, namespace=spec.namespace)
        signed = replace(receipt, by=Actor(door=Door.COMMAND_LINE, name=await self._user()))
        await RouteHistory(self._api).keep(found, signed)
        history = with_incident(
            (found.get("status") or {}).get("history") or (), incident_of(signed)
        )
        await self._api.merge_patch(
            STORAGE_CREDENTIAL,
            spec.name,
            {"metadata": {"uid": found["metadata"]["uid"]}, "status": fitted({"history": history})},
            namespace=spec.namespace,
            subresource="status",
        )

    async def _user(self) -> str:
        try:
            return await self._api.user()
        except LokeysError:
            return ""
