# SPDX-License-Identifier: Apache-2.0
"""The golden cases: a folder a story, and what lokeys says of it, as JSON and as people read it.

A case of a cloud's documents has them beside `case.yaml`, which says of what stack they are
(`trust:`); one of Loki's own configuration has it in `config.yaml`; one of a try of a stack's
credentials has its links there (`links:`). A case of a route has its story in `case.yaml`
(`golden.stories`). One of manifests has them in `input.yaml`, and in
`case.yaml` the story and how `validate` is called, or what of a stack is there already
(`golden.operated`).

PYTHONPATH=tests python -m golden.cases      write what is said now; read the diff before trust
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from builders import NOW
from golden.operated import operated_findings
from golden.stories import read_story
from lokeys.adapters.files.manifests import ManifestText, read
from lokeys.bounded_yaml import built
from lokeys.cli.operator_environment import cloud_environment
from lokeys.core.findings.finding import Confidence, Finding, finding_to_json, ranked
from lokeys.core.findings.link import Link, Untried
from lokeys.core.place import Ref
from lokeys.core.route.configured import configuration_of
from lokeys.core.route.diagnosis import diagnose
from lokeys.core.route.plan import Plan, Policy, plan
from lokeys.core.stack.resource.model import LokiStack, Size
from lokeys.core.trust.answers import Answers
from lokeys.core.trust.clouds import check, doubts, needs_of
from lokeys.core.trust.fetched import DocumentKind, Fetched
from lokeys.core.trust.tries.findings import findings_of
from lokeys.core.trust.tries.verification import LinkName, Verification
from lokeys.core.validation.validate import validate

HERE = Path(__file__).parent
INPUT, CONFIG = "input.yaml", "config.yaml"


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
        told = yaml.safe_load((self.folder / "case.yaml").read_text())
        if "links" in told:
            story, found = told["story"], _tried(told)
            lines = _validation_lines(found)
        elif (self.folder / CONFIG).exists():
            story, found = told["story"], self._configured(told)
            lines = _validation_lines(found)
        elif (self.folder / INPUT).exists():
            story, found = self._validated()
            lines = _validation_lines(found)
        elif "trust" in told:
            story, found = told["story"], self._compared(told["trust"])
            lines = _validation_lines(found)
        else:
            story, seen = read_story(self.folder / "case.yaml")
            found = diagnose(seen).findings
            lines = _lines(found, plan(seen, Policy()))
        about = next(finding for finding in found if self._tells(finding))
        return {
            "expected.json": json.dumps(finding_to_json(about), indent=2, ensure_ascii=False)
            + "\n",
            "expected.txt": "\n".join((story, "", *lines)) + "\n",
        }

    def _validated(self) -> tuple[str, tuple[Finding, ...]]:
        told = yaml.safe_load((self.folder / "case.yaml").read_text())
        if "operated" in told:
            return told["story"], operated_findings(self.folder / INPUT, told["operated"])
        given = [replace(item, file=INPUT) for item in read(str(self.folder / INPUT))]
        around = cloud_environment(
            openshift=told.get("openshift", False),
            token_cco=told.get("tokenCco", False),
            operator_env=None,
        )
        optional = told.get("secretsOptional", False)
        found = validate(given, now=NOW, environment=around, secrets_optional=optional)
        return told["story"], found.all_findings

    def _configured(self, told: dict[str, Any]) -> tuple[Finding, ...]:
        text = (self.folder / CONFIG).read_text()
        told_lines = ManifestText(text)
        return configuration_of(
            text,
            name=CONFIG,
            parse=built,
            expands=told.get("expands"),
            line_of=lambda field: told_lines.position_of((0,), field)[0],
        ).findings

    def _compared(self, told: dict[str, Any]) -> tuple[Finding, ...]:
        needs = needs_of(told["cloud"], Answers(given=told["answers"]))
        documents = [
            Fetched(
                kind=DocumentKind(each["as"]),
                of=Ref(*each["of"].split("/", 1)),
                content=json.loads((self.folder / each["file"]).read_text())
                if "file" in each
                else None,
                file=each.get("file", ""),
            )
            for each in told.get("documents", ())
        ]
        return ranked((*doubts(needs), *check(needs, documents)))

    def _tells(self, finding: Finding) -> bool:
        return self.code in {finding.code, *(symptom.code for symptom in finding.symptoms)}


def cases() -> list[Case]:
    """Return all cases, by name."""
    return [Case(folder=path.parent) for path in sorted(HERE.glob("*/case.yaml"))]


def _tried(told: dict[str, Any]) -> tuple[Finding, ...]:
    links = tuple(
        Link(
            name=LinkName(link["name"]),
            ok=link["ok"],
            detail=link.get("detail", ""),
            cause=link.get("cause"),
            confidence=Confidence(link.get("confidence", "certain")),
            evidence=tuple(link.get("evidence", ())),
            untried=Untried(link["untried"]) if "untried" in link else None,
        )
        for link in told["links"]
    )
    stack = LokiStack(
        name="logs",
        namespace="logging",
        size=Size.DEMO,
        schemas=(),
        storage_secret_name="logs-storage",
        storage_type=told["type"],
        storage_class_name="standard",
    )
    tried = Verification(account=told.get("account", "logs"), links=links)
    return findings_of(stack, [tried])


def _validation_lines(found: tuple[Finding, ...]) -> Iterator[str]:
    for finding in found:
        fault = f" {finding.fault}" if finding.fault else ""
        yield f"{finding.severity.value} {finding.code}{fault}"
        if finding.location:
            yield f"  {finding.location.file}:{finding.location.line}"
        yield f"  {finding.message}"
        for remedy in finding.remedy:
            yield f"  - {remedy.text}"
            if remedy.command:
                yield f"    {remedy.command}"


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
