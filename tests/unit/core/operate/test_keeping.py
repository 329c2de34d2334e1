# SPDX-License-Identifier: Apache-2.0
"""Which of another operator's pods go on at a takeover, by what differs in their template."""

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fakes.formers import kept, taken_from
from fakes.stacks import StackWorld
from lokeys.adapters.kubernetes.stack_objects import live_of
from lokeys.core.operate.decision import as_possible, plan, with_what_is_fixed
from lokeys.core.operate.keeping import CONFIG, keeping, replaced_for
from lokeys.core.operate.kept import KEPT_TEMPLATE
from lokeys.core.operate.snapshot import StackSnapshot
from lokeys.core.place import Ref
from manifests.former import Former
from manifests.lokistack import AUTHORITY

Json = dict[str, Any]
FORMER = Former(bucket="1234")
QUERIER = Ref("Deployment", "my-stack-querier", "logging")
FRONTEND = Ref("Deployment", "my-stack-query-frontend", "logging")
RULER = Ref("StatefulSet", "my-stack-ruler", "logging")


def look(
    ref: Ref, change: Callable[[Json], object], made: StackWorld | None = None, **former: Any
) -> StackSnapshot:
    """Return a stack of the Loki Operator's in which one workload's template is changed."""
    world = made or StackWorld()
    world.spec.setdefault("rules", {"enabled": bool(former.get("rules"))})
    theirs = replace(FORMER, **former)
    snapshot, _ = taken_from(theirs, world)
    (manifest,) = (
        copy.deepcopy(each)
        for each in theirs.objects()
        if (each["kind"], each["metadata"]["name"]) == (ref.kind, ref.name)
    )
    change(manifest["spec"]["template"])
    live = live_of(kept(manifest))
    return replace(snapshot, objects={**snapshot.objects, ref: live})


def why(snapshot: StackSnapshot, ref: Ref) -> tuple[str, ...] | None:
    """Return why the workload's pods must go."""
    intents = with_what_is_fixed(plan(snapshot) or (), snapshot.objects)
    return replaced_for(snapshot, next(each for each in intents if each.ref == ref))


def container(change: Json) -> Callable[[Json], object]:
    return lambda template: template["spec"]["containers"][0].update(change)


def pod(change: Json) -> Callable[[Json], object]:
    return lambda template: template["spec"].update(change)


def proxied(**theirs: str) -> Callable[[Json], object]:
    variables = [{"name": name, "value": value} for name, value in theirs.items()]
    return lambda template: template["spec"]["containers"][0]["env"].extend(variables)


ON_LINUX = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [
                {
                    "matchExpressions": [
                        {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}
                    ]
                }
            ]
        }
    }
}
MAY_WAIT: dict[str, tuple[Ref, Callable[[Json], object]]] = {
    "nothing but what every stack has": (QUERIER, lambda _: None),
    "an affinity for nodes with Linux": (QUERIER, lambda t: t["spec"]["affinity"].update(ON_LINUX)),
    "what a feature gate of theirs asks for": (
        QUERIER,
        pod({"securityContext": {"runAsNonRoot": True}}),
    ),
    "hashes of theirs": (
        QUERIER,
        lambda t: t["metadata"]["annotations"].update(
            {"loki.grafana.com/certRotationRequiredAt": "2026-01-01"}
        ),
    ),
    "how a query frontend says that it is ready": (
        FRONTEND,
        lambda t: t["spec"]["containers"][0]["readinessProbe"]["httpGet"].update(path="/other"),
    ),
}
MAY_NOT: dict[str, tuple[Ref, Callable[[Json], object], str]] = {
    "an affinity for some nodes": (
        QUERIER,
        lambda t: t["spec"]["affinity"].update(nodeAffinity={}),
        "spec.template.spec.affinity.nodeAffinity",
    ),
    "another node selector": (
        QUERIER,
        pod({"nodeSelector": {"disk": "fast"}}),
        "spec.template.spec.nodeSelector",
    ),
    "another annotation": (
        QUERIER,
        lambda t: t["metadata"]["annotations"].update(team="a"),
        "spec.template.metadata.annotations.team",
    ),
    "another argument": (
        QUERIER,
        container({"args": ["-target=querier"]}),
        "spec.template.spec.containers[loki-querier].args",
    ),
    "no readiness": (
        FRONTEND,
        lambda t: t["spec"]["containers"][0].pop("readinessProbe"),
        "spec.template.spec.containers[loki-query-frontend].readinessProbe",
    ),
}


@pytest.mark.parametrize(("ref", "change"), MAY_WAIT.values(), ids=MAY_WAIT)
def test_what_may_wait_replaces_no_pod(ref: Ref, change: Callable[[Json], object]) -> None:
    """The template stays, to the byte of what the former operator owns, and says so."""
    snapshot = look(ref, change)
    assert why(snapshot, ref) == ()
    intents = as_possible(plan(snapshot) or (), snapshot)
    (intent,) = (each for each in intents if each.ref == ref)
    live = snapshot.objects[ref].workload
    assert live is not None
    assert live.kept is not None
    assert intent.manifest["spec"]["template"] == json.loads(live.kept.text)
    assert KEPT_TEMPLATE in intent.manifest["metadata"]["annotations"]


@pytest.mark.parametrize(("ref", "change", "path"), MAY_NOT.values(), ids=MAY_NOT)
def test_what_differs_otherwise_is_named(
    ref: Ref, change: Callable[[Json], object], path: str
) -> None:
    """By its path; ours is written."""
    snapshot = look(ref, change)
    assert why(snapshot, ref) == (path,)
    intents = as_possible(plan(snapshot) or (), snapshot)
    (intent,) = (each for each in intents if each.ref == ref)
    assert KEPT_TEMPLATE not in intent.manifest["metadata"].get("annotations", {})


@pytest.mark.parametrize(
    ("no_proxy", "waits"), [(".svc,.cluster.local", True), ("db.example", False)]
)
def test_what_is_reached_without_a_proxy(no_proxy: str, *, waits: bool) -> None:
    """What is in the cluster is, in whatever words; both cases of letters say the same."""
    world = StackWorld()
    world.spec["proxy"] = {"httpProxy": "http://proxy:1"}
    theirs = {"HTTP_PROXY": "http://proxy:1", "http_proxy": "http://proxy:1"}
    snapshot = look(QUERIER, proxied(**theirs, NO_PROXY=no_proxy), world)
    assert (why(snapshot, QUERIER) == ()) is waits


@pytest.mark.parametrize("named", [True, False])
def test_the_stores_ca_may_be_named_by_an_argument(*, named: bool) -> None:
    """Our configuration names it; a pod that has no word of it must go."""
    world = StackWorld()
    world.spec["storage"]["tls"] = {"caName": "ca"}
    world.others.append(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "ca", "namespace": "logging"},
            "data": {"service-ca.crt": AUTHORITY},
        }
    )

    def change(template: Json) -> None:
        volume = {"name": "storage-tls", "configMap": {"name": "ca"}}
        template["spec"]["volumes"].append(volume)
        (one,) = template["spec"]["containers"]
        one["volumeMounts"].append({"name": "storage-tls", "mountPath": "/etc/storage/ca"})
        if named:
            path = "/etc/storage/ca/service-ca.crt"
            one["args"].append(f"-common.storage.object-store.s3.http.tls-ca-path={path}")

    found = why(look(QUERIER, change, world), QUERIER)
    assert found is not None
    assert ("spec.template.spec.containers[loki-querier].args" in found) is not named
    without = Ref("Deployment", "my-stack-distributor", "logging")
    assert why(look(without, lambda _: None, world), without) == (), "it asks the store nothing"


def test_a_ruler_without_tokens_may_be_anybody() -> None:
    """Nobody asks for its account; where its rules are is another matter."""
    found = why(look(RULER, lambda _: None, rules=True), RULER)
    assert found == ("spec.template.spec.volumes[rules].projected.sources",)


def test_a_configuration_that_was_written_after_the_pods_was_not_read() -> None:
    """It says the same, and pods may run with the one before it."""
    snapshot = look(QUERIER, lambda _: None)
    config = Ref("ConfigMap", "my-stack-config", "logging")
    live = snapshot.objects[config]
    assert live.config is not None
    later = replace(live.config, since=live.config.since.replace(year=2030))
    objects = {**snapshot.objects, config: replace(live, config=later)}
    assert why(replace(snapshot, objects=objects), QUERIER) == (CONFIG,)


def test_nothing_is_kept_of_what_nobody_has_made() -> None:
    """A stack that cannot be read has no objects, a new one none of anybody's."""
    broken = StackWorld()
    broken.spec["size"] = "huge"
    assert keeping(broken.snapshot(), ()) == ()
    snapshot = StackWorld().snapshot()
    intents = plan(snapshot) or ()
    assert keeping(snapshot, intents) == intents
    assert replaced_for(snapshot, intents[0]) is None
