# SPDX-License-Identifier: Apache-2.0
"""No message fails at run time: calls give the words that a rule's texts need."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import lokeys.core
from lokeys.core.findings.catalogue import RULES
from lokeys.core.findings.finding import Rule
from lokeys.core.place import Ref
from lokeys.core.trust import fetched

CORE = Path(lokeys.core.__file__).parent
KNOWN = {"place", "route", "field"}
"""Words that `Rule.at` has by itself."""


def calls() -> Iterator[Any]:
    """Yield each call of a named rule's `at` that spells out all its words."""
    for path in sorted(CORE.rglob("*.py")):
        text = path.read_text()
        if ".at(" not in text:
            continue
        name = ".".join(("lokeys.core", *path.relative_to(CORE).with_suffix("").parts))
        module = vars(importlib.import_module(name.removesuffix(".__init__")))
        for node in ast.walk(ast.parse(text)):
            rule = rule_of(node, module)
            if rule is not None and isinstance(node, ast.Call):
                given = {str(keyword.arg) for keyword in node.keywords}
                if "None" not in given:
                    yield pytest.param(rule, given, id=f"{name}:{node.lineno}")


def tells() -> Iterator[Any]:
    """Yield each call of `tell` about a document of a cloud that spells out all its words."""
    (at,) = (
        node
        for node in ast.walk(ast.parse(inspect.getsource(fetched.tell)))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "rule.at"
    )
    own = {str(keyword.arg) for keyword in at.keywords}
    for path in sorted((CORE / "trust").rglob("check*.py")):
        name = ".".join(("lokeys.core", *path.relative_to(CORE).with_suffix("").parts))
        module = vars(importlib.import_module(name))
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Name(id="tell"), args=[ast.Attribute(attr=word), *_]):
                    given = {str(keyword.arg) for keyword in node.keywords}
                    rule = getattr(module["rules"], word)
                    yield pytest.param(rule, own | given, id=f"{name}:{node.lineno}")


def rule_of(node: ast.AST, module: Mapping[str, Any]) -> Rule | None:
    """Return the rule whose `at` is called: `RULE.at(...)` or `rules.RULE.at(...)`."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="at")):
            found = module.get(name)
        case ast.Call(
            func=ast.Attribute(value=ast.Attribute(value=ast.Name(id=room), attr=name), attr="at")
        ):
            found = getattr(module.get(room), name, None)
        case _:
            return None
    return found if isinstance(found, Rule) else None


CALLS = [*calls(), *tells()]


def test_calls_are_found() -> None:
    """The look through the source sees what it is meant to see."""
    assert len(CALLS) > 60


@pytest.mark.parametrize(("rule", "given"), CALLS)
def test_a_call_gives_the_words_that_the_texts_need(rule: Rule, given: set[str]) -> None:
    """Each name in title, message and remedies is given, or known by itself."""
    said = replace(rule, remedy=()) if "remedy" in given else rule
    assert said.words - KNOWN <= given


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_word_that_nobody_gave_costs_no_finding(rule: Rule) -> None:
    """Its name stands in its place, in capitals."""
    finding = rule.at(Ref("Secret", "loki", "ns"))
    missing = {word for word in rule.words - KNOWN if f"{{{word}}}" in rule.message}
    assert all(word.upper() in finding.message for word in missing)
