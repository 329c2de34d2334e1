# SPDX-License-Identifier: Apache-2.0
"""The External Secrets stand-in's rules: durations, back-off, validity of the target."""

from datetime import timedelta

import pytest

from lokeys.core.text.durations import go_duration
from lokeys.demo.parts import eso_rules as rules


@pytest.mark.parametrize(
    "text, seconds, written",
    [
        pytest.param("1h", 3600, "1h0m0s", id="an-hour"),
        pytest.param("90s", 90, "1m30s", id="more-than-a-minute"),
        pytest.param("0", 0, "0s", id="zero-needs-no-unit"),
        pytest.param("500ms", 0.5, "500ms", id="a-fraction"),
        pytest.param("1h0m0s", 3600, "1h0m0s", id="as-written"),
    ],
)
def test_durations_are_those_of_go(text: str, seconds: float, written: str) -> None:
    """A duration is read and written as Go does."""
    duration = go_duration(text)
    assert duration == timedelta(seconds=seconds)
    assert rules.format_duration(duration) == written


def test_retries_come_as_measured() -> None:
    """The retries of a failure come after 0.1, 1.1, 5.1, 13.1 and 29.1 seconds."""
    delays = [rules.backoff_s(failures) for failures in range(1, 6)]
    moments = [round(sum(delays[: count + 1]), 1) for count in range(5)]
    assert moments == [0.1, 1.1, 5.1, 13.1, 29.1]
    assert rules.backoff_s(1000) == 420
