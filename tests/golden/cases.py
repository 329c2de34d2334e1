# SPDX-License-Identifier: Apache-2.0
"""The golden cases: a folder a story, and what lokeys says of it, as JSON and as people read it.

PYTHONPATH=tests python -m golden.cases      write what is said now; read the diff before trust
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from golden.stories import read_story
from lokeys.core.diagnosis import diagnose
from lokeys.core.finding import Finding, finding_to_json
from lokeys.core.plan import Plan, Policy, plan

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One folder; its name begins with the code that it is about."""

    folder: Path

    @property
    def code(self) -> str:
        """Return the code that the case is about."""
        return self.folder.name.split("-", 1)[0]

    def said(self) -> dict[str, str]:
        """Return what must stand in the expected files now."""
        story, seen = read_story(self.folder / "case.yaml")
        found = diagnose(seen).findings
        about = next(finding for finding in found if self._tells(finding))
        return {
            "expected.json": json.dumps(finding_to_json(about), indent=2, ensure_ascii=False)
            + "\n",
            "expected.txt": "\n".join((story, "", *_lines(found, plan(seen, Policy())))) + "\n",
        }

    def _tells(self, finding: Finding) -> bool:
        return self.code in {finding.code, *(symptom.code for symptom in finding.symptoms)}


def cases() -> list[Case]:
    """Return all cases, by name."""
    return [Case(folder=path.parent) for path in sorted(HERE.glob("*/case.yaml"))]


def _lines(found: tuple[Finding, ...], steps: Plan) -> Iterator[str]:
    for finding in found:
        why = f" {finding.cause}" if finding.cause else ""
        yield f"{finding.severity.value} {finding.code}{why} ({finding.confidence.value})"
        yield f"  {finding.title}"
        yield f"  {finding.message}"
        yield from (f"  - {line}" for line in finding.evidence)
        if finding.symptoms:
            seen = (f"{symptom.code} x{symptom.count}" for symptom in finding.symptoms)
            yield f"  explains {', '.join(seen)}"
    for number, step in enumerate(steps.steps, start=1):
        yield f"{number}. {step.action.value} {step.target}: {step.why}"
    if steps.stalled:
        yield f"stalled: {steps.stalled}: {steps.reason}"
    elif steps.settled:
        yield "nothing to do"


if __name__ == "__main__":
    for case in cases():
        for name, text in case.said().items():
            (case.folder / name).write_text(text)
