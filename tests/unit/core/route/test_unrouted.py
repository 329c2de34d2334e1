# SPDX-License-Identifier: Apache-2.0
"""What pods show whose Loki has no route: nothing is known of their key, and they are heard."""

from typing import Any

import pytest

from builders import LOKI, a_pod
from lokeys.core.findings.catalogue import configuration as rules
from lokeys.core.findings.finding import Finding
from lokeys.core.kubernetes.loki.model import ConfigurationFault, Misconfiguration, RunningLoki
from lokeys.core.place import Ref
from lokeys.core.route.snapshot import LogLine, PodState
from lokeys.core.route.symptoms import of_unrouted

FINE = RunningLoki(container="loki")
UNSET = ConfigurationFault(kind=Misconfiguration.NOT_SET, names=("KEY",))
BROKEN = RunningLoki(container="loki", faults=(UNSET,))
POD = Ref("Pod", "loki-0", "monitoring")


def told(*pods: PodState, causes: tuple[Finding, ...] = (), loki: RunningLoki = FINE) -> Any:
    found = tuple(of_unrouted(causes, pods, {LOKI: loki}))
    return [(each.code, each.object, each.route) for each in found]


def test_what_a_pod_counts_and_complains_of_is_told() -> None:
    """The log tells more than the counter; both are of the pod, and of no route."""
    line = LogLine(cause="access_key_unknown", count=2)
    assert told(a_pod(refused=7)) == [("LK0614", POD, None)]
    assert told(a_pod(refused=7, log=(line,))) == [("LK0801", POD, None)]
    assert told(a_pod()) == []


def test_a_user_that_nobody_knows_is_not_named() -> None:
    """What is said of the user stands at each workload's pods."""
    line = LogLine(cause="user_suspended", count=2)
    eight = [a_pod(f"loki-{number}", log=(line,)) for number in range(8)]
    assert told(*eight) == [("LK0303", LOKI, None)]


def test_the_command_asks_what_can_be_told_of_the_key() -> None:
    """There is no route to trace."""
    (finding,) = of_unrouted((), [a_pod(refused=7)], {LOKI: FINE})
    assert [str(each.command) for each in finding.remedy] == [
        "lokeys discover -n monitoring statefulset/loki"
    ]


@pytest.mark.parametrize(
    ("loki", "codes", "symptoms"),
    [(BROKEN, ["LK0902"], [7]), (FINE, ["LK0902", "LK0614"], [])],
    ids=["its own", "another Loki's"],
)
def test_a_configuration_explains_what_its_own_pods_show(
    loki: RunningLoki, codes: list[str], symptoms: list[int]
) -> None:
    """Of a Loki that is set up well it explains nothing."""
    cause = rules.NOT_SET.at(LOKI, names="KEY", workloads="", others="")
    found = list(of_unrouted((cause,), [a_pod(refused=7)], {LOKI: loki}))
    assert [each.code for each in found] == codes
    assert [each.count for each in found[0].symptoms] == symptoms
