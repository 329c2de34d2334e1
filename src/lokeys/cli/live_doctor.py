# SPDX-License-Identifier: Apache-2.0
"""`lokeys doctor` on a cluster, or on a bundle: routes found, looked at, and diagnosed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from lokeys.cli import screens
from lokeys.cli.bundled import opened_bundle
from lokeys.cli.examining import examined
from lokeys.cli.options import Options
from lokeys.cli.session import Session, run_session
from lokeys.core.findings.report import exit_code


def run(options: Options, *, everywhere: bool, probe: str) -> int:
    """Look at the cluster that the options choose; return the exit code."""
    return run_session(
        options, lambda session: examine(session, everywhere=everywhere, probe=probe)
    )


def run_on_bundle(options: Options, path: str, *, everywhere: bool) -> int:
    """Look at a bundle; return the exit code."""
    return asyncio.run(_of_bundle(options, path, everywhere=everywhere))


async def _of_bundle(options: Options, path: str, *, everywhere: bool) -> int:
    async with opened_bundle(options, path) as opened:
        return await examine(
            opened.session,
            everywhere=everywhere or opened.everywhere,
            probe=opened.held.probe,
            missing=opened.held.not_read,
        )


async def examine(
    session: Session, *, everywhere: bool, probe: str, missing: Sequence[str] = ()
) -> int:
    """Report what is wrong with the routes of a namespace, or of all; return the exit code.

    `missing` is what is known not to have been read already.
    """
    told = await examined(session, everywhere=everywhere, probe=probe, missing=missing)
    findings = session.heeded(told.found)
    document = told.report(findings)
    if session.options.output == "json":
        session.printer.json(document)
    else:
        printer, width = session.printer, session.printer.width
        for each in told.seen:
            printer.lines(screens.route_lines(each.view, at=each.look.snapshot.at, width=width))
        printer.lines(screens.findings_lines(findings, width=width))
        printer.lines(screens.unread_lines(document["notRead"], width=width))
        summary = screens.summary_line(
            findings,
            complete=document["complete"],
            ignored=len(told.found) - len(findings),
            agreed=told.agreed,
        )
        printer.lines([screens.BLANK, summary])
    return exit_code(findings, complete=document["complete"], fail_on=session.fail_on)
