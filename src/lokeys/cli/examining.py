# SPDX-License-Identifier: Apache-2.0
"""Examines everything about Loki's storage in a namespace or cluster: what `doctor` reports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from lokeys.cli import looking
from lokeys.cli.looking import SeenRoute
from lokeys.cli.routes import NamedRoute, covers, of_discovered, resources
from lokeys.cli.session import Session, opens_bucket
from lokeys.core.findings.finding import Finding, ranked
from lokeys.core.kubernetes.loki.model import Backend
from lokeys.core.route.checks.configuration import findings_of
from lokeys.core.route.checks.reading import grouped_of
from lokeys.core.route.discovery.model import LokiWorkload
from lokeys.core.route.discovery.unfollowed import unfollowed
from lokeys.core.route.hops import first_disagreement
from lokeys.core.route.model import Workload
from lokeys.core.route.report import diagnosis_report
from lokeys.core.route.symptoms import of_unrouted
from lokeys.engine.discover.pods import AskedPods, ask_pods
from lokeys.engine.discover.route import Discoverer, settled
from lokeys.errors import BadInput, NotReadable


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What was seen: routes, all findings, and what could not be read."""

    seen: tuple[SeenRoute, ...]
    found: tuple[Finding, ...]
    not_read: tuple[str, ...]

    @property
    def agreed(self) -> bool:
        """Tell whether no hop of a route differs from the one before it."""
        return all(first_disagreement(e.view.diagnosis.hops) is None for e in self.seen)

    def report(self, findings: Sequence[Finding]) -> dict[str, Any]:
        """Return the contract's report of these findings."""
        return diagnosis_report([each.view for each in self.seen], findings, self.not_read)


async def examined(
    session: Session, *, everywhere: bool, probe: str, missing: Sequence[str] = ()
) -> Examined:
    """Examine the routes of a namespace, or of all.

    `missing` is what is already known not to be readable. Raises BadInput if a namespace has
    nothing to examine.
    """
    not_read = [*missing]
    namespace = None if everywhere else session.namespace
    discoverer = Discoverer(session.objects)
    lokis = await discoverer.workloads(namespace)
    routes = await _routes(session, discoverer, namespace, not_read, probe=probe != "off")
    seen = await looking.look_at_all(session, routes, probe=probe)
    told = (finding for each in seen for finding in each.view.diagnosis.findings)
    pods = await _unrouted_pods(session, lokis, seen)
    not_read += (str(gap) for gap in grouped_of(pods.gaps, pods.pods) if gap.hides)
    around = {each.ref: each.loki for each in lokis}
    return Examined(
        seen=tuple(seen),
        found=ranked((*of_unrouted(tuple(_of_others(lokis, seen)), pods.pods, around), *told)),
        not_read=tuple(dict.fromkeys(not_read)),
    )


async def _unrouted_pods(
    session: Session, lokis: Sequence[LokiWorkload], seen: Sequence[SeenRoute]
) -> AskedPods:
    """Return the pods of Lokis that use a store, and that no route has asked."""
    looked = {w.ref for each in seen for w in each.look.snapshot.workloads}
    groups: dict[str, list[Workload]] = {}
    for each in lokis:
        stores = each.loki.uses_storage and each.storage.backend is not Backend.DISK
        if stores and each.ref not in looked:
            groups.setdefault(each.ref.namespace or "default", []).append(each.alone)
    found = [await ask_pods(session.pods(place, group)) for place, group in groups.items()]
    return AskedPods(
        pods=tuple(pod for each in found for pod in each.pods),
        gaps=tuple(gap for each in found for gap in each.gaps),
    )


def _of_others(lokis: Sequence[LokiWorkload], seen: Sequence[SeenRoute]) -> Iterator[Finding]:
    """Yield configuration errors of Lokis that no route has shown."""
    shown = {w.ref for each in seen for w in each.look.snapshot.workloads if w.loki is not None}
    around = {each.ref: each.loki for each in lokis}
    others = {ref: loki for ref, loki in around.items() if ref not in shown}
    return findings_of(others, around=around)


async def _known(session: Session, namespace: str | None, not_read: list[str]) -> list[NamedRoute]:
    """Return the routes that resources describe; notes it if they cannot be listed."""
    try:
        return await resources(session, namespace, unusable=not_read)
    except NotReadable as gap:
        not_read.append(str(gap))
        return []


async def _routes(
    session: Session,
    discoverer: Discoverer,
    namespace: str | None,
    not_read: list[str],
    *,
    probe: bool,
) -> list[NamedRoute]:
    """Return the routes that resources describe, and those of Lokis without a resource."""
    known = await _known(session, namespace, not_read)
    workloads = await discoverer.workloads(namespace)
    bare = [w for w in workloads if not any(covers(route.spec, w) for route in known)]
    found = await discoverer.routes(bare)
    if probe:
        found = [await settled(each, partial(opens_bucket, session)) for each in found]
    not_read += discoverer.gaps
    not_read += unfollowed([each for each in bare if not each.loki.kept_from_storage])
    for each in found:
        if not each.lookable:
            names = ", ".join(w.name for w in each.spec.workloads)
            not_read.append(
                f"{names}: where it writes cannot be told; lokeys discover -n "
                f"{each.spec.namespace} prints what can"
            )
    routes = [*known, *(of_discovered(each) for each in found if each.lookable)]
    if not workloads and not routes and not not_read:
        if namespace is not None:
            hint = "look everywhere with -A, or choose with -n"
            raise BadInput(f"no StorageCredential and no Loki in namespace {namespace}", hint=hint)
        # Everything was read, and nothing is wrong: a scheduled run must not fail for that.
        words = "no StorageCredential and no Loki in any namespace: is this the cluster?"
        session.printer.talk((words, "warning"))
    return routes
