# SPDX-License-Identifier: Apache-2.0
"""`lokeys doctor` on a cluster, or on a bundle: routes found, examined, and diagnosed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lokeys.adapters.bundles.recording import Recorder
from lokeys.cli import screens
from lokeys.cli.bundled import opened_bundle
from lokeys.cli.doctor_output import Diagnosed, show
from lokeys.cli.examining import Examined, examined
from lokeys.cli.options import Options
from lokeys.cli.output import Line
from lokeys.cli.session import Session, run_session
from lokeys.core.findings.finding import Finding, finding_to_json
from lokeys.core.findings.report import exit_code

PAUSE_S = 30.0
"""Between two looks of `--watch`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What to examine, and how. `since`: an older bundle; only differences are reported."""

    everywhere: bool = False
    probe: str = "read"
    since: str | None = None
    missing: tuple[str, ...] = ()
    """What is already known not to be readable."""


def run(options: Options, asked: Asked, *, watching: bool = False) -> int:
    """Examine the cluster that the options choose; return the exit code.

    Each object is read once per look, even if several routes name it.
    """
    recorder = Recorder()
    if watching:
        return run_session(
            options,
            lambda session: watch(session, asked, afresh=recorder.forget),
            recorder=recorder,
        )
    return run_session(options, lambda session: examine(session, asked), recorder=recorder)


def run_on_bundle(options: Options, path: str, asked: Asked) -> int:
    """Examine a bundle; return the exit code."""
    return asyncio.run(_of_bundle(options, path, asked))


async def _of_bundle(options: Options, path: str, asked: Asked) -> int:
    async with opened_bundle(options, path) as opened:
        there = Asked(
            everywhere=asked.everywhere or opened.everywhere,
            probe=opened.held.probe,
            since=asked.since,
            missing=opened.held.not_read,
        )
        return await examine(opened.session, there)


async def examine(session: Session, asked: Asked) -> int:
    """Report what is wrong with the routes of a namespace, or of all; return the exit code."""
    before = await _before(session.options, asked.since) if asked.since is not None else None
    seen = await _look(session, asked)
    told = _told(session, seen, before)
    show(session.printer, session.options, told)
    complete = told.document["complete"]
    return exit_code(told.findings, complete=complete, fail_on=session.fail_on)


async def watch(
    session: Session, asked: Asked, *, afresh: Callable[[], None] = lambda: None
) -> int:
    """Report, and continue to report what is new and what is gone, until interrupted."""
    before = await _before(session.options, asked.since) if asked.since is not None else None
    while True:
        afresh()
        seen = await _look(session, asked)
        told = _told(session, seen, before)
        changed = before is None or told.findings or told.document["sinceBundle"]["gone"]
        if changed:
            if before is not None:
                session.printer.talk((f"{session.clock():%H:%M:%S}", "faint"))
            show(session.printer, session.options, told)
        before = session.heeded(seen.found)
        await session.sleep(PAUSE_S)


async def _look(session: Session, asked: Asked) -> Examined:
    return await examined(
        session, everywhere=asked.everywhere, probe=asked.probe, missing=asked.missing
    )


async def _before(options: Options, path: str) -> tuple[Finding, ...]:
    """Return the findings of an older bundle."""
    async with opened_bundle(options, path) as opened:
        seen = await examined(opened.session, everywhere=opened.everywhere, probe=opened.held.probe)
        return opened.session.heeded(seen.found)


def _told(session: Session, seen: Examined, before: Sequence[Finding] | None) -> Diagnosed:
    """Return the report of a look, with only the findings that differ from earlier ones."""
    heeded = session.heeded(seen.found)
    known = {finding.id for finding in before or ()}
    findings = tuple(finding for finding in heeded if finding.id not in known)
    now = {finding.id for finding in heeded}
    gone = tuple(finding for finding in before or () if finding.id not in now)
    document = seen.report(findings)
    after = [*screens.unread_lines(document["notRead"], width=session.printer.width)]
    if before is not None:
        document["sinceBundle"] = {
            "gone": [finding_to_json(finding) for finding in gone],
            "unchanged": len(heeded) - len(findings),
        }
        after += _since(gone, unchanged=len(heeded) - len(findings))
    summary = screens.summary_line(
        findings,
        complete=document["complete"],
        ignored=len(seen.found) - len(heeded),
        agreed=seen.agreed,
    )
    if before is None or findings:
        after += [screens.BLANK, summary]
    lines = [
        line
        for each in seen.seen
        for line in screens.route_lines(
            each.view, at=each.look.snapshot.at, width=session.printer.width
        )
    ]
    return Diagnosed(document=document, findings=findings, before=lines, after=after)


def _since(gone: Sequence[Finding], *, unchanged: int) -> Iterator[Line]:
    yield screens.BLANK
    for finding in gone:
        yield (("gone: ", "good"), (f"{finding.code} {finding.title}", ""))
    yield ((f"{unchanged} finding{'' if unchanged == 1 else 's'} as before", "faint"),)
