# SPDX-License-Identifier: Apache-2.0
"""The API server stand-in over HTTP: watches, forms, faults, evictions, logs."""

import json
import subprocess
from asyncio import to_thread
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx2
import pytest

from integration.demo.world import NAMESPACE, World, budget, named, on_loop, until, world
from lokeys.demo.parts.kube_faults import ApiFault
from lokeys.demo.parts.kube_kinds import Json
from lokeys.demo.parts.loki_log import LogRow
from parts.build import program
from parts.plugin import need, not_built

ROOT = f"/api/v1/namespaces/{NAMESPACE}"
SECRETS = f"{ROOT}/secrets"
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


def secret(name: str, **data: str) -> Json:
    return named("Secret", name, stringData=data)


async def watch(cluster: World, path: str, **params: Any) -> AsyncGenerator[Json, None]:
    """Yield the events of a watch until the server ends it."""
    async with cluster.http.stream(
        "GET", f"{cluster.api.url}{path}", params={"watch": "1", **params}, timeout=5
    ) as answer:
        async for line in answer.aiter_lines():
            yield json.loads(line)


def about(event: Json) -> tuple[str, str]:
    return event["type"], event["object"]["metadata"].get("name", "")


@on_loop
async def test_a_watch_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    """A watch from a resourceVersion tells everything since, and nothing twice."""
    async with world(tmp_path) as cluster:
        cluster.api.add(secret("a"))
        _, listing = await cluster.call("GET", SECRETS)
        revision = listing["metadata"]["resourceVersion"]
        seen = []
        async with aclosing(watch(cluster, SECRETS, resourceVersion=revision)) as events:
            cluster.api.add(secret("b"))
            first = await anext(events)
            seen.append(about(first))
        cluster.api.add(secret("c"))
        cluster.api.store.delete(cluster.get("Secret", "a"))
        since = first["object"]["metadata"]["resourceVersion"]
        async with aclosing(watch(cluster, SECRETS, resourceVersion=since)) as events:
            seen += [about(await anext(events)), about(await anext(events))]
        assert seen == [("ADDED", "b"), ("ADDED", "c"), ("DELETED", "a")]


@on_loop
async def test_a_watch_ends_after_its_time_with_bookmarks(tmp_path: Path) -> None:
    """A quiet watch sends bookmarks with the present resourceVersion, and ends by itself."""
    async with world(tmp_path) as cluster:
        params = {"allowWatchBookmarks": "true", "timeoutSeconds": "1"}
        revision = str(cluster.api.store.revision)
        events = watch(cluster, SECRETS, resourceVersion=revision, **params)
        marks = [event async for event in events]
        assert {event["type"] for event in marks} == {"BOOKMARK"}
        assert marks[-1]["object"]["metadata"]["resourceVersion"] == revision


@on_loop
async def test_a_watch_from_forgotten_times_is_expired(tmp_path: Path) -> None:
    """A too old resourceVersion gets one ERROR event: a Status 410 Expired."""
    async with world(tmp_path) as cluster:
        old = cluster.api.store.revision
        cluster.api.store.forget_history()
        events = [event async for event in watch(cluster, SECRETS, resourceVersion=old)]
        assert [(event["type"], event["object"]["code"]) for event in events] == [("ERROR", 410)]


@on_loop
async def test_watches_break_off_on_demand_and_with_a_restart(tmp_path: Path) -> None:
    """A dropped watch ends without a last word; the same port serves again after a restart."""
    async with world(tmp_path) as cluster:
        url = cluster.api.url
        for drop in (cluster.api.drop_watches, cluster.api.restart):
            events = watch(cluster, SECRETS)
            await anext(events)
            if done := drop():
                await done
            with pytest.raises(httpx2.TransportError):
                [event async for event in events]
        assert (await cluster.call("GET", SECRETS))[0] == 200
        assert cluster.api.url == url


@on_loop
async def test_a_watch_of_one_name_or_label_sees_objects_come_and_go(tmp_path: Path) -> None:
    """An object that no longer matches the selector is DELETED for its watcher."""
    async with world(tmp_path) as cluster:
        cluster.api.add(named("Secret", "a", metadata={"labels": {"x": "1"}}))
        async with aclosing(watch(cluster, SECRETS, labelSelector="x in (1,2)")) as events:
            seen = [about(await anext(events))]
            found = cluster.get("Secret", "a")
            cluster.api.store.merge(found, {"metadata": {"labels": {"x": "3"}}})
            seen.append(about(await anext(events)))
        assert seen == [("ADDED", "a"), ("DELETED", "a")]
        _, named_a = await cluster.call("GET", f"{SECRETS}?fieldSelector=metadata.name%3Da")
        assert [item["metadata"]["name"] for item in named_a["items"]] == ["a"]


@on_loop
async def test_metadata_alone_is_served_when_asked_for(tmp_path: Path) -> None:
    """Get, list and watch as PartialObjectMetadata carry no data at all."""
    async with world(tmp_path) as cluster:
        cluster.api.add(secret("a", password="canary"))
        _, one = await cluster.call("GET", f"{SECRETS}/a", accept=METADATA)
        _, many = await cluster.call(
            "GET", SECRETS, accept=METADATA.replace("data;g", "dataList;g")
        )
        assert one["kind"] == "PartialObjectMetadata"
        assert many["kind"] == "PartialObjectMetadataList"
        assert "data" not in one
        assert all(set(item) == {"kind", "apiVersion", "metadata"} for item in many["items"])


@on_loop
async def test_a_long_list_comes_in_pages(tmp_path: Path) -> None:
    """`limit` and `continue` give every object once; a forgotten page is 410."""
    async with world(tmp_path) as cluster:
        cluster.api.add(*(secret(f"s{number}") for number in range(5)))
        names, token = [], ""
        while True:
            _, page = await cluster.call("GET", f"{SECRETS}?limit=2&continue={token}")
            names += [item["metadata"]["name"] for item in page["items"]]
            token = page["metadata"].get("continue", "")
            if not token:
                break
            last = token
        assert names == ["connect-token", *(f"s{number}" for number in range(5))]
        cluster.api.store.forget_history()
        status, _ = await cluster.call("GET", f"{SECRETS}?limit=2&continue={last}")
        assert status == 410


@on_loop
async def test_server_side_apply_over_http(tmp_path: Path) -> None:
    """Apply creates, keeps its fields under its manager's name, and conflicts with others."""
    async with world(tmp_path) as cluster:
        path = f"{ROOT}/configmaps/a?fieldManager=lokeys"
        body = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"k": "1"}}
        _, made = await cluster.call("PATCH", path, body, content_type=APPLY)
        assert [
            (one["manager"], one["operation"]) for one in made["metadata"]["managedFields"]
        ] == [("lokeys", "Apply")]
        foreign = {"data": {"k": "2"}}
        await cluster.call("PATCH", f"{ROOT}/configmaps/a", foreign, content_type=MERGE)
        refused, _ = await cluster.call("PATCH", path, body, content_type=APPLY)
        forced, after = await cluster.call("PATCH", f"{path}&force=true", body, content_type=APPLY)
        assert (refused, forced, after["data"]) == (409, 200, {"k": "1"})


@on_loop
async def test_an_eviction_refused_by_a_budget(tmp_path: Path) -> None:
    """The answer is Kubernetes' own: 429, TooManyRequests, cause DisruptionBudget."""
    async with world(tmp_path) as cluster:
        ready = {"type": "Ready", "status": "True"}
        cluster.api.add(
            budget(minAvailable=1),
            named(
                "Pod",
                "loki-0",
                metadata={"labels": {"app": "loki"}},
                spec={"containers": [], "nodeName": "elsewhere"},
                status={"phase": "Running", "conditions": [ready]},
            ),
        )
        eviction = named("Eviction", "loki-0", api="policy/v1")
        path = f"{ROOT}/pods/loki-0/eviction"
        status, answer = await cluster.call("POST", path, eviction)
        cause = answer["details"]["causes"][0]
        assert (status, answer["reason"], cause["reason"]) == (
            429,
            "TooManyRequests",
            "DisruptionBudget",
        )
        cluster.api.store.merge(
            cluster.get("PodDisruptionBudget", "loki"), {"spec": {"minAvailable": 0}}
        )
        assert (await cluster.call("POST", path, eviction))[0] == 201
        assert "deletionTimestamp" in cluster.get("Pod", "loki-0")["metadata"]


@on_loop
async def test_faults_are_played_as_often_as_asked(tmp_path: Path) -> None:
    """A 429 carries Retry-After, a lost answer leaves its work done, a lasting 403 denies."""
    async with world(tmp_path) as cluster:
        cluster.api.faults.add(
            ApiFault(when=lambda seen: seen.verb == "list", code=429, retry_after_s=3)
        )
        answer = await cluster.http.get(f"{cluster.api.url}{SECRETS}")
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
        assert (await cluster.call("GET", SECRETS))[0] == 200
        cluster.api.faults.add(ApiFault(when=lambda seen: seen.writes, lose_answer=True))
        with pytest.raises(httpx2.TransportError):
            await cluster.call("POST", SECRETS, secret("a"))
        assert cluster.find("Secret", "a")
        cluster.api.faults.add(
            ApiFault(when=lambda seen: seen.resource == "secrets", code=403, times=None)
        )
        status, refused = await cluster.call("GET", f"{SECRETS}/a")
        assert (status, refused["reason"]) == (403, "Forbidden")
        attributes = {"verb": "get", "resource": "secrets", "namespace": NAMESPACE}
        review = {"spec": {"resourceAttributes": attributes}}
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        assert (await cluster.call("POST", path, review))[1]["status"] == {"allowed": False}


@on_loop
async def test_every_request_is_on_record(tmp_path: Path) -> None:
    """Requests are noted in Kubernetes' words, with their user agent."""
    async with world(tmp_path) as cluster:
        await cluster.call("GET", f"{SECRETS}/none", user_agent="me/1")
        await cluster.call("DELETE", f"{SECRETS}/none", user_agent="me/1")
        seen = [(one.verb, one.resource) for one in cluster.api.seen if one.agent == "me/1"]
        assert seen == [("get", "secrets"), ("delete", "secrets")]


@on_loop
async def test_an_event_has_two_spellings(tmp_path: Path) -> None:
    """What is posted to events.k8s.io is read from core v1, and found by what it is about."""
    async with world(tmp_path) as cluster:
        group = f"/apis/events.k8s.io/v1/namespaces/{NAMESPACE}/events"
        event = {
            "metadata": {"name": "a"},
            "note": "key is dead",
            "regarding": {"kind": "Secret", "name": "s"},
        }
        status, answer = await cluster.call("POST", group, event)
        selector = "fieldSelector=involvedObject.name%3Ds"
        _, core = await cluster.call("GET", f"{ROOT}/events?{selector}")
        assert (status, answer["apiVersion"]) == (201, "events.k8s.io/v1")
        assert core["items"][0]["message"] == "key is dead"
        assert core["items"][0]["involvedObject"]["name"] == "s"


@on_loop
async def test_the_log_of_a_pod(tmp_path: Path) -> None:
    """A container's log comes with its tail, its stamps and its start, or a 400 by name."""
    async with world(tmp_path) as cluster:
        now = cluster.api.store.clock()
        rows = [LogRow(now, f"line {number}") for number in range(3)]
        cluster.api.logs = lambda _pod, _container, previous: None if previous else rows
        cluster.api.add(named("Pod", "p", spec={"containers": [{"name": "loki"}]}))
        path = f"{cluster.api.url}{ROOT}/pods/p/log?container=loki"
        tail = await cluster.http.get(f"{path}&tailLines=2&sinceSeconds=60")
        stamped = await cluster.http.get(f"{path}&timestamps=true&limitBytes=10")
        assert tail.text == "line 1\nline 2\n"
        assert stamped.text == f"{now:%Y-%m-%d}"
        assert (await cluster.http.get(f"{path}&previous=true")).status_code == 400


@on_loop
async def test_a_token_is_asked_for_where_one_is_set(tmp_path: Path) -> None:
    """Without the token the answer is 401; a kubeconfig carries it."""
    async with world(tmp_path) as cluster:
        cluster.api.token = "t0ken"
        assert (await cluster.call("GET", SECRETS))[0] == 401
        assert (await cluster.call("GET", SECRETS, authorization="Bearer t0ken"))[0] == 200
        assert "t0ken" in cluster.api.write_kubeconfig(tmp_path / "config").read_text()


@on_loop
async def test_kubectl_reads_what_is_there(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """A plain `kubectl get` draws its table, and prints objects as YAML."""
    need(pytestconfig, "kubernetes", not_built("kubernetes", "kubectl"))
    async with world(tmp_path) as cluster:
        config = cluster.api.write_kubeconfig(tmp_path / "config", namespace=NAMESPACE)
        route = named("StorageCredential", "loki", api="lokeys.dev/v1alpha1", spec={"mode": "Heal"})
        cluster.api.add(route)
        command = [
            str(program("kubernetes", "kubectl")),
            "--kubeconfig",
            str(config),
            f"--cache-dir={tmp_path}",
            "get",
        ]

        async def kubectl(*words: str) -> str:
            done = await to_thread(
                subprocess.run, [*command, *words], capture_output=True, text=True, timeout=20
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        table = await kubectl("scred")
        assert table.split()[:6] == ["NAME", "MODE", "READY", "REASON", "AGE", "loki"]
        assert "mode: Heal" in await kubectl("scred", "loki", "-o", "yaml")
        await until(lambda: any(one.resource == "storagecredentials" for one in cluster.api.seen))
