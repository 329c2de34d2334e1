# SPDX-License-Identifier: Apache-2.0
"""A diagnosis in the requested form: for people, programs, CI, or an issue tracker.

In Markdown all untrusted text is in fenced blocks: a host shows it unchanged, and treats no name in
it as a person, no number as an issue and no address as a link.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lokeys import __version__
from lokeys.cli import screens
from lokeys.cli.options import LokeysCommand, Options
from lokeys.cli.output import Line, Printer
from lokeys.core.findings.finding import Finding, Severity
from lokeys.core.text.words import printable

_TICKS = re.compile(r"`{3,}")


class DoctorCommand(LokeysCommand):
    """A command that also has the formats of CI and of issue trackers."""

    formats = ("people", "json", "sarif", "junit", "markdown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosed:
    """A doctor's result: the contract's document, and the lines for people.

    `before` are the lines before the findings, such as routes; `after` those after them.
    """

    document: Mapping[str, Any]
    findings: Sequence[Finding]
    before: Sequence[Line] = ()
    after: Sequence[Line] = ()


def show(printer: Printer, options: Options, told: Diagnosed) -> None:
    """Print a diagnosis as `-o` says."""
    match options.output:
        case "json":
            printer.json(told.document)
        case "sarif":
            from lokeys.core.validation.sarif import sarif  # noqa: PLC0415 - rarely needed

            printer.json(sarif(told.findings, version=__version__))
        case "junit":
            from lokeys.core.validation.junit import junit_of  # noqa: PLC0415 - rarely needed

            printer.text(junit_of([*_suites(told)], fail_on=Severity(options.fail_on)))
        case "markdown":
            printer.text("\n".join(_markdown(told)))
        case _:
            printer.lines(told.before)
            printer.lines(screens.findings_lines(told.findings, width=printer.width))
            printer.lines(told.after)


def _suites(told: Diagnosed) -> Iterator[tuple[str, Sequence[Finding]]]:
    """Yield findings by their route; those without one, and what could not be read, come last."""
    routes = dict.fromkeys(finding.route for finding in told.findings)
    for route in [each for each in routes if each]:
        yield route, [finding for finding in told.findings if finding.route == route]
    others = [finding for finding in told.findings if not finding.route]
    if others or not routes:
        yield "lokeys doctor", others


def _markdown(told: Diagnosed) -> Iterator[str]:
    yield "### lokeys doctor"
    yield from _block([_plain(line) for line in (*told.before, *told.after)])
    for number, finding in enumerate(told.findings, start=1):
        cause = f" `{finding.cause}`" if finding.cause else ""
        sure = f", {finding.confidence.value}"
        yield f"#### {number}. {finding.severity.value} {finding.code}{cause}{sure}"
        yield from _block([finding.title, finding.message, *finding.evidence])
        for remedy in finding.remedy:
            loses = ["# this can lose something: read it first"] if remedy.destructive else []
            yield from _block([f"# {remedy.text}", *loses, *_command(remedy.command)], "sh")
    yield f"lokeys {__version__}"


def _command(command: object | None) -> list[str]:
    return str(command).split("\n") if command else []


def _plain(line: Line) -> str:
    return "".join(text for text, _ in line)


def _block(lines: Iterable[str], language: str = "text") -> Iterator[str]:
    """Yield lines as a block that none of them can end."""
    told = [printable(part) for line in lines for part in line.split("\n")]
    longest = max((len(found) for line in told for found in _TICKS.findall(line)), default=2)
    fence = "`" * (longest + 1)
    yield from ("", f"{fence}{language}", *told, fence, "")
