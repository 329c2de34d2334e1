# SPDX-License-Identifier: Apache-2.0
"""The names of the metrics, as Prometheus wants them."""

import re

from lokeys.operator.metric_names import METRICS, MetricKind


def test_names_are_unique_and_say_what_they_are() -> None:
    """Each name is lokeys' own, once, with a help text; counters and only they end in _total."""
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert re.fullmatch("lokeys(_[a-z]+)+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind is MetricKind.COUNTER)
        assert metric.help.endswith(".")
