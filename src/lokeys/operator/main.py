# SPDX-License-Identifier: Apache-2.0
"""`lokeys operator`: replicas share one Lease; its holder works, the others are warm standbys."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from lokeys.adapters.clouds import AllClouds
from lokeys.adapters.http_clients import HttpClients
from lokeys.adapters.kubernetes import fingerprints
from lokeys.adapters.kubernetes.history import RouteHistory
from lokeys.adapters.kubernetes.token_request import TokenRequests
from lokeys.adapters.loki.pod import counters_at, look_for_labels_at
from lokeys.adapters.silences import Silences
from lokeys.clock import utc_now
from lokeys.core.proxies import from_environment
from lokeys.core.route.resource.crd import DEFINITION
from lokeys.core.route.resource.served import status_schema_of, words_unknown
from lokeys.core.sensitive import Fingerprinter
from lokeys.engine.stack.verify import Verifier
from lokeys.errors import BadInput, LokeysError, Transient
from lokeys.http_server import HttpServer
from lokeys.kube.client import Api, Object
from lokeys.kube.events import EventWriter
from lokeys.kube.informer import InformerSet, Scope
from lokeys.kube.kubeconfig import ClusterConfig
from lokeys.kube.lease import Lease, this_process
from lokeys.kube.resources import CRD, STORAGE_CREDENTIAL
from lokeys.operator.metrics import Metrics
from lokeys.operator.pages import Pages, listen_at
from lokeys.operator.routes.reconciler import Controller
from lokeys.operator.routes.wiring import RouteWiring
from lokeys.operator.stacks.operator import Choice, StackOperator, StackWiring
from lokeys.operator.stacks.reconciler import StackSettings
from lokeys.operator.stacks.trials import MakeVerifier
from lokeys.operator.statuses import concerns_us
from lokeys.operator.workers import WORKERS, Key, Worker, queue_of_keys
from lokeys.ports import Objects

LEASE_NAME = "lokeys-operator"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to run. `namespace` None: all namespaces."""

    config: ClusterConfig
    namespace: str | None = None
    system_namespace: str = fingerprints.SYSTEM_NAMESPACE
    host: str = "127.0.0.1"
    port: int = 8080
    lokistacks: Choice = Choice.LABELLED
    stacks: StackSettings = field(default_factory=StackSettings)
    verify_tokens: bool = False
    """Whether tokens of stacks' accounts may be requested; a Role must also allow it."""


async def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. Raises LeaseLost if the Lease could not be kept."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    proxies = from_environment(os.environ)
    for line in proxies.told():
        _log.info("%s", line)
    async with (
        Api(settings.config) as api,
        HttpClients(proxies=proxies, silences=Silences(clock=utc_now)) as clients,
        InformerSet(api) as informers,
    ):
        wiring = StackWiring(
            api=api,
            informers=informers,
            clock=utc_now,
            identity=this_process(),
            namespace=settings.namespace,
            choice=settings.lokistacks,
            settings=settings.stacks,
            make_verifier=_make_verifier(settings, api, clients),
            counters=lambda address: counters_at(address, client=clients.direct(), now=utc_now()),
            use_storage=lambda address: look_for_labels_at(
                address, client=clients.direct(), now=utc_now()
            ),
        )
        stacks = StackOperator(wiring)
        operator = _Operator(settings, api, clients, informers, stacks)
        pages = Pages(operator.metrics, ready=operator.ready)
        listen = listen_at(settings.host, settings.port)
        async with stacks, _listening(HttpServer(pages.answer, listen), settings) as server:
            _log.info("pages on %s", server.url)
            await _until(stop, operator.serve())


@asynccontextmanager
async def _listening(server: HttpServer, settings: Settings) -> AsyncIterator[HttpServer]:
    """Serve the pages; report in words why that is not possible."""
    try:
        await server.start()
    except OSError as exc:
        where = f"{settings.host}:{settings.port}"
        said = os.strerror(exc.errno).lower() if exc.errno and exc.errno > 0 else exc.strerror
        raise BadInput(f"the pages cannot be served at {where}: {said}") from exc
    try:
        yield server
    finally:
        await server.stop()


def _make_verifier(settings: Settings, api: Api, clients: HttpClients) -> MakeVerifier:
    """Return what makes the tests of stacks' credentials."""
    tokens = TokenRequests(api) if settings.verify_tokens else None

    def make(namespace: str, objects: Objects) -> Verifier:
        clouds = AllClouds(clients=clients.asked_by(namespace), clock=utc_now)
        return Verifier(tokens=tokens, clouds=clouds, objects=objects)

    return make


async def _until(stop: asyncio.Event, serving: Any) -> None:
    """Serve until asked to stop; a permanent failure ends the process."""
    task = asyncio.ensure_future(serving)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        task.cancel()
        await asyncio.wait({task})
    if not task.cancelled() and (failure := task.exception()):
        raise failure


class _Operator:
    """One replica."""

    def __init__(
        self,
        settings: Settings,
        api: Api,
        clients: HttpClients,
        informers: InformerSet,
        stacks: StackOperator,
    ) -> None:
        self._settings = settings
        self._api = api
        self._clients = clients
        self._informers = informers
        self._stacks = stacks
        self._queue = queue_of_keys(first_delay_s=1.0)
        self.metrics = Metrics(
            clock=utc_now, queue_length=lambda: len(self._queue), more=[stacks.metrics]
        )
        self._identity = this_process()
        scope = Scope(resource=STORAGE_CREDENTIAL, namespace=settings.namespace)
        self._resources = informers.subscribe(scope, self._resource_changed).informer
        self._controller: Controller | None = None

    def ready(self) -> bool:
        """Tell whether StorageCredentials and LokiStacks are known and can be watched."""
        synced = self._resources.synced.is_set() and self._resources.trouble is None
        self.metrics.synced(synced=synced)
        return synced and self._stacks.ready

    async def serve(self) -> None:
        """Wait for the Lease, then run all routes while it is held."""
        await self._resources.synced.wait()
        lease = Lease(
            self._api,
            name=LEASE_NAME,
            namespace=self._settings.system_namespace,
            holder=self._identity,
        )
        async with lease.hold():
            _log.info("%s holds %s", self._identity, lease)
            self.metrics.leads(leads=True)
            fingerprinter = await self._fingerprinter()
            schema = await self._status_schema()
            self._controller = self._route_controller(lease, fingerprinter, schema)
            worker = Worker(
                kind="StorageCredential",
                queue=self._queue,
                reconcile=self._controller.reconcile,
                on_surprise=lambda: self.metrics.failed("reconcile"),
            )
            async with asyncio.TaskGroup() as group:
                for _ in range(WORKERS):
                    group.create_task(worker.run())
                group.create_task(self._stacks.serve(fingerprinter))

    async def _status_schema(self) -> Mapping[str, Any]:
        """Return the status schema of the cluster's definition; report if it is an older one.

        If it cannot be read, the current one is assumed.
        """
        try:
            found = await self._api.list(CRD, fields=f"metadata.name={DEFINITION}")
        except LokeysError as exc:
            _log.warning("the definition of StorageCredentials cannot be read: %s", exc)
            return {}
        schema = status_schema_of(next(iter(found.items), None))
        unknown = words_unknown(schema)
        if unknown:
            _log.warning(
                "the definition of StorageCredentials is older than this operator: the hops %s are "
                "left out of each status; apply deploy/crd and restart the operator",
                ", ".join(unknown),
            )
        return schema

    def _route_controller(
        self, leadership: Lease, fingerprinter: Fingerprinter, schema: Mapping[str, Any]
    ) -> Controller:
        wiring = RouteWiring(
            api=self._api,
            clients=self._clients,
            informers=self._informers,
            fingerprinter=fingerprinter,
            leadership=leadership,
            identity=self._identity,
            clock=utc_now,
            on_change=self._hop_changed,
        )
        return Controller(
            api=self._api,
            resources=self._resources,
            make_ports=wiring.ports,
            make_objects=wiring.objects,
            make_lease=wiring.lease,
            keep_receipt=RouteHistory(self._api).keep,
            requeue=self._queue.add_after,
            events=EventWriter(self._api, instance=self._identity),
            metrics=self.metrics,
            clock=utc_now,
            fingerprint_key=fingerprinter.key_name,
            status_schema=schema,
        )

    async def _fingerprinter(self) -> Fingerprinter:
        """Return the kept fingerprinter; retry while the API server fails."""
        while True:
            try:
                return await fingerprints.load_or_make(
                    self._api, namespace=self._settings.system_namespace
                )
            except Transient as exc:
                _log.warning("the fingerprint key cannot be read: %s", exc)
                await asyncio.sleep(2.0)

    def _resource_changed(self, old: Object | None, new: Object | None) -> None:
        if concerns_us(old, new):
            metadata: Mapping[str, Any] = (new or old or {})["metadata"]
            self._queue.add((metadata["namespace"], metadata["name"]))

    def _hop_changed(self, key: Key) -> None:
        self._queue.add(key)
        if self._controller is not None:
            self._controller.wake(key)
