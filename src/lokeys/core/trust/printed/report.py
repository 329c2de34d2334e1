# SPDX-License-Identifier: Apache-2.0
"""How `iam` prints what a cloud needs: a script with its reasons, or the contract's report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lokeys.core.findings.finding import Finding, finding_to_json
from lokeys.core.findings.report import report
from lokeys.core.text.words import one_line
from lokeys.core.trust.printed.shell import Document, MissingValue, Prerequisites


def iam_report(found: Prerequisites, findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the report of `iam`."""
    return report(
        "IamReport",
        cloud=found.cloud,
        documents=[
            {"name": each.name, "why": each.why, "content": each.content}
            for each in found.documents
        ],
        commands=[
            {
                "command": step.line,
                "why": step.why,
                "writes": step.name if isinstance(step, Document) else None,
            }
            for step in found.steps
        ],
        terraform=found.terraform,
        missing=[
            {
                "name": each.name,
                "option": each.option,
                "what": each.what,
                "command": str(each.command) if each.command else None,
            }
            for each in found.missing
        ],
        findings=[finding_to_json(finding) for finding in findings],
    )


def script(found: Prerequisites) -> Iterator[tuple[str, str]]:
    """Yield the lines of a shell script, each marked as a comment or a command."""
    for missing in found.missing:
        for line in missing_lines(missing):
            yield _comment(line), "comment"
    if found.missing:
        yield "", "comment"
    for number, step in enumerate(found.steps):
        if number:
            yield "", "comment"
        yield _comment(step.why), "comment"
        yield step.line, "command"


def _comment(text: str) -> str:
    return f"# {one_line(text)}"


def missing_lines(missing: MissingValue) -> Iterator[str]:
    """Yield what is missing, and how to find it."""
    how = f": {missing.command}" if missing.command else ""
    yield f"{missing.name} stands for {missing.what}; give {missing.option}{how}"
