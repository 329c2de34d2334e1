# SPDX-License-Identifier: Apache-2.0
"""A session of the command line on a world in memory, and what it printed."""

import io
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from fakes.clouds import FakeClouds
from fakes.ports import FakeObjects, World
from lokeys.cli.options import Options
from lokeys.cli.output import Printer
from lokeys.cli.session import Session
from lokeys.core.findings.link import Link
from lokeys.core.place import Hop
from lokeys.core.route.memory import Memory
from lokeys.core.route.model import RouteSpec, Workload
from lokeys.core.route.receipts.model import Receipt
from lokeys.core.route.snapshot import LogLine, LokiMetrics, PodState, Unreadable, Why
from lokeys.core.stack.resource.model import LokiStack
from lokeys.core.stack.storage.model import Storage
from lokeys.core.stack.storage.secret_data import SecretData
from lokeys.core.trust.tries.verification import Verification
from lokeys.engine.route.act import RemainingLease
from lokeys.errors import LeaseLost
from lokeys.ports import Fleet, PodPorts, Reading

STORAGE_CREDENTIAL: dict[str, Any] = {
    "apiVersion": "lokeys.dev/v1alpha1",
    "kind": "StorageCredential",
    "metadata": {
        "name": "loki",
        "namespace": "monitoring",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    },
    "spec": {
        "mode": "Heal",
        "source": {"rook": {"user": "loki", "namespace": "storage", "store": "storage"}},
        "vault": {
            "onePassword": {
                "connect": {
                    "url": "http://connect.external-secrets.svc:8080",
                    "tokenSecretRef": {"name": "lokeys-connect"},
                },
                "vault": "homelab",
                "item": "loki-s3-config",
            }
        },
        "secret": {
            "name": "loki-s3-credentials",
            "externalSecret": {"name": "loki-s3-credentials"},
        },
        "bucket": {"name": "loki", "endpoint": "http://rook-ceph-rgw-storage.storage.svc:80"},
        "workloads": [{"kind": "StatefulSet", "name": "loki"}],
    },
}


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@dataclass
class _Verifier:
    tried: Mapping[str, Verification]

    async def verify(
        self, stack: LokiStack, storage: Storage, secret: SecretData, *, account: str
    ) -> Verification:
        del stack, storage, secret
        return self.tried[account]


@dataclass
class Desk:
    """Where a person sits: the session, and what stands on the two streams."""

    world: World
    objects: FakeObjects = field(default_factory=lambda: FakeObjects(STORAGE_CREDENTIAL))
    environ: Mapping[str, str] = field(default_factory=dict)
    holder: str | None = None
    out: io.StringIO = field(default_factory=io.StringIO)
    err: io.StringIO = field(default_factory=io.StringIO)
    clouds: FakeClouds = field(default_factory=FakeClouds)
    tried: Mapping[str, Verification] = field(default_factory=dict)
    """What a try of each account shows."""
    unrouted: Fleet = field(default_factory=Fleet)
    """Pods of Lokis without a route, with what they count and complain of."""
    jobs: list[Mapping[str, Any]] = field(default_factory=list)
    way: tuple[Link, ...] = ()
    """The links up to the store."""
    held: list[str] = field(default_factory=list)
    remembered: list[Memory] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)

    def session(self, **options: Any) -> Session:
        """Return a session with these options."""
        chosen = Options(**options)
        return Session(
            options=chosen,
            printer=Printer(
                no_color=chosen.no_color, environ=self.environ, out=self.out, err=self.err
            ),
            namespace=chosen.namespace or "monitoring",
            objects=self.objects,
            wire=self.world.ports,
            pods=lambda _, workloads: _pods(self.unrouted, workloads),
            hold=self._hold,
            remember=self._remember,
            keep=self._keep,
            clouds=self.clouds,
            verifier=lambda _: _Verifier(self.tried),
            run_job=self._run_job,
            way=self._way,
            kept=True,
            fingerprint_key="k:test",
            clock=self.world.clock,
            sleep=self.world.sleep,
        )

    @property
    def printed(self) -> str:
        """Return the data."""
        return self.out.getvalue()

    @property
    def said(self) -> str:
        """Return the talk."""
        return self.err.getvalue()

    @asynccontextmanager
    async def _hold(self, spec: RouteSpec) -> AsyncIterator[RemainingLease]:
        if self.holder is not None:
            raise LeaseLost(f"somebody else is acting on this route: held by {self.holder}")
        self.held.append(spec.name)
        yield lambda: 60.0
        self.held.append("given back")

    async def _run_job(self, job: Mapping[str, Any]) -> tuple[Link, ...]:
        self.jobs.append(job)
        return self.way

    async def _way(self, endpoint: str, ca_bundle: str | None) -> tuple[Link, ...]:
        del endpoint, ca_bundle
        return self.way

    async def _remember(self, spec: RouteSpec, memory: Memory) -> None:
        del spec
        self.remembered.append(memory)

    async def _keep(self, spec: RouteSpec, receipt: Receipt) -> None:
        await self.objects.get(spec.ref)
        self.receipts.append(receipt)


def _pods(fleet: Fleet, workloads: Sequence[Workload]) -> PodPorts:
    """Return the ports to those pods of a fleet that are of some workloads."""
    names = {(each.kind, each.name) for each in workloads}
    pods = tuple(p for p in fleet.pods if (p.workload.kind, p.workload.name) in names)
    return PodPorts(workloads=_Fleet(replace(fleet, pods=pods)), loki=_Told())


class _Fleet:
    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    async def read(self) -> Reading[Fleet]:
        return Reading(state=self._fleet)

    async def may_evict(self, pod: PodState) -> bool | None:
        raise AssertionError(pod)

    async def evict(self, pod: PodState, *, grace: timedelta | None) -> None:
        raise AssertionError(pod, grace)

    async def delete(self, pod: PodState, *, grace: timedelta | None) -> None:
        raise AssertionError(pod, grace)


class _Told:
    async def metrics(self, pod: PodState) -> LokiMetrics | Unreadable:
        return pod.metrics or Unreadable(hop=Hop.PODS, ref=pod.ref, why=Why.UNREACHABLE)

    async def log(self, pod: PodState) -> tuple[LogLine, ...] | Unreadable:
        return pod.log

    async def flush(self, pod: PodState) -> None:
        raise AssertionError(pod)
