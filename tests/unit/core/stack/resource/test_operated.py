# SPDX-License-Identifier: Apache-2.0
"""Whose a stack is: an Unmanaged one is lokeys' only where it says so twice."""

from typing import Any

import pytest

from lokeys.core.stack.resource.operated import is_operated, is_taken_over

BOTH = {"labels": {"lokeys.dev/managed": "true"}, "annotations": {"lokeys.dev/taken-over": "true"}}


@pytest.mark.parametrize(
    ("metadata", "state", "operated", "taken"),
    [
        pytest.param({}, None, True, False, id="nothing is said"),
        pytest.param({}, "Managed", True, False, id="managed"),
        pytest.param({}, "Unmanaged", False, False, id="unmanaged"),
        pytest.param(BOTH, "Unmanaged", True, True, id="taken over"),
        pytest.param({"labels": BOTH["labels"]}, "Unmanaged", False, False, id="the label alone"),
        pytest.param(
            {"annotations": BOTH["annotations"]}, "Unmanaged", False, False, id="the mark alone"
        ),
        pytest.param(
            BOTH | {"annotations": {"lokeys.dev/taken-over": "yes"}},
            "Unmanaged",
            False,
            False,
            id="another word",
        ),
        pytest.param({"labels": "a", "annotations": 3}, "Unmanaged", False, False, id="no maps"),
    ],
)
def test_whose_a_stack_is(
    metadata: dict[str, Any], state: str | None, *, operated: bool, taken: bool
) -> None:
    """The label and the annotation, both, or else the spec's own word."""
    manifest = {"metadata": metadata, "spec": {"managementState": state} if state else {}}
    assert (is_operated(manifest), is_taken_over(manifest)) == (operated, taken)


@pytest.mark.parametrize("manifest", [{}, {"spec": 3, "metadata": []}], ids=repr)
def test_what_is_no_stack_is_nobodys_takeover(manifest: dict[str, Any]) -> None:
    """Other people's objects may have any form."""
    assert (is_operated(manifest), is_taken_over(manifest)) == (True, False)
