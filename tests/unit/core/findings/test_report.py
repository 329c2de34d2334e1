# SPDX-License-Identifier: Apache-2.0
"""What is left out of a report, which exit code it has, and manifests with comments."""

import json
import re

import pytest

from lokeys.core.findings.finding import Finding, Severity
from lokeys.core.findings.report import Ignore, exit_code, explanation, heeded, ignore_of
from lokeys.core.findings.rules import RULES
from lokeys.core.place import Ref
from lokeys.core.route.report import StepView, heal_report
from lokeys.exit_codes import ExitCode


def finding(severity: Severity = Severity.ERROR, place: Ref | None = None) -> Finding:
    """Return a finding."""
    return Finding(code="LK0401", severity=severity, title="t", message="m", object=place)


@pytest.mark.parametrize(
    ("found", "complete", "fail_on", "code"),
    [
        ([], True, Severity.ERROR, 0),
        ([], False, Severity.ERROR, 5),
        ([Severity.ERROR], True, Severity.ERROR, 3),
        ([Severity.ERROR], False, Severity.ERROR, 3),
        ([Severity.WARNING], True, Severity.ERROR, 0),
        ([Severity.WARNING], False, Severity.ERROR, 5),
        ([Severity.WARNING], True, Severity.WARNING, 3),
        ([Severity.INFO], True, Severity.WARNING, 0),
        ([Severity.INFO], True, Severity.INFO, 3),
    ],
)
def test_the_worst_decides_the_exit_code(
    found: list[Severity], complete: bool, fail_on: Severity, code: int
) -> None:
    """A finding at the threshold beats a gap; a gap beats nothing."""
    assert exit_code(map(finding, found), complete=complete, fail_on=fail_on) == code


POD = Ref("Pod", "loki-0", "ns")


@pytest.mark.parametrize(
    ("rule", "place", "covered"),
    [
        (Ignore(code="LK0401"), None, True),
        (Ignore(code="LK0401"), POD, True),
        (Ignore(code="LK0402"), POD, False),
        (Ignore(code="LK0401", kind="pod", namespace="ns", name="loki-0"), POD, True),
        (Ignore(code="LK0401", kind="Pod", namespace="ns", name="loki-1"), POD, False),
        (Ignore(code="LK0401", kind="Pod", namespace="ns", name="loki-0"), None, False),
        (Ignore(code="LK0401", kind="Bucket", name="b"), Ref("Bucket", "b"), True),
    ],
    ids=[
        "a code, no object",
        "a code anywhere",
        "another code",
        "a code at this object, whatever the case",
        "a code at another object",
        "a code at an object, said of none",
        "an object without a namespace",
    ],
)
def test_a_finding_is_ignored_as_exactly_as_was_said(
    rule: Ignore, place: Ref | None, covered: bool
) -> None:
    """A code alone covers all objects; with a place it covers that one."""
    assert rule.covers(finding(place=place)) is covered
    assert bool(heeded([finding(place=place)], [rule])) is not covered


def test_the_same_finding_is_told_once() -> None:
    """Two routes that see one fault make one finding of it."""
    assert len(heeded([finding(), finding()], [])) == 1


def test_explanations_carry_the_remedies() -> None:
    """A program gets what a person reads."""
    (rule,) = explanation([RULES["LK0401"]])["rules"]
    assert rule["cause"] == "vault_behind_source"
    assert rule["remedy"][0]["command"]


@pytest.mark.parametrize("code", RULES)
def test_an_explanation_has_no_braces_of_a_template(code: str) -> None:
    """What is to be filled in stands in capitals, as in the text for people."""
    (said,) = explanation([RULES[code]])["rules"]
    texts = [said["title"]]
    for remedy in said["remedy"]:
        texts += [remedy["text"], remedy["command"] or ""]
    # A template of kubectl's has braces of its own.
    for text in (re.sub(r"'go-template=[^']*'", "", text) for text in texts):
        assert "{{" not in text
        assert not re.search(r"\{[a-z_]+\}", text)
    for command in filter(None, (remedy["command"] for remedy in said["remedy"])):
        for patch in re.findall(r"-p '([^']*)'", command):
            assert json.loads(patch)


def test_a_step_says_whether_it_was_done() -> None:
    """What was planned and not done is told apart."""
    views = [
        StepView(step={"id": "a"}, done=True, took_s=1.5),
        StepView(step={"id": "b"}, done=False),
    ]
    document = heal_report("ns/n", views, ending="stalled", proof=None, findings=[])
    assert document["steps"] == [
        {"id": "a", "done": True, "took": 1.5, "note": ""},
        {"id": "b", "done": False, "took": None, "note": ""},
    ]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("LK0401", Ignore(code="LK0401")),
        ("LK0401=Pod/ns/a", Ignore(code="LK0401", kind="Pod", namespace="ns", name="a")),
        ("LK0401=Node//a", Ignore(code="LK0401", kind="Node", name="a")),
    ],
    ids=["everywhere", "at one object", "at one without a namespace"],
)
def test_what_to_ignore_is_read_from_a_word(word: str, expected: Ignore) -> None:
    """A code, alone or at one object."""
    assert ignore_of(word) == expected


def test_exit_codes_keep_their_numbers() -> None:
    """Scripts compare them: each number is a promise."""
    assert {code.name: code.value for code in ExitCode} == {
        "NOTHING_TO_REPORT": 0,
        "TOOL_FAILED": 1,
        "BAD_INPUT": 2,
        "FINDINGS": 3,
        "INCOMPLETE": 5,
        "TIMED_OUT": 124,
        "INTERRUPTED": 130,
    }
