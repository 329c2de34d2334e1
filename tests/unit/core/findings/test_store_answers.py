# SPDX-License-Identifier: Apache-2.0
"""What a store's answer stands for: the same, whoever asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import A, a_pod, look, said
from lokeys.core.findings.causes import CAUSES
from lokeys.core.findings.rules import RULES
from lokeys.core.findings.store_answers import RULE_OF_ANSWER, SILENT, cause_of, link_of, rule_of
from lokeys.core.findings.verdict import Answer
from lokeys.core.route.diagnosis import diagnose

TOLD = [each for each in Answer if each not in {Answer.ACCEPTED, Answer.UNREACHABLE}]
DECIDED = [each for each in TOLD if each not in SILENT]


@pytest.mark.parametrize("answer", TOLD)
def test_every_answer_has_a_rule(answer: Answer) -> None:
    """But for a success, and for silence, which is a gap."""
    assert RULES[rule_of(said(answer)).code] is RULE_OF_ANSWER[answer]


@pytest.mark.parametrize("answer", DECIDED)
def test_an_answer_breaks_a_link_with_its_rules_cause(answer: Answer) -> None:
    """One answer, one cause, in a link and in a finding."""
    link = link_of("store", said(answer), "put")
    assert (link.ok, link.blamed) == (False, RULE_OF_ANSWER[answer].cause)
    assert link.blamed in CAUSES


@pytest.mark.parametrize("answer", SILENT)
def test_silence_leaves_a_link_open(answer: Answer) -> None:
    """What is only out of reach from here is not blamed."""
    link = link_of("store", said(answer), "put")
    assert (link.ok, link.blamed, link.said) == (None, None, "put")


CLOSER = {
    "kms_permission_denied": (Answer.DENIED, "LK0803"),
    "bucket_policy_explicit_deny": (Answer.DENIED, "LK0803"),
    "session_token_expired": (Answer.NOT_VALID, "LK0816"),
}


@pytest.mark.parametrize("cause", CLOSER)
def test_what_the_store_names_more_closely_is_told_everywhere(cause: str) -> None:
    """In the link and in the finding, and the pods' 403s are still explained by it."""
    answer, code = CLOSER[cause]
    verdict = replace(said(answer), cause=cause)
    assert cause_of(verdict) == link_of("store", verdict, "").cause == cause
    seen = look(source=None, vault=None, verdicts={A: verdict}, pods=(a_pod(refused=3),))
    found = next(each for each in diagnose(seen).findings if each.code == code)
    assert found.cause == cause
    assert [symptom.code for symptom in found.symptoms] == ["LK0614"]
