# SPDX-License-Identifier: Apache-2.0
"""Durations as Go writes them."""

from datetime import timedelta

import pytest

from lokeys.core.text.durations import go_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1h", 3600.0),
        ("1h0m0s", 3600.0),
        ("1.5h", 5400.0),
        ("0", 0.0),
        ("0s", 0.0),
        ("-5m", -300.0),
        ("+10s", 10.0),
        ("250ms", 0.25),
        ("1m30.5s", 90.5),
        ("2us", 0.000002),
        ("2µs", 0.000002),
        ("1d", None),
        ("5", None),
        ("", None),
        ("1 h", None),
        ("h", None),
        ("1H", None),
        (".", None),
        ("99999999999999h", None),
        ("1" * 500_000, None),
    ],
)
def test_durations_are_read_as_go_does(text: str, seconds: float | None) -> None:
    """What Go's parser refuses stops External Secrets, so it must be refused here too."""
    assert go_duration(text) == (None if seconds is None else timedelta(seconds=seconds))
