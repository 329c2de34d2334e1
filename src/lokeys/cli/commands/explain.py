# SPDX-License-Identifier: Apache-2.0
"""`lokeys explain`: what a finding means, why it matters, how to fix it."""

from __future__ import annotations

import re
from difflib import get_close_matches

import click

from lokeys.cli import screens
from lokeys.cli.options import LokeysCommand, options_of
from lokeys.cli.output import Printer
from lokeys.core.findings.catalogue.complaints import printed_by
from lokeys.core.findings.causes import CAUSES
from lokeys.core.findings.reasons import REASONS
from lokeys.core.findings.report import explanation
from lokeys.core.findings.rules import RULES, explain
from lokeys.core.operate.reasons import codes_of, place_of
from lokeys.errors import BadInput
from lokeys.exit_codes import ExitCode


@click.command("explain", cls=LokeysCommand)
@click.argument("word", metavar="CODE|CAUSE|REASON")
@click.pass_context
def command(ctx: click.Context, word: str) -> int:
    """Say what a finding means, why it matters and how to fix it.

    Takes a code (LK0401), a cause (vault_behind_source) or a condition's reason
    (VaultBehindSource, CredentialsRefused). Of a cause it says what it means, shows
    every finding that tells it, and what logs print of it.
    """
    options = options_of(ctx)
    cause = _cause(word)
    rules = explain(cause or word) or tuple(RULES[code] for code in codes_of(word))
    meaning = CAUSES[cause] if cause else REASONS.get(word) or _meaning_of_place(word)
    if not rules and meaning is None:
        raise BadInput(f"there is no finding `{word}`", hint=_near(word))
    printer = Printer(no_color=options.no_color)
    if options.output == "json":
        printer.json(explanation(rules, cause=cause, meaning=meaning, printed_by=printed_by))
        return ExitCode.NOTHING_TO_REPORT
    blocks = [
        screens.rule_lines(rule, width=printer.width, printed=printed_by(rule)) for rule in rules
    ]
    if cause:
        blocks.insert(0, screens.cause_lines(cause, CAUSES[cause], rules, width=printer.width))
    elif meaning is not None:
        blocks.insert(0, screens.reason_lines(word, meaning, width=printer.width))
    for number, lines in enumerate(blocks):
        if number:
            printer.lines([screens.BLANK])
        printer.lines(lines)
    return ExitCode.NOTHING_TO_REPORT


def _cause(word: str) -> str | None:
    letters = word.replace("_", "").lower()  # a reason has no underscores: K8sSecretMissing
    return next((name for name in CAUSES if name.replace("_", "") == letters), None)


def _meaning_of_place(reason: str) -> str | None:
    place = place_of(reason)
    return f"{place} has faults; the condition's message says their codes" if place else None


def _snake(word: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", word).lower()


def _near(word: str) -> str:
    names = [*RULES, *CAUSES]
    near = [*get_close_matches(word.upper(), names), *get_close_matches(_snake(word), names)]
    if near:
        return f"did you mean {' or '.join(dict.fromkeys(near))}?"
    return f"codes go from {min(RULES)} to {max(RULES)}"
