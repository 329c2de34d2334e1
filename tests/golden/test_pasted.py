# SPDX-License-Identifier: Apache-2.0
"""Nothing foreign runs when a printed command is pasted, whatever any text of a story holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from builders import NOW
from golden.cases import HERE, INPUT, _tried, cases
from golden.stories import read_story
from lokeys.adapters.files.manifests import read
from lokeys.cli.looking import addressed
from lokeys.cli.operator_environment import cloud_environment
from lokeys.cli.routes import NamedRoute
from lokeys.core.findings.finding import Finding, readable_remedy
from lokeys.core.findings.rules import RULES
from lokeys.core.place import Ref
from lokeys.core.route.diagnosis import diagnose
from lokeys.core.trust.answers import Answers, Unfit
from lokeys.core.trust.clouds import check, needs_of
from lokeys.core.trust.fetched import DocumentKind, Fetched, NotThis
from lokeys.core.validation.validate import validate
from pasting import MARK, hostile, paste, spoilt

CASES = {case.folder.name: case.folder for case in cases()}
TOLD = {name: yaml.safe_load((folder / "case.yaml").read_text()) for name, folder in CASES.items()}


def named(choose: Callable[[Path, Any], bool]) -> list[str]:
    """Return the cases of one sort."""
    return [name for name, folder in CASES.items() if choose(folder, TOLD[name])]


MANIFESTS = named(lambda folder, _: (folder / INPUT).exists())
TRIED = named(lambda _, told: "links" in told)
COMPARED = named(lambda _, told: "trust" in told)
ROUTES = [name for name in CASES if name not in {*MANIFESTS, *TRIED, *COMPARED}]


def nothing_runs(findings: Iterable[Finding], folder: Path) -> None:
    """Assert that the findings say nothing unprintable, and that their commands do only theirs."""
    commands = {}
    for finding in findings:
        said = [finding.title, finding.message, finding.field or "", *finding.evidence]
        for remedy in finding.remedy:
            said += [remedy.text, str(remedy.command or "")]
            if remedy.command:
                commands[str(remedy.command)] = True
        assert all(text.isprintable() for text in said), said
    assert paste(list(commands), folder) == ""


def shared(names: list[str], count: int = 8) -> list[Any]:
    """Return cases in a few shares, so that a shell is not begun for each."""
    shares = [names[at::count] for at in range(count)]
    return [pytest.param(share, id=f"{share[0]} and others") for share in shares if share]


@pytest.mark.parametrize("names", shared(MANIFESTS))
def test_validate_prints_no_foreign_command(names: list[str], tmp_path: Path) -> None:
    """Manifests: any text, names of fields among them."""

    def findings() -> Iterator[Finding]:
        for name in names:
            told, located = TOLD[name], list(read(str(CASES[name] / INPUT)))
            around = cloud_environment(
                openshift=told.get("openshift", False),
                token_cco=told.get("tokenCco", False),
                operator_env=None,
            )
            for objects in spoilt([each.object for each in located]):
                pairs = zip(located, objects, strict=True)
                given = [replace(each, object=found, file=INPUT) for each, found in pairs]
                yield from validate(given, now=NOW, environment=around).all_findings

    nothing_runs(findings(), tmp_path)


@pytest.mark.parametrize("names", shared(ROUTES))
def test_doctor_prints_no_foreign_command(names: list[str], tmp_path: Path) -> None:
    """Routes, written down or not: whatever was read of Rook, vault, Secret, pods and logs."""

    def findings() -> Iterator[Finding]:
        for name in names:
            _, seen = read_story(CASES[name] / "case.yaml")
            for number, snapshot in enumerate(spoilt(seen)):
                spec = snapshot.spec
                routes = (
                    NamedRoute(spec=spec, owner=spec.ref),
                    NamedRoute(spec=spec, owner=spec.ref, file=hostile("a.yaml", number)),
                    NamedRoute(spec=spec, owner=Ref("StatefulSet", spec.name, spec.namespace)),
                )
                for finding in diagnose(snapshot).findings:
                    yield from (addressed(finding, route) for route in routes)

    nothing_runs(findings(), tmp_path)


def test_probe_prints_no_foreign_command(tmp_path: Path) -> None:
    """Tries of tokens: names, and what a provider answers."""

    def findings() -> Iterator[Finding]:
        for name in TRIED:
            told = TOLD[name]
            for at in range(len(told["links"])):
                for number in range(0, 120, 7):
                    link = {**told["links"][at], "detail": hostile("said", number)}
                    link["evidence"] = [hostile("seen", number + 1)]
                    links = [*told["links"][:at], link, *told["links"][at + 1 :]]
                    account = hostile("logs", number + 2)
                    yield from _tried({**told, "links": links, "account": account})

    nothing_runs(findings(), tmp_path)


def test_a_comparison_prints_no_foreign_command(tmp_path: Path) -> None:
    """Documents of a cloud, and what is known of the stack beside them."""

    def findings() -> Iterator[Finding]:
        for name in COMPARED:
            told = TOLD[name]["trust"]
            documents = [
                (each, json.loads((CASES[name] / each["file"]).read_text()))
                for each in told.get("documents", ())
                if "file" in each
            ]
            answers = [told["answers"], *spoilt(told["answers"])]
            contents = [content for _, content in documents]
            for given, found in [
                *((given, contents) for given in answers),
                *((told["answers"], found) for found in spoilt(contents)),
            ]:
                fetched = [
                    Fetched(
                        kind=DocumentKind(each["as"]),
                        of=Ref(*each["of"].split("/", 1)),
                        content=one,
                    )
                    for (each, _), one in zip(documents, found, strict=True)
                ]
                try:
                    yield from check(needs_of(told["cloud"], Answers(given=given)), fetched)
                except (Unfit, NotThis):
                    continue

    nothing_runs(findings(), tmp_path)


def test_explain_prints_no_foreign_command(tmp_path: Path) -> None:
    """Templates are shown with a word for each value."""
    remedies = [readable_remedy(remedy) for rule in RULES.values() for remedy in rule.remedy]
    assert paste([str(each.command) for each in remedies if each.command], tmp_path) == ""


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"kubectl get pod a;touch {MARK}", id="another command"),
        pytest.param(f"kubectl get pod a$(touch {MARK})", id="an embedded command"),
        pytest.param(f"kubectl get pod > {MARK}", id="a file that is written"),
        pytest.param(f"kubectl get pod --{MARK}", id="an option"),
        pytest.param("kubectl get pod bait*", id="a glob"),
        pytest.param(f"kubectl get pod a\ntouch {MARK}", id="another line"),
    ],
)
def test_the_shell_sees_what_runs(text: str, tmp_path: Path) -> None:
    """The check can fail."""
    assert paste(["kubectl get pod a", text], tmp_path) == text


def test_a_quote_that_is_left_open_is_seen(tmp_path: Path) -> None:
    """It would swallow what is pasted next."""
    with pytest.raises(AssertionError, match="unexpected EOF"):
        paste(["kubectl get pod 'a"], tmp_path)


def test_no_case_is_left_out() -> None:
    """Each sort has some, and there is no other sort."""
    assert all((MANIFESTS, TRIED, COMPARED, ROUTES))
    assert len({*MANIFESTS, *TRIED, *COMPARED, *ROUTES}) == len(list(HERE.glob("*/case.yaml")))
