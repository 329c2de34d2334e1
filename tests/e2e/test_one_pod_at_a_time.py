# SPDX-License-Identifier: Apache-2.0
"""Several pods hold an old key: they are replaced one at a time, whoever makes their successors."""

from datetime import datetime

from e2e import hands
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


def pods_of(home: Homelab, app: str) -> dict[str, Json]:
    """Return the pods of a workload that are not being deleted, by name."""
    path = f"/api/v1/namespaces/{home.monitoring}/pods?labelSelector=app={app}"
    found: list[Json] = home.kubernetes.api.get(path)["items"]
    return {
        pod["metadata"]["name"]: pod for pod in found if "deletionTimestamp" not in pod["metadata"]
    }


def test_a_successor_of_another_name_is_awaited_too(
    home: Homelab, installation: Installation, operator: Operator
) -> None:
    """A Deployment's pods come back under new names: none goes before as many are back."""
    assert operator.running
    home.build(with_loki=False)
    hands.add_deployment(home, "read", replicas=3)
    own = home.route()["spec"]["workloads"]
    installation.follow(home, workloads=[*own, {"kind": "Deployment", "name": "read"}])
    home.wait_condition("Ready", "True")
    old = pods_of(home, "read").keys()
    pair = home.replace_key()
    home.wait_healed(pair, timeout_s=90)
    new = pods_of(home, "read")
    assert len(new) == len(old)
    assert not new.keys() & old
    assert all(home.held_by_pod(pair, name) for name in new)
    evictions = installation.calls(home, "create", "pods/eviction")
    assert sorted(each["objectRef"]["name"] for each in evictions) == sorted({"loki-0", *old})
    asked = sorted(moment(each["requestReceivedTimestamp"]) for each in evictions)
    back = sorted(ready_since(pod) for pod in (home.pod(), *new.values()))
    for number, next_asked in enumerate(asked[1:]):
        assert back[number] <= next_asked, f"{number + 1} had gone, and fewer were back"
