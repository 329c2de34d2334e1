# SPDX-License-Identifier: Apache-2.0
"""`lokeys doctor` on a cluster: routes found, looked at, and diagnosed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from lokeys.cli import looking, screens
from lokeys.cli.looking import SeenRoute
from lokeys.cli.options import Options
from lokeys.cli.routes import NamedRoute, covers, of_discovered, resources
from lokeys.cli.session import Session, opens_bucket, run_session
from lokeys.core.findings.finding import Finding, ranked
from lokeys.core.findings.report import exit_code
from lokeys.core.route.checks.configuration import findings_of
from lokeys.core.route.discovery.model import LokiWorkload
from lokeys.core.route.discovery.unfollowed import unfollowed
from lokeys.core.route.hops import first_disagreement
from lokeys.core.route.report import diagnosis_report
from lokeys.engine.discover.route import Discoverer, settled
from lokeys.errors import BadInput


def run(options: Options, *, everywhere: bool, probe: str) -> int:
    """Look at the cluster that the options choose; return the exit code."""
    return run_session(
        options, lambda session: examine(session, everywhere=everywhere, probe=probe)
    )


async def examine(session: Session, *, everywhere: bool, probe: str) -> int:
    """Report what is wrong with the routes of a namespace, or of all; return the exit code."""
    not_read: list[str] = []
    namespace = None if everywhere else session.namespace
    discoverer = Discoverer(session.objects)
    lokis = await discoverer.workloads(namespace)
    routes = await _routes(session, discoverer, namespace, not_read, probe=probe != "off")
    seen = await looking.look_at_all(session, routes, probe=probe)
    views = [each.view for each in seen]
    told = (finding for view in views for finding in view.diagnosis.findings)
    found = ranked((*_of_others(lokis, seen), *told))
    findings = session.heeded(found)
    document = diagnosis_report(views, findings, not_read)
    if session.options.output == "json":
        session.printer.json(document)
    else:
        printer, width = session.printer, session.printer.width
        for each in seen:
            printer.lines(screens.route_lines(each.view, at=each.look.snapshot.at, width=width))
        printer.lines(screens.findings_lines(findings, width=width))
        printer.lines(screens.unread_lines(document["notRead"], width=width))
        summary = screens.summary_line(
            findings,
            complete=document["complete"],
            ignored=len(found) - len(findings),
            agreed=all(first_disagreement(view.diagnosis.hops) is None for view in views),
        )
        printer.lines([screens.BLANK, summary])
    return exit_code(findings, complete=document["complete"], fail_on=session.fail_on)


def _of_others(lokis: Sequence[LokiWorkload], seen: Sequence[SeenRoute]) -> Iterator[Finding]:
    """Yield how those Lokis are configured wrongly that no route's look has shown."""
    shown = {w.ref for each in seen for w in each.look.snapshot.workloads if w.loki is not None}
    around = {each.ref: each.loki for each in lokis}
    others = {ref: loki for ref, loki in around.items() if ref not in shown}
    return findings_of(others, around=around)


async def _routes(
    session: Session,
    discoverer: Discoverer,
    namespace: str | None,
    not_read: list[str],
    *,
    probe: bool,
) -> list[NamedRoute]:
    """Return the routes that resources describe, and those of Lokis that none covers."""
    known = await resources(session, namespace, unusable=not_read)
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
        # All was seen, and nothing of it is amiss: a look by the clock must not fail for that.
        words = "no StorageCredential and no Loki in any namespace: is this the cluster?"
        session.printer.talk((words, "warning"))
    return routes
