# SPDX-License-Identifier: Apache-2.0
"""Who else holds a key: found wherever its id stands, and what could not be read is said."""

import asyncio
from base64 import b64encode
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders import a_route
from lokeys.adapters.kubernetes.holders import KeyHolders
from lokeys.core.place import Ref
from lokeys.core.route.rotation.holders import Holders
from lokeys.core.sensitive import KeyPair, Sensitive
from lokeys.errors import Forbidden
from unit.adapters.kubernetes.cluster_fakes import (
    CANARY_ID,
    CANARY_SECRET,
    NOW,
    FakeObjects,
    cluster,
)

PAIR = KeyPair(access_key_id=Sensitive(CANARY_ID), secret_access_key=Sensitive(CANARY_SECRET))
SPEC = a_route()


def of(kind: str, name: str, namespace: str = "traces", **parts: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, "namespace": namespace}, **parts}


def secret(name: str, value: str, namespace: str = "traces") -> dict[str, Any]:
    return of("Secret", name, namespace, data={"a": b64encode(value.encode()).decode()})


def pod(name: str, namespace: str = "traces", *, phase: str = "Running", **spec: Any) -> Any:
    started = (NOW - timedelta(hours=1)).isoformat()
    status = {
        "phase": phase,
        "containerStatuses": [{"state": {"running": {"startedAt": started}}}],
    }
    return of("Pod", name, namespace, spec=spec, status=status)


def reading(name: str) -> dict[str, Any]:
    """Return a container that reads a Secret."""
    return {"name": "a", "envFrom": [{"secretRef": {"name": name}}]}


def found(objects: FakeObjects, *, everywhere: bool = True, **words: Any) -> Holders:
    """Return who holds the pair."""
    holders = KeyHolders(replace(cluster()[0], objects=objects), SPEC, everywhere)
    wanted = {"changed_at": NOW, "own": frozenset(), **words}
    return asyncio.run(holders.find(PAIR, **wanted))


HOLDERS: dict[str, dict[str, Any]] = {
    "a Secret": secret("tempo", CANARY_ID),
    "a configuration in a Secret": secret("mimir", f"s3: {{access_key_id: '{CANARY_ID}'}}"),
    "a ConfigMap": of("ConfigMap", "velero", data={"cloud": f"[default]\nid={CANARY_ID}"}),
    "a variable of a pod": pod("p", containers=[{"env": [{"name": "K", "value": CANARY_ID}]}]),
    "a ConfigMap that is no text": of(
        "ConfigMap", "packed", binaryData={"a": b64encode(b"\0" + CANARY_ID.encode()).decode()}
    ),
    "the command of a pod": pod("p", containers=[{"command": ["mc", f"alias={CANARY_ID}"]}]),
    "an argument of a pod": pod("p", containers=[{"args": [f"-s3.id={CANARY_ID}"]}]),
    "a pod that started with the Secret as it was": pod(
        "tempo-0", SPEC.namespace, containers=[reading(SPEC.secret.name)]
    ),
}


@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS.keys())
def test_a_holder_is_found(holder: dict[str, Any]) -> None:
    """And named; everything could be read."""
    said = found(FakeObjects(holder, secret("other", "something else")))
    metadata = holder["metadata"]
    assert said == Holders(found=(Ref(holder["kind"], metadata["name"], metadata["namespace"]),))
    assert not said.none_is_proved


OTHERS: dict[str, dict[str, Any]] = {
    "the Secret of the route": secret(SPEC.secret.name, CANARY_ID, SPEC.namespace),
    "lokeys' own copy": secret("lokeys-bridge-loki", CANARY_ID, SPEC.namespace),
    "what the source keeps it in": secret("declared", CANARY_ID, "storage"),
    "data that is no base64": of("Secret", "odd", data={"a": "%"}),
    "data that is no text": of("Secret", "odd", data={"a": 7}),
    "a Secret without data": of("Secret", "empty"),
    "a pod that has ended": pod(
        "job", SPEC.namespace, phase="Succeeded",
        containers=[{"env": [{"value": CANARY_ID}]}, reading(SPEC.secret.name)],
    ),
    "a pod that reads another Secret": pod("p", SPEC.namespace, containers=[reading("x")]),
    "a pod of another namespace": pod("p", containers=[reading(SPEC.secret.name)]),
}  # fmt: skip


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
def test_what_is_no_holder_is_not_found(other: dict[str, Any]) -> None:
    """Then nobody else is proved to hold it."""
    own = frozenset({Ref("Secret", "declared", "storage")})
    said = found(FakeObjects(other), own=own)
    assert said == Holders()
    assert said.none_is_proved


def test_without_a_change_that_was_seen_no_pod_is_old() -> None:
    """Its age alone says nothing."""
    old = pod("p", SPEC.namespace, containers=[reading(SPEC.secret.name)])
    assert found(FakeObjects(old), changed_at=None) == Holders()


def test_what_may_not_be_read_is_said() -> None:
    """Here or anywhere; what may be read is looked into all the same."""
    objects = FakeObjects(secret("tempo", CANARY_ID, SPEC.namespace))
    objects.failing = {"ConfigMap": Forbidden("may not list"), "Pod": Forbidden("may not list")}
    said = found(objects)
    assert said.found == (Ref("Secret", "tempo", SPEC.namespace),)
    assert said.unread == ("ConfigMaps: may not list", "Pods: may not list")


def test_who_may_not_look_asks_nothing() -> None:
    """The operator's Roles name Secrets one by one; a key's id of few letters is in any text."""
    objects = FakeObjects()
    objects.failing = {"Secret": AssertionError("asked")}  # type: ignore[dict-item]
    assert found(objects, everywhere=False).unread
    short = KeyPair(access_key_id=Sensitive("abc"), secret_access_key=Sensitive("d"))
    holders = KeyHolders(replace(cluster()[0], objects=objects), SPEC, everywhere=True)
    said = asyncio.run(holders.find(short, changed_at=None, own=frozenset()))
    assert said.unread
