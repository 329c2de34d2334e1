# SPDX-License-Identifier: Apache-2.0
"""What the routes of a namespace are called."""

import pytest

from lokeys.core.kubernetes.data_keys import DataKey
from lokeys.core.kubernetes.loki.model import PairPlace, RunningLoki
from lokeys.core.place import Ref
from lokeys.core.route.discovery.model import LokiWorkload
from lokeys.core.route.discovery.naming import groups_of, names_of


def workload(name: str, secret: str | None, *, stack: str | None = None) -> LokiWorkload:
    """Return a Loki that takes its pair from a Secret."""
    pair = None
    if secret is not None:
        keys = [DataKey(Ref("Secret", secret, "n"), key) for key in ("ID", "KEY")]
        pair = PairPlace(key_id=keys[0], secret=keys[1])
    loki = RunningLoki(container="loki", pair=pair)
    return LokiWorkload(ref=Ref("Deployment", name, "n"), loki=loki, stack=stack)


@pytest.mark.parametrize(
    ("workloads", "names"),
    [
        pytest.param([], {}, id="no Loki"),
        pytest.param([workload("loki-gateway", None)], {}, id="none with a Secret"),
        pytest.param(
            [workload("loki-write", "s3"), workload("loki-read", "s3")], {"s3": "loki"}, id="one"
        ),
        pytest.param(
            [workload("loki-write", "s3-rw"), workload("loki-read", "s3-ro")],
            {"s3-rw": "s3-rw", "s3-ro": "s3-ro"},
            id="a writer's and a reader's",
        ),
        pytest.param(
            [workload("loki", "a"), workload("audit", "b")],
            {"a": "loki", "b": "audit"},
            id="two of different names",
        ),
        pytest.param(
            [workload("logs-ingester", "s", stack="logs"), workload("logs-querier", "s")],
            {"s": "logs"},
            id="a stack",
        ),
        pytest.param(
            [workload("loki-a", "audit"), workload("loki-b", "b"), workload("audit", "x")],
            {"audit": "audit-2", "b": "b", "x": "audit"},
            id="a Secret called as another route is",
        ),
        pytest.param([workload("operator", "a")], {"a": "operator-2"}, id="a name that is taken"),
        pytest.param([workload("a" * 62 + ".b", "s")], {"s": "a" * 62}, id="a long name"),
    ],
)
def test_no_two_routes_share_a_name(workloads: list[LokiWorkload], names: dict[str, str]) -> None:
    """Applied, the second would replace the first."""
    assert names_of(groups_of(workloads)) == names
