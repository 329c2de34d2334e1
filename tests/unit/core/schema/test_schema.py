# SPDX-License-Identifier: Apache-2.0
"""The language of resources: what no field of the two resources shows."""

from typing import Any

import pytest

from lokeys.core.schema.check import MAX_FAULTS, Checker, FaultKind
from lokeys.core.schema.definition import node
from lokeys.core.schema.language import (
    Anything,
    CelRule,
    Fields,
    Flag,
    Integer,
    ListOf,
    MapOf,
    Shape,
    Text,
    with_defaults,
)
from lokeys.core.text.words import form, found

SHORT = CelRule(cel="self.size() < 3", message="too wordy", holds=lambda value: len(value) < 3)
EVEN = CelRule(cel="self.size() % 2 == 0", message="odd", holds=lambda value: len(value) % 2 == 0)


def faults(value: object, shape: Shape, **manner: Any) -> list[str]:
    checker = Checker(**{"describe": form, **manner})
    checker.checked(value, shape, "it")
    return [str(fault) for fault in checker.faults]


@pytest.mark.parametrize(
    ("shape", "sound", "bad", "fault"),
    [
        (Integer(""), 7, 1.5, "wrong type (found a number); expected a whole number"),
        (
            Integer("", least=2),
            2,
            1,
            "out of range (found a number); expected a whole number of at least 2",
        ),
        (Integer("", bits=64), 2**40, 2**64, "out of range (found a number); expected a whole "),
        (MapOf("", Flag(""), at_most=1), {"a": True}, {"a": True, "b": True}, "too many (found 2)"),
        (MapOf("", Flag("")), {"a": True}, [], "wrong type (found a list); expected an object"),
        (ListOf("", Flag(""), at_most=1), [True], [True, False], "too many (found 2)"),
        (Text("", rules=(SHORT, EVEN)), "ab", "abc", "too wordy (found a text of 3 characters)"),
        (ListOf("", Flag(""), rules=(SHORT,)), [True], [True] * 3, "too wordy"),
    ],
    ids=[
        "a whole number",
        "a least number",
        "a number of 64 bits",
        "the most entries of a map",
        "a map",
        "the most items of a list",
        "the first of two rules of a text",
        "a rule of a list",
    ],
)
def test_a_bound_is_checked(shape: Shape, sound: object, bad: object, fault: str) -> None:
    """What is within is returned as it is; what is not is one fault."""
    assert Checker(describe=form).checked(sound, shape, "it") == sound
    assert not faults(sound, shape)
    (told,) = faults(bad, shape)
    assert told.startswith(f"it: {fault}")


def test_a_rule_is_not_asked_about_a_value_of_unsound_form() -> None:
    """A rule may rely on the form: a length of a number would be no fault but a failure."""
    (told,) = faults([1, 2, 3], ListOf("", Text("", rules=(SHORT,))), describe=found)[:1]
    assert told == "it[0]: wrong type (found the number 1); expected text — put it in quotes"
    assert len(faults([1], ListOf("", Text(""), rules=(EVEN,)))) == 1


def test_a_found_value_is_shown_where_that_is_allowed() -> None:
    """One schema, two manners: its form alone, or a short piece of it that is told as a text."""
    assert faults("3", Flag(""), describe=found)[0].startswith(
        "it: wrong type (found the text `3`)"
    )
    assert "found a text of 1 character)" in faults("3", Flag(""))[0]
    secret = faults("https://user:pass@host", Flag(""), describe=found)
    assert "found a text of 22 characters)" in secret[0]


def test_the_order_of_a_document_is_no_matter() -> None:
    """The same faults in the same order, however its fields are sorted."""
    shape = Fields("", {"a": Flag("A."), "b": Flag("B."), "c": Flag("The third.")}, required=("c",))
    one = faults({"a": 1, "x": 1, "b": 1}, shape)
    assert one == faults({"b": 1, "x": 1, "a": 1}, shape)
    assert one[-1] == "it.c: missing; expected the third"


def test_many_faults_are_counted_and_not_told() -> None:
    """Of each kind as many as help somebody."""
    checker = Checker(describe=form)
    checker.checked([1] * 500 + [{}] * 500, ListOf("", Anything("", acted_on=False)), "it")
    assert [fault.kind for fault in checker.faults] == [FaultKind.NOT_ACTED_ON] * MAX_FAULTS


def test_defaults_are_filled_in_on_the_way_down() -> None:
    """In lists and in objects that are themselves a default; what is of no field is left alone."""
    inner = Fields("", {"port": Integer("", default=1)}, default={})
    shape = Fields("", {"inner": inner, "each": ListOf("", inner), "gone": Flag("")})
    given = {"each": [{}, {"port": 2}, "odd"], "gone": None, "other": {"a": None}}
    assert with_defaults(given, shape) == {
        "inner": {"port": 1},
        "each": [{"port": 1}, {"port": 2}, "odd"],
        "other": {"a": None},
    }
    assert inner.default == {}


def test_what_is_published_stands_in_place_of_what_is_checked() -> None:
    """A definition that others wrote may ask for less than is checked here."""
    strict = Text("A.", choices=("a",), pattern="a", default="a")
    assert node(strict)["enum"] == ["a"]
    loose = Text("A.", choices=("a",), pattern="a", default="a", published={"maxLength": 9})
    assert node(loose) == {"description": "A.", "type": "string", "default": "a", "maxLength": 9}


def test_a_definition_says_all_bounds() -> None:
    """Each bound in words of OpenAPI, those words first that are asked for first."""
    made = node(
        Fields(
            "A.",
            {
                "list": ListOf("", MapOf("", Integer("", least=1), at_most=2), at_most=3, keys=()),
                "any": Anything(""),
            },
            required=("any",),
            rules=(SHORT,),
        ),
        ("required", "absent", "type"),
    )
    assert [*made] == [
        *("required", "type", "description", "properties", "x-kubernetes-validations")
    ]
    assert made["properties"] == {
        "list": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": {"type": "integer", "format": "int32", "minimum": 1},
                "maxProperties": 2,
            },
            "maxItems": 3,
            "x-kubernetes-list-type": "atomic",
        },
        "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    }
    assert made["x-kubernetes-validations"] == [{"rule": SHORT.cel, "message": SHORT.message}]
