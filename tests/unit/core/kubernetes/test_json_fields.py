# SPDX-License-Identifier: Apache-2.0
"""Objects that somebody else wrote are read by type, and whatever has another type is absent."""

from typing import Any

import pytest

from lokeys.core.kubernetes.json_fields import at, mappings_at, number_at, text_at

OBJECT: dict[str, Any] = {"spec": {"name": "a", "port": 1, "list": [{"b": 1}, "c"], "on": True}}


@pytest.mark.parametrize("path", [("spec", "none"), ("spec", "name", "deeper"), ("spec", "list")])
def test_a_missing_text_is_empty(path: tuple[str, ...]) -> None:
    """A step that is missing, a text that is asked for fields, and a list are no text."""
    assert text_at(OBJECT, *path) == ""


def test_a_value_of_the_right_type_is_returned() -> None:
    """Of a list, only the objects."""
    assert text_at(OBJECT, "spec", "name") == "a"
    assert number_at(OBJECT, "spec", "port") == 1
    assert mappings_at(OBJECT, "spec", "list") == [{"b": 1}]
    assert at(OBJECT, "spec", "on") is True


def test_true_is_no_number_and_a_text_is_no_list() -> None:
    """Python takes True for 1, and a text for a sequence."""
    assert number_at(OBJECT, "spec", "on", default=7) == 7
    assert mappings_at(OBJECT, "spec", "name") == []
