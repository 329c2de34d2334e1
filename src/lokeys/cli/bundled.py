# SPDX-License-Identifier: Apache-2.0
"""A session on a bundle: all is read from its files, and nothing can be changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from lokeys.adapters.bundles.answers import KeptAnswers
from lokeys.adapters.bundles.dumps import DumpObjects, dump_of
from lokeys.adapters.bundles.layout import MANIFEST
from lokeys.adapters.bundles.reading import tree_of
from lokeys.adapters.bundles.replay import (
    BundleObjects,
    bundle_of,
    fingerprinter_of,
    no_api,
    no_way,
    replaying,
    replaying_pods,
)
from lokeys.adapters.clouds import AllClouds
from lokeys.adapters.http_clients import HttpClients
from lokeys.adapters.kubernetes.cluster import Cluster
from lokeys.adapters.kubernetes.token_request import TokenRequests
from lokeys.adapters.wiring import Access, wire, wire_pods
from lokeys.cli.options import Options
from lokeys.cli.output import Printer
from lokeys.cli.session import Session, way_through
from lokeys.clock import utc_now
from lokeys.core.findings.link import Link
from lokeys.core.route.memory import Memory
from lokeys.core.route.model import RouteSpec
from lokeys.core.route.receipts.model import Receipt
from lokeys.engine.route.act import RemainingLease
from lokeys.engine.stack.verify import Verifier
from lokeys.errors import NeedsHuman
from lokeys.ports import Objects


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleContents:
    """The content of a bundle. `not_read` is what it should contain and does not."""

    objects: Objects = field(repr=False)
    answers: KeptAnswers = field(repr=False)
    namespace: str | None
    probe: str
    not_read: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A bundle as a command uses it."""

    session: Session
    held: BundleContents

    @property
    def everywhere(self) -> bool:
        """Tell whether all namespaces are used: all are in it, and none was chosen."""
        return self.held.namespace is None and self.session.options.namespace is None


def held_in(path: str) -> BundleContents:
    """Return what `collect` wrote, or what somebody dumped. Raises BadInput."""
    tree = tree_of(path)
    if MANIFEST in tree.files:
        bundle = bundle_of(tree, place=path)
        return BundleContents(
            objects=BundleObjects(bundle),
            answers=bundle.answers,
            namespace=bundle.manifest.namespace,
            probe=bundle.manifest.probe,
            not_read=bundle.not_read,
        )
    dump = dump_of(tree, now=utc_now(), place=path)
    return BundleContents(
        objects=DumpObjects(dump),
        answers=KeptAnswers(at=dump.at),
        namespace=None,
        probe="off",
        not_read=dump.not_read,
    )


@asynccontextmanager
async def opened_bundle(
    options: Options, path: str, printer: Printer | None = None
) -> AsyncIterator[Opened]:
    """Open a bundle of `collect`, a must-gather, or any dump of objects. Raises BadInput."""
    async with opened_contents(options, held_in(path), printer) as opened:
        yield opened


@asynccontextmanager
async def opened_contents(
    options: Options, held: BundleContents, printer: Printer | None = None
) -> AsyncIterator[Opened]:
    """Open the content of a bundle."""
    names = fingerprinter_of(held.answers)
    async with no_api() as api, HttpClients(wire=no_way) as clients:
        cluster = Cluster(
            objects=held.objects, api=api, fingerprinter=names, clock=lambda: held.answers.at
        )
        access = Access(cluster=cluster, clients=clients, callers_rights=True)
        clouds = AllClouds(clients=clients, clock=cluster.clock)
        session = Session(
            options=options,
            printer=printer or Printer(no_color=options.no_color),
            namespace=options.namespace or held.namespace or "default",
            objects=held.objects,
            wire=lambda spec: replaying(spec, wire(spec, access), held.answers),
            pods=lambda namespace, workloads: replaying_pods(
                wire_pods(namespace, workloads, access), held.answers
            ),
            hold=_refuse,
            remember=_forget,
            keep=_keep_nothing,
            clouds=clouds,
            verifier=lambda objects: Verifier(
                tokens=TokenRequests(api), clouds=clouds, objects=objects
            ),
            run_job=_make_nothing,
            way=way_through(clients, cluster.clock),
            kept=names.kept,
            fingerprint_key=names.key_name,
            clock=cluster.clock,
        )
        yield Opened(session=session, held=held)


def _refuse(spec: RouteSpec) -> AbstractAsyncContextManager[RemainingLease]:
    raise NeedsHuman(f"{spec.route} is looked at in a bundle: nothing can be changed there")


async def _forget(spec: RouteSpec, memory: Memory) -> None:
    """Do not keep the memory: a bundle is never changed."""


async def _make_nothing(job: Mapping[str, Any]) -> tuple[Link, ...]:
    del job
    raise NeedsHuman("a bundle has no cluster: no Job can be made")


async def _keep_nothing(spec: RouteSpec, receipt: Receipt) -> None:
    """Keep no receipt: nothing is healed in a bundle."""
