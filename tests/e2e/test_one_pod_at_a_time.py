# SPDX-License-Identifier: Apache-2.0
"""Several pods hold an old key: they are replaced one at a time, in the order of a rollout."""

from datetime import datetime

from e2e.operators import Installation, Operator
from e2e.sight import Json
from e2e.world import Homelab
from parts.process import wait_for

PODS = ("loki-2", "loki-1", "loki-0")


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def ready_since(pod: Json) -> datetime:
    """Return since when a pod is Ready, to the second below."""
    (ready,) = (one for one in pod["status"]["conditions"] if one["type"] == "Ready")
    assert ready["status"] == "True"
    return moment(ready["lastTransitionTime"])


def test_no_pod_goes_before_the_one_before_it_is_back(
    home: Homelab, installation: Installation, operator: Operator
) -> None:
    """Three evictions, from the highest ordinal down; each successor is Ready before the next."""
    assert operator.running
    home.build(with_loki=False)
    path = f"/apis/apps/v1/namespaces/{home.monitoring}/statefulsets/loki"
    home.kubernetes.api.patch(path, {"spec": {"replicas": len(PODS)}})
    for name in reversed(PODS):
        home.wait_ready(name=name)
    installation.follow(home)
    home.wait_condition("Ready", "True")
    old = {name: home.pod(name)["metadata"]["uid"] for name in PODS}
    pair = home.replace_key()
    for name in PODS:
        home.wait_ready(name=name, after=old[name])
    wait_for(lambda: home.held_by_pod(pair), "the last pod holds the key", timeout_s=30)
    home.wait_healed(pair)
    evictions = installation.calls(home, "create", "pods/eviction")
    assert [each["objectRef"]["name"] for each in evictions] == list(PODS)
    asked = [moment(each["requestReceivedTimestamp"]) for each in evictions]
    for name, next_asked in zip(PODS, asked[1:], strict=False):
        assert ready_since(home.pod(name)) <= next_asked, f"{name} was not back yet"
