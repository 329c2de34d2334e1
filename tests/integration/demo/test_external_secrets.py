# SPDX-License-Identifier: Apache-2.0
"""The External Secrets stand-in does what was measured on the real one."""

import asyncio
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from integration.demo.world import (
    NAMESPACE,
    SECRET,
    World,
    external_secret,
    named,
    on_loop,
    secret_store,
    until,
    world,
)
from lokeys.demo.parts import eso_rules as rules
from lokeys.demo.parts.connect import ConnectFault
from lokeys.demo.parts.kube_kinds import Json
from lokeys.demo.parts.kube_views import at, condition

QUIET_S = 0.3  # ten times what a sync takes


def value(cluster: World, key: str = "AWS_ACCESS_KEY_ID") -> str:
    found = cluster.find("Secret", SECRET) or {}
    return b64decode(at(found, f"data.{key}", "")).decode()


def ready(cluster: World, kind: str = "ExternalSecret", name: str = SECRET) -> tuple[str, str]:
    found = condition(cluster.find(kind, name) or {}, "Ready")
    return found.get("status", ""), found.get("reason", "")


def events(cluster: World, reason: str = "UpdateFailed") -> list[str]:
    found = cluster.api.store.select("Event", NAMESPACE)
    return [one["message"] for one in found if one["reason"] == reason]


async def synced(cluster: World) -> None:
    """Wait until the ExternalSecret of the story is synced in its present form."""

    def done() -> bool:
        found = cluster.find("ExternalSecret", SECRET) or {}
        version = at(found, "status.syncedResourceVersion", "")
        return ready(cluster)[0] == "True" and version == rules.synced_version(found)

    await until(done)


async def begin(cluster: World, *, target: Json | None = None, **spec: Any) -> None:
    """Run the operator on a store that is valid, with the ExternalSecret of the story."""
    await cluster.run_external_secrets()
    await until(lambda: ready(cluster, "SecretStore", "onepassword") == ("True", "Valid"))
    if target is not None:
        spec["target"] = target
    cluster.api.add(external_secret(**spec))


def edit(cluster: World, access_key: str = "NEWKEY") -> None:
    cluster.connect.edit(cluster.vault, cluster.item, access_key=access_key)


def annotate(cluster: World, kind: str = "ExternalSecret", name: str = SECRET) -> None:
    note = {"metadata": {"annotations": {"force-sync": "1"}}}
    cluster.api.store.merge(cluster.get(kind, name), note)


def force(cluster: World) -> None:
    annotate(cluster)


@on_loop
async def test_a_sync_as_it_looks_from_outside(tmp_path: Path) -> None:
    """Four calls a key; marks and owner on the Secret; version and whole seconds in status."""
    async with world(tmp_path) as cluster:
        await begin(cluster)
        await until(lambda: ready(cluster, "SecretStore", "onepassword")[0])
        cluster.connect.served.clear()
        force(cluster)
        await synced(cluster)
        assert len(cluster.connect.served) == 8
        external, secret = cluster.get("ExternalSecret", SECRET), cluster.get("Secret", SECRET)
        assert external["spec"]["refreshInterval"] == "1h0m0s"
        assert external["metadata"]["generation"] == 2
        assert external["status"]["syncedResourceVersion"].startswith("2-")
        assert len(external["status"]["refreshTime"]) == len("2026-11-23T06:00:00Z")
        assert secret["metadata"]["labels"][rules.MANAGED] == "true"
        assert secret["metadata"]["annotations"]["force-sync"] == "1"
        assert secret["metadata"]["ownerReferences"][0]["uid"] == external["metadata"]["uid"]
        assert value(cluster, "AWS_SECRET_ACCESS_KEY") == cluster.secret


@on_loop
async def test_the_interval_reads_again(tmp_path: Path) -> None:
    """A short interval brings a change of the vault without anybody's doing."""
    async with world(tmp_path) as cluster:
        await begin(cluster, refreshInterval="1s")
        await synced(cluster)
        edit(cluster)
        await until(lambda: value(cluster) == "NEWKEY")


@pytest.mark.parametrize("whole", [False, True], ids=["two-reads", "extract"])
@on_loop
async def test_a_torn_read(tmp_path: Path, whole: bool) -> None:
    """A vault edited between two reads gives half a pair, unless the item is read whole."""
    async with world(tmp_path) as cluster:

        async def swap() -> None:
            cluster.connect.edit(
                cluster.vault, cluster.item, access_key="NEWKEY", secret_key="NEWSECRET"
            )

        await cluster.run_external_secrets(gap=swap)
        await until(lambda: ready(cluster, "SecretStore", "onepassword")[0] == "True")
        extract: Json = {"data": None, "dataFrom": [{"extract": {"key": "loki-s3"}}]}
        cluster.api.add(external_secret(**(extract if whole else {})))
        await synced(cluster)
        if whole:
            assert value(cluster, "access_key") == cluster.key_id
            assert value(cluster, "secret_key") == cluster.secret
        else:
            assert value(cluster) == cluster.key_id
            assert value(cluster, "AWS_SECRET_ACCESS_KEY") == "NEWSECRET"


FIRST = "error processing spec.data[0] (key: loki-s3), err: "


@on_loop
async def test_no_answer_is_a_failure_that_is_told(tmp_path: Path) -> None:
    """The connection closes before anything is said: the event names the request."""
    async with world(tmp_path) as cluster:
        await begin(cluster)
        await synced(cluster)
        cluster.connect.fault = ConnectFault.CLOSE
        force(cluster)
        await until(lambda: ready(cluster) == ("False", "SecretSyncedError"))
        await until(lambda: events(cluster))
        assert events(cluster)[0].startswith(f"{FIRST}error finding 1Password Vault: Get ")
        assert value(cluster) == cluster.key_id


@on_loop
async def test_a_failure_is_tried_again_until_it_is_mended(tmp_path: Path) -> None:
    """Without anybody's doing the sync succeeds soon after Connect is back."""
    async with world(tmp_path) as cluster:
        cluster.connect.fault = ConnectFault.ERROR_500
        cluster.api.add(external_secret())
        await cluster.run_external_secrets()
        refused = ("False", "InvalidProviderConfig")
        await until(lambda: ready(cluster, "SecretStore", "onepassword") == refused)
        await until(lambda: ready(cluster)[0] == "False")
        cluster.connect.fault = None
        annotate(cluster, "SecretStore", "onepassword")
        await synced(cluster)


@pytest.mark.parametrize("present", [True, False], ids=["not-ready", "missing"])
@on_loop
async def test_a_store_that_is_no_help(tmp_path: Path, present: bool) -> None:
    """A store that is not ready, or not there, is named in the event."""
    async with world(tmp_path) as cluster:
        if present:
            store = secret_store("http://127.0.0.1:9")
            cluster.api.add(store | {"metadata": store["metadata"] | {"name": "other"}})
        cluster.api.add(external_secret(secretStoreRef={"name": "other"}))
        await cluster.run_external_secrets()
        await until(lambda: events(cluster))
        text = (
            'SecretStore "other" is not ready' if present else 'could not get SecretStore "other"'
        )
        assert events(cluster)[0].startswith(FIRST + text)


@pytest.mark.parametrize("policy", ["Owner", "Orphan", "Merge"])
@on_loop
async def test_a_second_claim_on_one_target(tmp_path: Path, policy: str) -> None:
    """The second ExternalSecret fails by name, and takes over when the first goes."""
    async with world(tmp_path) as cluster:
        await begin(cluster)
        await synced(cluster)
        target = {"name": SECRET, "creationPolicy": policy}
        cluster.api.add(external_secret("second", target=target))
        await until(lambda: ready(cluster, name="second")[0] == "False")
        second = condition(cluster.get("ExternalSecret", "second"), "Ready")
        assert second["message"] == "target is owned by another ExternalSecret"
        cluster.api.store.delete(cluster.get("ExternalSecret", SECRET))
        await until(lambda: ready(cluster, name="second")[0] == "True")


@on_loop
async def test_merge_without_a_target_is_ready_and_missing(tmp_path: Path) -> None:
    """CreationPolicy Merge says Ready though there is no Secret; with one it adds its keys."""
    async with world(tmp_path) as cluster:
        await begin(cluster, target={"creationPolicy": "Merge"})
        await until(lambda: ready(cluster) == ("True", "SecretMissing"))
        cluster.api.add(named("Secret", SECRET, stringData={"mine": "1"}))
        force(cluster)
        await until(lambda: value(cluster) == cluster.key_id)
        assert value(cluster, "mine") == "1"


@on_loop
async def test_hand_edits_are_reverted_while_it_sees_the_secret(tmp_path: Path) -> None:
    """Edited data comes back afresh; without the managed label nobody looks."""
    async with world(tmp_path) as cluster:
        await begin(cluster)
        await synced(cluster)
        cluster.api.store.merge(
            cluster.get("Secret", SECRET), {"data": {"AWS_ACCESS_KEY_ID": "eA=="}}
        )
        await until(lambda: value(cluster) == cluster.key_id)
        await asyncio.sleep(QUIET_S)  # it looks once more at what it wrote itself
        blind = {
            "metadata": {"labels": {rules.MANAGED: None}},
            "data": {"AWS_ACCESS_KEY_ID": "eA=="},
        }
        cluster.api.store.merge(cluster.get("Secret", SECRET), blind)
        await asyncio.sleep(QUIET_S)
        assert value(cluster) == "x"


@on_loop
async def test_one_unreadable_interval_stops_everybody(tmp_path: Path) -> None:
    """`1d` in one ExternalSecret stops all others until that one is gone."""
    async with world(tmp_path) as cluster:
        await begin(cluster)
        await synced(cluster)
        cluster.api.add(external_secret("days", refreshInterval="1d"))
        edit(cluster)
        await asyncio.sleep(QUIET_S)
        force(cluster)
        await asyncio.sleep(QUIET_S)
        assert value(cluster) == cluster.key_id
        cluster.api.store.delete(cluster.get("ExternalSecret", "days"))
        await until(lambda: value(cluster) == "NEWKEY")


@on_loop
async def test_a_hanging_connect_stops_everybody_in_silence(tmp_path: Path) -> None:
    """One worker, no timeout: no condition, no event, until Connect answers again."""
    async with world(tmp_path) as cluster:
        await begin(cluster)
        await synced(cluster)
        cluster.connect.fault = ConnectFault.HANG
        before = cluster.get("ExternalSecret", SECRET)["status"]
        force(cluster)
        await asyncio.sleep(QUIET_S)
        assert cluster.get("ExternalSecret", SECRET)["status"] == before
        assert events(cluster) == []


@on_loop
async def test_it_outlives_a_restart_of_the_api_server(tmp_path: Path) -> None:
    """After dropped watches, a restart and expired versions it sees changes again."""
    async with world(tmp_path) as cluster:
        await begin(cluster)
        await synced(cluster)
        await cluster.api.restart(down_s=0.1, forget=True)
        edit(cluster)
        force(cluster)
        await until(lambda: value(cluster) == "NEWKEY")
