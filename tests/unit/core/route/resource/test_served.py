# SPDX-License-Identifier: Apache-2.0
"""An operator that is newer than the definition in the cluster, and one that is not."""

from typing import Any

import pytest

from lokeys.core.place import Hop
from lokeys.core.route.resource.crd import crd
from lokeys.core.route.resource.served import status_schema_of, taken, words_unknown
from manifests.older import older_crd

STATUS: dict[str, Any] = {
    "hops": [
        {"name": "source", "agrees": None},
        {"name": "values", "agrees": True},
        {"name": "secret", "agrees": False},
    ],
    "findings": [{"code": "LK0515", "severity": "error", "message": "m", "hop": "values"}],
    "conditions": [{"type": "Ready", "status": "False"}],
    "nextStep": "ask",
}


def test_todays_definition_takes_it_all() -> None:
    """Nothing is left out, and nothing is unknown."""
    schema = status_schema_of(crd())
    assert words_unknown(schema) == ()
    assert taken(STATUS, schema) == STATUS


def test_an_older_definition_loses_what_it_would_refuse() -> None:
    """The hop whose name it does not know, and the word of a finding; all else stays."""
    schema = status_schema_of(older_crd())
    assert words_unknown(schema) == ("values", "release")
    kept = taken(STATUS, schema)
    assert [hop["name"] for hop in kept["hops"]] == ["source", "secret"]
    (finding,) = kept["findings"]
    assert "hop" not in finding
    assert finding["code"] == "LK0515"
    assert kept["nextStep"] == "ask"


@pytest.mark.parametrize(
    "definition", [None, {}, {"spec": {"versions": [{"name": "v9"}]}}, {"spec": 7}]
)
def test_a_definition_that_says_nothing_loses_nothing(definition: dict[str, Any] | None) -> None:
    """One that cannot be read, or serves another version."""
    schema = status_schema_of(definition)
    assert words_unknown(schema) == ()
    assert taken(STATUS, schema) == STATUS


def test_a_status_of_which_nothing_is_left() -> None:
    """Its own required word is refused: there is nothing to write."""
    schema = {"required": ["mode"], "properties": {"mode": {"enum": ["a"]}}}
    assert taken({"mode": "b"}, schema) == {}
    assert taken({"other": "b"}, schema) == {"other": "b"}


def test_all_hops_are_in_the_definition() -> None:
    """A hop that is new must reach the definition with it."""
    assert {hop.value for hop in Hop} >= {"values", "release"}
