# SPDX-License-Identifier: Apache-2.0
"""`lokeys doctor FILE…`: what logs alone show. No cluster is used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lokeys.adapters.files import logs
from lokeys.cli import screens
from lokeys.cli.doctor_output import Diagnosed, show
from lokeys.cli.options import Options
from lokeys.cli.output import Line, Printer
from lokeys.core.findings.doctor.kinds import HEAD_BYTES, Kind, kind_of
from lokeys.core.findings.doctor.reading import read
from lokeys.core.findings.doctor.summary import is_judged, log_sentences
from lokeys.core.findings.doctor.tally import Tally
from lokeys.core.findings.doctor.verdict import verdict
from lokeys.core.findings.finding import Finding, Severity
from lokeys.core.findings.report import exit_code, heeded, ignore_of
from lokeys.core.route.report import diagnosis_report
from lokeys.core.text.words import shown
from lokeys.errors import BadInput

if TYPE_CHECKING:  # a log does not need it
    from lokeys.core.route.configured import Configuration


_HINTS = {
    Kind.BINARY: "give a log as text",
    Kind.BUNDLE: "give it alone, or as --bundle FILE",
    Kind.MANIFEST: "lokeys validate -f FILE judges it; a folder of them is for --bundle DIR",
    Kind.CONFIGURATION: "give one configuration, from a file: --config FILE",
}
"""What to do with an input that is not a log."""


def examine(
    options: Options,
    paths: Sequence[str],
    *,
    config: str | None = None,
    expands: bool | None = None,
) -> int:
    """Report what logs show, and a configuration; return the exit code.

    Raises BadInput if one cannot be read.
    """
    tallies, config = _told_apart(paths, config)
    given = None
    if config is not None:
        from lokeys.cli.given_config import configuration_in  # noqa: PLC0415 - a log needs no YAML

        given = configuration_in(config, expands=expands)
    found = verdict(tallies)
    if given is not None:
        from lokeys.core.route.joined import joined  # noqa: PLC0415 - as above

        found = joined(given.findings, found, tallies)
    findings = heeded(found, [ignore_of(word) for word in options.ignore])
    not_read = [
        next(log_sentences(tally, verbose=False)) for tally in tallies if tally.kind is not Kind.LOG
    ]
    document = diagnosis_report((), findings, not_read, logs=tallies)
    after: list[Line] = []
    if findings or len(found) > len(findings) or not_read:
        ignored = len(found) - len(findings)
        summary = screens.summary_line(findings, complete=not not_read, ignored=ignored)
        after = [screens.BLANK, summary]
    before = [*_config_lines(given, findings)] if given is not None else []
    before += _lines(tallies, findings, verbose=options.verbose > 0)
    told = Diagnosed(document=document, findings=findings, before=before, after=after)
    show(Printer(no_color=options.no_color), options, told)
    fail_on = Severity(options.fail_on)
    return exit_code(findings, complete=document["complete"], fail_on=fail_on)


def is_bundle(path: str) -> bool:
    """Tell whether a path is a bundle: a folder, or an archive. A pipe is not opened for that."""
    place = Path(path)
    if not place.is_file():
        return place.is_dir()
    return kind_of(next(logs.pieces(path), b"")[:HEAD_BYTES]) is Kind.BUNDLE


def _told_apart(paths: Sequence[str], config: str | None) -> tuple[list[Tally], str | None]:
    """Return logs, and the configuration if one is among them. Raises BadInput."""
    tallies = []
    for path in dict.fromkeys(paths):
        tally = read(_name(path), logs.pieces(path))
        if tally.kind is not Kind.CONFIGURATION:
            tallies.append(tally)
        elif config is not None or path == logs.STDIN:
            raise BadInput(f"{tally.name} is Loki's configuration", hint=_HINTS[tally.kind])
        else:
            config = path
    kinds = {tally.kind for tally in tallies}
    if config is None and len(kinds) == 1 and (hint := _HINTS.get(kinds.pop())):
        raise BadInput(f"{tallies[0].name} is {tallies[0].kind.value}, and no log", hint=hint)
    return tallies, config


def _config_lines(given: Configuration, findings: Sequence[Finding]) -> Iterator[Line]:
    """Yield where a configuration has stores, and which is in force."""
    client = "the newer client" if given.newer else "the older client"
    said = f"{given.name}: object_store {shown(given.in_force) or 'not named'}, {client}"
    yield ((said, "" if findings else "good"),)
    yield from (((f"  {store.field}", "faint"),) for store in given.stores)


def _name(path: str) -> str:
    return "stdin" if path == logs.STDIN else path


def _lines(
    tallies: Sequence[Tally], findings: Sequence[Finding], *, verbose: bool
) -> Iterator[Line]:
    for tally in tallies:
        first, *more = log_sentences(tally, verbose=verbose)
        if not findings and is_judged(tally):
            yield ((f"nothing to report: {'; '.join((first, *more[:1]))}", "good"),)
            more = more[1:]
        else:
            yield ((first, "faint"),)
        yield from (((f"  {sentence}", "faint"),) for sentence in more)
