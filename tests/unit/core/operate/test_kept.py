# SPDX-License-Identifier: Apache-2.0
"""What a workload says of the template that was kept for it, and who may say so."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from fakes.stacks import StackWorld
from lokeys.core.operate.decision import plan
from lokeys.core.operate.intents import Intent, digest
from lokeys.core.operate.kept import (
    KEPT_TEMPLATE,
    SAME_CONFIG,
    ReadConfig,
    kept_in,
    read_config_in,
    with_kept_template,
    with_read_config,
)

TEMPLATE: dict[str, Any] = {"metadata": {"name": "theirs"}, "spec": {"containers": []}}


def intent(kind: str) -> Intent:
    found = plan(StackWorld().snapshot())
    assert found
    return next(each for each in found if each.ref.kind == kind)


def test_a_kept_template_is_read_as_it_was_written() -> None:
    """With the hashes that pods of ours would wear."""
    ours = intent("StatefulSet")
    kept = kept_in(with_kept_template(ours, TEMPLATE).manifest)
    assert kept is not None
    assert json.loads(kept.text) == TEMPLATE
    assert (kept.stands_for, kept.marks) == (ours.template, ours.marks)


def test_a_template_that_somebody_has_changed_is_not_kept() -> None:
    """Then ours is written."""
    made = with_kept_template(intent("StatefulSet"), TEMPLATE).manifest
    other = {"metadata": {"name": "meddled"}}
    assert kept_in(made | {"spec": made["spec"] | {"template": other}}) is None


@pytest.mark.parametrize("said", ["", "{", "[]", "[" * 5000, "x" * 5000, '{"is": 1}', "{}"])
def test_an_annotation_of_anybodys_keeps_nothing(said: str) -> None:
    """Whatever stands in it, nothing fails."""
    odd = {"metadata": {"annotations": {KEPT_TEMPLATE: said}}, "spec": {"template": TEMPLATE}}
    assert kept_in(odd) is None


def test_hashes_of_anybodys_are_not_read() -> None:
    """Only those that pods wear, and only text."""
    said = {"is": digest(TEMPLATE), "marks": {"else": "x", "loki.grafana.com/config-hash": 1}}
    odd = {
        "metadata": {"annotations": {KEPT_TEMPLATE: json.dumps(said)}},
        "spec": {"template": TEMPLATE},
    }
    kept = kept_in(odd)
    assert kept is not None
    assert (kept.marks, kept.stands_for) == ({}, "")
    none = {"is": digest(TEMPLATE), "marks": "none"}
    odd["metadata"] = {"annotations": {KEPT_TEMPLATE: json.dumps(none)}}
    assert (kept := kept_in(odd)) is not None
    assert kept.marks == {}


def test_a_configuration_says_what_the_one_before_it_meant() -> None:
    """And since when that was there."""
    read = ReadConfig(means="abc", since=datetime(2026, 1, 1, tzinfo=UTC))
    assert read_config_in(with_read_config(intent("ConfigMap"), read).manifest) == read


@pytest.mark.parametrize("since", ["", "never", "2026-01-01T00:00:00", "{"])
def test_a_time_of_anybodys_says_nothing(since: str) -> None:
    """Without its zone neither."""
    said = {SAME_CONFIG: json.dumps({"means": "abc", "since": since})}
    assert read_config_in({"metadata": {"annotations": said}}) is None
