# SPDX-License-Identifier: Apache-2.0
"""What an ExternalSecret says, and how it is made to read again."""

import asyncio
from typing import Any

import pytest

from lokeys.adapters.kubernetes.external_secrets import ExternalSecretPort
from lokeys.core.place import Ref
from lokeys.core.route.model import ExternalSecretRef, PairKeys, SecretRef
from lokeys.core.route.snapshot import DeliveryState, RefreshPolicy, Why
from lokeys.ports import Reading
from unit.adapters.kubernetes.cluster_fakes import Json, Server, cluster, event, secret

REF = Ref("ExternalSecret", "es", "ns")


def external(name: str = "es", namespace: str = "ns", **spec: Any) -> Json:
    status = spec.pop("status", {})
    return {
        "kind": "ExternalSecret",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"secretStoreRef": {"name": "connect"}, "refreshInterval": "1h"} | spec,
        "status": status,
    }


def store(kind: str = "SecretStore", ready: str = "True", **provider: Any) -> Json:
    condition = {"type": "Ready", "status": ready, "reason": "Why", "message": "words"}
    return {
        "kind": kind,
        "metadata": {"name": "connect"} | ({"namespace": "ns"} if kind == "SecretStore" else {}),
        "spec": {"provider": provider or {"onepassword": {"connectHost": "http://connect"}}},
        "status": {"conditions": [condition]},
    }


def ready(status: str, reason: str = "SecretSynced", message: str = "secret synced") -> Json:
    condition = {"type": "Ready", "status": status, "reason": reason, "message": message}
    return {"conditions": [condition]}


def read(*objects: Json, server: Server | None = None) -> DeliveryState:
    reading = reading_of(*objects, server=server)
    assert reading.state is not None
    return reading.state


def reading_of(*objects: Json, server: Server | None = None) -> Reading[DeliveryState]:
    where, _ = cluster(*objects, server=server)
    return asyncio.run(port(where).read())


def port(where: Any) -> ExternalSecretPort:
    return ExternalSecretPort(where, ExternalSecretRef(name="es"), namespace="ns")


def test_where_the_pair_is_in_its_store() -> None:
    """In words, for a person who has to edit it there."""
    data = [
        {"secretKey": key, "remoteRef": {"key": "apps/loki", "property": key.lower()}}
        for key in ("ID", "KEY")
    ]
    where, _ = cluster(external(data=data), store(vault={}))
    keys = PairKeys(access_key_id="ID", secret_access_key="KEY")
    told = ExternalSecretPort(
        where,
        ExternalSecretRef(name="es"),
        namespace="ns",
        pair=SecretRef(name="es", keys=keys),
    )
    state = asyncio.run(told.read()).state
    assert state is not None
    assert state.store is not None
    assert (state.store.provider, state.place) == (
        "Vault",
        "`apps/loki`, its fields `id` and `key`",
    )


def test_an_ordinary_one() -> None:
    """Defaults are filled in, and the store behind it is told."""
    state = read(external(status=ready("True") | {"syncedResourceVersion": "2-abc"}), store())
    assert (state.ref, state.target, state.creation_policy) == (REF, "es", "Owner")
    assert state.refresh_policy is RefreshPolicy.PERIODIC
    assert state.force_sync_works
    assert (state.ready, state.reason, state.synced_version) == (True, "SecretSynced", "2-abc")
    assert state.store is not None
    assert (state.store.ready, state.store.connect_host) == (True, "http://connect")


@pytest.mark.parametrize(
    ("spec", "works"),
    [
        pytest.param({"refreshInterval": "0"}, False, id="interval 0"),
        pytest.param({"refreshPolicy": "CreatedOnce"}, False, id="CreatedOnce"),
        pytest.param({"refreshPolicy": "OnChange", "refreshInterval": "0s"}, True, id="OnChange"),
        pytest.param({"refreshInterval": "1d"}, False, id="an interval that does not parse"),
        pytest.param({"refreshInterval": None}, True, id="no interval: the CRD's hour"),
    ],
)
def test_whether_a_forced_sync_can_work(spec: Json, works: bool) -> None:
    """Measured, by policy."""
    assert read(external(**spec), store()).force_sync_works is works


@pytest.mark.parametrize(
    ("spec", "whole"),
    [
        pytest.param({"dataFrom": [{"extract": {"key": "item"}}]}, True, id="extract"),
        pytest.param({"data": [{"secretKey": "ID"}]}, False, id="two reads"),
        pytest.param(
            {"dataFrom": [{"extract": {"key": "i"}}], "data": [{"secretKey": "ID"}]},
            False,
            id="extract and a read of its own",
        ),
    ],
)
def test_whether_one_read_brings_both_halves(spec: Json, whole: bool) -> None:
    """Only then can the pair not be torn."""
    assert read(external(**spec), store()).reads_whole_item is whole


@pytest.mark.parametrize(
    ("objects", "exists", "is_ready"),
    [
        pytest.param([store(ready="False")], True, False, id="not ready"),
        pytest.param([store(ready="Unknown")], True, None, id="unknown"),
        pytest.param([], False, None, id="not there"),
    ],
)
def test_the_store(objects: list[Json], exists: bool, is_ready: bool | None) -> None:
    """A store says for itself whether it is ready."""
    state = read(external(), *objects).store
    assert state is not None
    assert (state.exists, state.ready) == (exists, is_ready)


def test_a_cluster_store_has_no_namespace() -> None:
    """It is named as people write it."""
    spec: Json = {"secretStoreRef": {"name": "connect", "kind": "ClusterSecretStore"}}
    state = read(external(**spec), store("ClusterSecretStore"))
    assert state.store is not None
    assert str(state.store.ref) == "ClusterSecretStore/connect"


def test_a_store_that_may_not_be_read_is_a_gap() -> None:
    """The rest is told all the same."""
    where, objects = cluster(external(), store())
    objects.forbid("SecretStore")
    reading = asyncio.run(port(where).read())
    assert reading.state is not None
    assert [(gap.ref.kind, gap.why) for gap in reading.gaps] == [("SecretStore", Why.FORBIDDEN)]


def test_the_cause_of_a_failure_is_in_the_last_event() -> None:
    """The condition says a fixed phrase; the newest event says why."""
    server = Server()
    server.events = [
        event(REF, "UpdateFailed", "older", lastTimestamp="2026-11-23T01:00:00Z"),
        event(REF, "UpdateFailed", "key not found", lastTimestamp="2026-11-23T03:00:00Z"),
    ]
    failed = ready("False", "SecretSyncedError", "could not get secret data from provider")
    assert read(external(status=failed), store(), server=server).last_event == "key not found"
    assert read(external(status=ready("True")), store(), server=server).last_event == ""


def test_a_foreign_interval_that_stops_all_is_found() -> None:
    """Whoever wrote `1d`, in whatever namespace, is named."""
    state = read(external(), store(), external("bad", "other", refreshInterval="1d"))
    assert state.stopped_by == (Ref("ExternalSecret", "bad", "other"),)


def test_not_to_be_allowed_to_look_for_others_is_no_gap() -> None:
    """Without the right to list, nothing is known and nothing is missing."""
    where, objects = cluster(external(), store())
    objects.forbid("list of ExternalSecret")
    reading = asyncio.run(port(where).read())
    assert reading.state is not None
    assert (reading.state.stopped_by, reading.gaps) == ((), ())


@pytest.mark.parametrize(
    "objects",
    [
        pytest.param(
            [
                secret("es")
                | {
                    "metadata": {
                        "name": "es",
                        "namespace": "ns",
                        "ownerReferences": [{"kind": "ExternalSecret", "name": "theirs"}],
                    }
                }
            ],
            id="the Secret's owner",
        ),
        pytest.param(
            [secret("es"), external("theirs", target={"name": "es"})],
            id="another one with the same target",
        ),
    ],
)
def test_who_else_owns_the_target(objects: list[Json]) -> None:
    """When External Secrets says that another owns the target, it is named."""
    owned = ready("False", "SecretSyncedError", "target is owned by another ExternalSecret")
    state = read(external(status=owned), store(), *objects)
    assert state.target_owner == Ref("ExternalSecret", "theirs", "ns")


def test_a_missing_one_is_a_gap() -> None:
    """Without an ExternalSecret there is no state."""
    reading = reading_of()
    assert reading.state is None
    assert [(gap.ref, gap.why) for gap in reading.gaps] == [(REF, Why.NOT_FOUND)]


def test_forcing_writes_one_annotation() -> None:
    """Nothing else is touched."""
    server = Server()
    where, _ = cluster(external(), store(), server=server)
    asyncio.run(port(where).force_sync())
    ((method, path, body),) = server.calls
    assert method == "PATCH"
    assert path == "/apis/external-secrets.io/v1/namespaces/ns/externalsecrets/es"
    assert list(body["metadata"]["annotations"]) == ["lokeys.dev/force-sync"]


def test_revalidating_annotates_the_store() -> None:
    """After a repair External Secrets must be told to look at the store again."""
    server = Server()
    where, _ = cluster(external(), store(), server=server)
    asyncio.run(port(where).revalidate_store())
    assert server.calls[0][1] == "/apis/external-secrets.io/v1/namespaces/ns/secretstores/connect"
