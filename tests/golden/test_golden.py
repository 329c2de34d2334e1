# SPDX-License-Identifier: Apache-2.0
"""Every finding there is, in a case of its own, and nothing that no case shows."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from builders import a_pod, look
from golden.cases import Case, cases
from lokeys.core.findings import catalogue
from lokeys.core.findings.catalogue import delivery, sources, vaults
from lokeys.core.findings.catalogue.complaints import COMPLAINTS
from lokeys.core.findings.causes import CAUSES
from lokeys.core.findings.complaint import Complaint
from lokeys.core.findings.finding import Remedy, Rule, Severity
from lokeys.core.findings.rules import RULES, explain
from lokeys.core.route.checks.delivery import CAUSE_OF_WORDS
from lokeys.core.route.checks.wording import BLANK, FLAW_CAUSES
from lokeys.core.route.diagnosis import diagnose
from lokeys.core.route.loki_log import complaints

SOURCES = Path(catalogue.__file__).parents[2]


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.folder.name)
def test_a_story_is_told_as_expected(case: Case) -> None:
    """The finding's JSON, the order of all findings and the plan are as written."""
    for name, text in case.said().items():
        assert (case.folder / name).read_text() == text


def test_every_code_has_a_case() -> None:
    """A code without a case is one that nobody has seen."""
    assert {case.code for case in cases()} == set(RULES)


def printed() -> dict[str, tuple[Case, list[str]]]:
    """Return the cases in which a pod's log is read, by the cause that its lines complain of."""
    found = {}
    for case in cases():
        told = yaml.safe_load((case.folder / "case.yaml").read_text())
        lines = [
            line
            for pod in (told.get("pods") or {}).values()
            for line in (pod or {}).get("prints", ())
        ]
        for complaint in complaints(lines):
            found[complaint.cause] = case, lines
    return found


@pytest.mark.parametrize("row", COMPLAINTS, ids=lambda row: f"{row.cause}, by {row.said_by}")
def test_every_complaint_of_a_log_has_a_rule_and_a_case(row: Complaint) -> None:
    """Lines of a log that are recognised never vanish: a case shows what is told of them."""
    case, _ = printed()[row.cause]
    assert RULES[row.rule.code] is row.rule
    assert case.code == row.rule.code


@pytest.mark.parametrize("row", COMPLAINTS, ids=lambda row: f"{row.cause}, by {row.said_by}")
def test_a_pod_whose_queries_hold_the_same_words_is_healthy(row: Complaint) -> None:
    """What people look for is no complaint, and nothing is told of it."""
    _, lines = printed()[row.cause]
    query = 'level=info caller=metrics.go:237 component=querier latency=fast query="{}" status=200'
    quoted = [line.replace("\\", "\\\\").replace('"', '\\"') for line in lines]
    log = complaints(query.format(line) for line in quoted)
    assert diagnose(look(pods=(a_pod(log=log),))).findings == ()


def test_codes_are_never_given_twice() -> None:
    """As many codes as rules: an entry that takes another's code would hide it."""
    assert len(RULES) == len(list(_rules()))


def _rules() -> Iterator[Rule]:
    modules = (
        *("storage_secrets", "storage_objects", "lokistacks", "operation", "adoption", "tenants"),
        *(
            "sources",
            "vaults",
            "delivery",
            "pods",
            "bridges",
            "trust",
            "tokens",
            "store",
            "reading",
        ),
        *("configuration", "configuration_alone"),
    )
    for module in modules:
        yield from (r for r in vars(getattr(catalogue, module)).values() if isinstance(r, Rule))
    rules = {id(row.rule): row.rule for row in COMPLAINTS if row.rule.code >= "LK0819"}
    yield from rules.values()


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
def test_an_entry_says_all_that_it_should(rule: Rule) -> None:
    """Title, message, meaning and reason are there; an error comes with a remedy."""
    assert re.fullmatch(r"LK\d{4}", rule.code)
    assert all((rule.title, rule.message, rule.meaning, rule.why))
    assert rule.remedy or rule.severity is not Severity.ERROR
    assert set(rule.causes) <= set(CAUSES)
    assert len(set(rule.causes)) == len(rule.causes)
    assert explain(rule.code.lower()) == (rule,)
    assert all(rule in explain(cause.upper()) for cause in rule.causes)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.folder.name)
def test_a_finding_tells_a_cause_that_its_rule_names(case: Case) -> None:
    """What `explain` lists for a cause is all that can tell it."""
    told: list[tuple[str, str]] = []

    def keep(part: dict[str, Any]) -> dict[str, Any]:
        if part.get("code") in RULES and part.get("cause"):
            told.append((part["code"], part["cause"]))
        return part

    json.loads((case.folder / "expected.json").read_text(), object_hook=keep)
    assert all(cause in RULES[code].causes for code, cause in told), told


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.folder.name)
def test_no_text_has_the_name_of_a_word_in_the_place_of_the_word(case: Case) -> None:
    """That is what a rule says where a check forgot a word."""

    def look_at(part: dict[str, Any]) -> dict[str, Any]:
        if part.get("code") in RULES and "message" in part:
            missing = {word.upper() for word in RULES[part["code"]].words}
            said = f"{part['title']} {part['message']}"
            assert not missing & set(re.findall(r"\w+", said)), said
        return part

    json.loads((case.folder / "expected.json").read_text(), object_hook=look_at)


def test_rules_name_the_causes_of_the_tables_that_they_are_told_with() -> None:
    """A flaw of a pair and the words of a failed refresh choose the cause of a finding."""
    flaws = {cause for flaw, cause in FLAW_CAUSES.items() if flaw not in BLANK}
    for rule in (sources.SOURCE_MALFORMED, vaults.VAULT_MALFORMED, delivery.SECRET_MALFORMED):
        assert set(rule.causes) == flaws
    blanks = {FLAW_CAUSES[flaw] for flaw in BLANK}
    assert set(vaults.VAULT_VALUE_EMPTY.causes) == set(delivery.SECRET_BLANK.causes) == blanks
    assert set(delivery.DELIVERY_FAILS.causes) == {cause for _, cause in CAUSE_OF_WORDS}


def test_nobody_explains_what_there_is_not() -> None:
    """A word that is neither code nor cause explains nothing."""
    assert explain("LK9999") == ()


def test_a_remedy_that_destroys_says_so() -> None:
    """Commands that delete, lose or overwrite are marked."""
    words = ("--accept-loss", "--overwrite-foreign", "delete pod", "--grace-period", "--cascade")
    for rule in RULES.values():
        for remedy in rule.remedy:
            assert remedy.destructive == _destroys(remedy, words), (rule.code, remedy)


def _destroys(remedy: Remedy, words: tuple[str, ...]) -> bool:
    return remedy.command is not None and any(word in str(remedy.command) for word in words)


def test_every_cause_in_the_code_is_one_of_the_list() -> None:
    """`cause="..."` anywhere in the source names a cause that there is."""
    named = {
        (path.name, keyword.value.value)
        for path in SOURCES.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "cause"
        and isinstance(keyword.value, ast.Constant)
        and isinstance(keyword.value.value, str)
    }
    assert {cause for _, cause in named} <= set(CAUSES), named
    assert len(named) > 20
