# SPDX-License-Identifier: Apache-2.0
"""What a reason of a Degraded stack stands for, as `lokeys explain` tells it."""

import pytest

from lokeys.core.operate.reasons import codes_of, place_of


@pytest.mark.parametrize(
    ("reason", "codes", "place"),
    [
        pytest.param("ObjectContested", ("LK0226",), None, id="one fault alone"),
        pytest.param("InvalidObjectStorageSecret", (), "the storage Secret", id="the Secret's"),
        pytest.param("InvalidLimits", (), "spec.limits", id="those of a field"),
        pytest.param("NoSuchReason", (), None, id="none"),
    ],
)
def test_what_a_reason_stands_for(reason: str, codes: tuple[str, ...], place: str | None) -> None:
    """Codes where few faults have it; else the place where all of them are."""
    assert (codes_of(reason), place_of(reason)) == (codes, place)
