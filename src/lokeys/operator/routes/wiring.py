# SPDX-License-Identifier: Apache-2.0
"""What the controller gets for each route: watched objects, ports, a Lease."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from lokeys.adapters.http_clients import HttpClients
from lokeys.adapters.kubernetes.cluster import Cluster
from lokeys.adapters.kubernetes.objects import LiveObjects
from lokeys.adapters.wiring import Access, wire
from lokeys.core.route.model import RouteSpec
from lokeys.core.sensitive import Fingerprinter
from lokeys.kube.client import Api
from lokeys.kube.informer import InformerSet
from lokeys.kube.lease import Lease
from lokeys.operator.cache import RouteObjects
from lokeys.operator.workers import Key
from lokeys.ports import Clock, RoutePorts


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteWiring:
    """The means of one leader. `on_change` is called with the route whose objects have changed."""

    api: Api
    clients: HttpClients
    informers: InformerSet
    fingerprinter: Fingerprinter
    leadership: Lease
    identity: str
    clock: Clock
    on_change: Callable[[Key], None]

    def objects(self, key: Key) -> RouteObjects:
        """Return what a route reads from; a change of any of it requeues the route."""
        live, on_change = LiveObjects(self.api), partial(self.on_change, key)
        return RouteObjects(self.informers, live, on_change=on_change)

    async def ports(self, spec: RouteSpec, objects: RouteObjects) -> RoutePorts:
        """Return a route's ports. Raises BadInput for an invalid CA bundle."""
        cluster = Cluster(
            objects=objects, api=self.api, fingerprinter=self.fingerprinter, clock=self.clock
        )
        clients = self.clients.asked_by(spec.namespace)
        return wire(spec, Access(cluster=cluster, clients=clients))

    def lease(self, spec: RouteSpec) -> Lease:
        """Return the Lease under which a route is healed.

        The previous leader may have been killed during a heal: its Leases died with it.
        """
        return Lease(
            self.api,
            name=f"lokeys-{spec.name}",
            namespace=spec.namespace,
            holder=self.identity,
            ended=self.leadership.outlived,
        )
