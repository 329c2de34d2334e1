# SPDX-License-Identifier: Apache-2.0
"""`lokeys trace`: one route, one line per hop."""

from __future__ import annotations

import click

from lokeys.cli import looking, screens
from lokeys.cli.options import LokeysCommand, options_of, route_arguments
from lokeys.cli.routes import route
from lokeys.cli.session import Session, run_session
from lokeys.core.findings.report import exit_code
from lokeys.core.route.hops import first_disagreement
from lokeys.core.route.report import route_report
from lokeys.core.text.shell import command as shell_command


@click.command("trace", cls=LokeysCommand)
@route_arguments
@click.pass_context
def command(ctx: click.Context, name: str | None, file: str | None) -> int:
    """Show one route from the source to the pods, one line per hop.

    NAME is a StorageCredential, or KIND/NAME of a running Loki, such as statefulset/loki.
    """
    return run_session(options_of(ctx), lambda session: walk(session, name, file))


async def walk(session: Session, name: str | None, file: str | None) -> int:
    """Report one route; return the exit code."""
    chosen = await route(session, name, file)
    seen = await looking.look_at(session, chosen)
    view = seen.view
    findings = session.heeded(view.diagnosis.findings)
    complete = view.diagnosis.complete
    if session.options.output == "json":
        session.printer.json(route_report(view, findings))
    else:
        printer, width = session.printer, session.printer.width
        printer.lines(screens.route_lines(view, at=seen.look.snapshot.at, width=width))
        printer.lines([screens.BLANK])
        for finding in findings:
            printer.lines([screens.headline(finding)])
        ignored = len(view.diagnosis.findings) - len(findings)
        if ignored or not findings:
            agreed = first_disagreement(view.diagnosis.hops) is None
            printer.lines(
                [screens.summary_line(findings, complete=complete, ignored=ignored, agreed=agreed)]
            )
        printer.lines(screens.unread_lines(view.diagnosis.not_read, width=width))
        if findings:
            doctor = shell_command("lokeys doctor -n", chosen.spec.namespace)
            printer.talk((f"more: {doctor}, lokeys explain CODE", "faint"))
    return exit_code(findings, complete=complete, fail_on=session.fail_on)
