# SPDX-License-Identifier: Apache-2.0
"""Calls to the real API server."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from integration.kube.connecting import config_map, connect, create_pod
from lokeys.errors import BadInput, Conflict, Forbidden, NotFound, Unreachable
from lokeys.kube.client import Api, EvictionBlocked, NoSuchKind
from lokeys.kube.events import EventWriter
from lokeys.kube.resources import (
    CONFIG_MAP,
    EVENT,
    POD,
    POD_DISRUPTION_BUDGET,
    SECRET,
    SELF_SUBJECT_ACCESS_REVIEW,
    Resource,
)
from parts.kubernetes import Kubernetes

UNKNOWN = Resource("nobody.test", "v1", "things", "Thing")
CANARY = "c4nary"


def test_an_object_lives_and_dies(kubernetes: Kubernetes, namespace: str) -> None:
    """Create, get, patch, apply, replace and delete do what they promise, with their refusals."""

    async def main(api: Api) -> None:
        made = await api.create(CONFIG_MAP, config_map("a", namespace, x="1"))
        with pytest.raises(Conflict):
            await api.create(CONFIG_MAP, config_map("a", namespace))
        await api.merge_patch(CONFIG_MAP, "a", {"data": {"x": None, "y": "2"}}, namespace=namespace)
        patch: list[dict[str, Any]] = [{"op": "test", "path": "/data/y", "value": "3"}]
        with pytest.raises(BadInput):
            await api.json_patch(CONFIG_MAP, "a", patch, namespace=namespace)
        with pytest.raises(Conflict):
            await api.replace(CONFIG_MAP, made)
        with pytest.raises(Conflict, match="conflict"):
            await api.apply(
                CONFIG_MAP, config_map("a", namespace, y="4"), field_manager="t", force=False
            )
        now = await api.apply(CONFIG_MAP, config_map("a", namespace, y="4"), field_manager="t")
        assert now["data"] == {"y": "4"}
        with pytest.raises(Conflict):
            await api.delete(CONFIG_MAP, "a", namespace=namespace, resource_version="1")
        await api.delete(CONFIG_MAP, "a", namespace=namespace, uid=made["metadata"]["uid"])
        with pytest.raises(NotFound, match=r"ConfigMap .*/a does not exist"):
            await api.get(CONFIG_MAP, "a", namespace=namespace)

    _run(kubernetes, main)


def test_lists_are_paged(kubernetes: Kubernetes, namespace: str) -> None:
    """A list of many pages comes whole; metadata alone carries no data."""

    async def main(api: Api) -> None:
        for number in range(25):
            await api.create(SECRET, _secret(f"s{number:02}", namespace))
        whole = await api.list(SECRET, namespace=namespace)
        bare = await api.list(SECRET, namespace=namespace, metadata_only=True)
        assert [_name(item) for item in whole.items] == [f"s{number:02}" for number in range(25)]
        assert [_name(item) for item in bare.items] == [_name(item) for item in whole.items]
        assert {item["kind"] for item in bare.items} == {"Secret"}
        assert all("data" in item for item in whole.items)
        assert not any("data" in item for item in bare.items)
        one = await api.list(SECRET, namespace=namespace, fields="metadata.name=s07")
        assert [_name(item) for item in one.items] == ["s07"]

    _run(kubernetes, main, page_items=10)


def test_refusals_of_secrets_quote_no_value(kubernetes: Kubernetes, namespace: str) -> None:
    """An invalid Secret is refused by its field, never by its value."""

    async def main(api: Api) -> None:
        broken = _secret("a", namespace) | {"data": {"k": f"not base64 {CANARY}"}}
        named = _secret("a", namespace) | {"stringData": {"b c": CANARY}}
        typed = _secret("a", namespace) | {"type": "kubernetes.io/tls"}
        for secret in (broken, named, typed):
            with pytest.raises(BadInput) as caught:
                await api.create(SECRET, secret)
            assert CANARY not in str(caught.value)
        assert "data[tls.crt]" in str(caught.value)

    _run(kubernetes, main)


def test_unknown_kinds_and_namespaces_are_told_apart(
    kubernetes: Kubernetes, namespace: str
) -> None:
    """A missing CRD, a missing namespace and a missing object are three sentences."""

    async def main(api: Api) -> None:
        with pytest.raises(NoSuchKind, match=r"knows no Thing of nobody\.test/v1"):
            await api.list(UNKNOWN, namespace=namespace)
        with pytest.raises(NotFound, match="namespace nowhere does not exist"):
            await api.create(CONFIG_MAP, config_map("a", "nowhere"))
        with pytest.raises(NotFound, match=r"Secret .*/gone does not exist"):
            await api.get(SECRET, "gone", namespace=namespace)

    _run(kubernetes, main)


def test_missing_rights_name_the_right(kubernetes: Kubernetes, namespace: str) -> None:
    """Who may not read hears which right is missing."""
    kubernetes.kubectl("create", "serviceaccount", "reader", "-n", namespace)
    kubeconfig = kubernetes.user_kubeconfig(namespace, "reader")

    async def main(api: Api) -> None:
        assert api.current_namespace == namespace
        with pytest.raises(Forbidden, match=r'cannot list resource "secrets"'):
            await api.list(SECRET, namespace=namespace)
        review = {
            "spec": {
                "resourceAttributes": {
                    "verb": "watch",
                    "resource": "secrets",
                    "namespace": namespace,
                }
            }
        }
        answer = await api.create(SELF_SUBJECT_ACCESS_REVIEW, review)
        assert answer["status"]["allowed"] is False
        assert json.loads(await api.raw_get("/version"))["major"] == "1"

    _run(kubernetes, main, kubeconfig=kubeconfig)


def test_budgets_block_evictions(kubernetes: Kubernetes, namespace: str) -> None:
    """A disruption budget's refusal is known as such and quotes the budget."""

    async def main(api: Api) -> None:
        await create_pod(api, namespace)
        ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        await api.merge_patch(
            POD, "p", {"status": ready}, namespace=namespace, subresource="status"
        )
        budget = {
            "metadata": {"name": "keep-p", "namespace": namespace},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "p"}}},
        }
        await api.create(POD_DISRUPTION_BUDGET, budget)
        with pytest.raises(EvictionBlocked, match="keep-p"):
            await api.evict("p", namespace=namespace)
        await api.delete(POD_DISRUPTION_BUDGET, "keep-p", namespace=namespace)
        await api.evict("p", namespace=namespace, grace_s=0)
        with pytest.raises(NotFound):
            await api.get(POD, "p", namespace=namespace)

    _run(kubernetes, main)


def test_events_are_accepted_and_not_repeated(kubernetes: Kubernetes, namespace: str) -> None:
    """The API server takes our events, and two writers say a thing once."""

    async def main(api: Api) -> None:
        about = await api.create(CONFIG_MAP, config_map("a", namespace))
        for _ in range(2):
            await EventWriter(api, instance="x/1").write(about, reason="Healed", message="m" * 3000)
        (event,) = (await api.list(EVENT, namespace=namespace)).items
        assert (event["reason"], len(event["message"])) == ("Healed", 1024)

    _run(kubernetes, main)


def test_exec_plugin_is_accepted(kubernetes: Kubernetes, tmp_path: Path) -> None:
    """A plugin of version v1 supplies the token for a real call."""
    config = yaml.safe_load(kubernetes.kubeconfig.read_text())
    token = config["users"][0]["user"].pop("token")
    status = {"token": token}
    answer = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": status,
    }
    (tmp_path / "answer").write_bytes(msgspec.json.encode(answer))
    config["users"][0]["user"]["exec"] = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": ["-c", f"print(open({str(tmp_path / 'answer')!r}).read())"],
        "interactiveMode": "Never",
    }
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(config))

    async def main(api: Api) -> None:
        assert (await api.list(SECRET, namespace="default")).resource_version

    _run(kubernetes, main, kubeconfig=path)


def test_unreachable_servers_say_why(kubernetes: Kubernetes, tmp_path: Path) -> None:
    """A dead port and an unknown authority are told apart, with the server's name."""
    text = kubernetes.kubeconfig.read_text()
    config = yaml.safe_load(text)
    cluster = config["clusters"][0]["cluster"]

    def variant(name: str, **change: Any) -> Path:
        cluster_now = {key: value for key, value in (cluster | change).items() if value}
        config["clusters"][0]["cluster"] = cluster_now
        (tmp_path / name).write_text(yaml.safe_dump(config))
        return tmp_path / name

    dead = variant("dead", server="https://127.0.0.1:1")
    distrusted = variant("distrusted", **dict.fromkeys(_AUTHORITY))
    misnamed = variant("misnamed", **{"tls-server-name": "elsewhere.test"})
    expected = {
        dead: "https://127.0.0.1:1: connection refused",
        distrusted: "its certificate is not trusted: ",
        misnamed: "not valid for 'elsewhere.test'",
    }
    for path, words in expected.items():

        async def main(api: Api, words: str = words) -> None:
            with pytest.raises(Unreachable) as caught:
                await api.list(SECRET)
            assert words in str(caught.value)

        _run(kubernetes, main, kubeconfig=path)


_AUTHORITY = ("certificate-authority", "certificate-authority-data")


def test_silent_server_is_given_up(kubernetes: Kubernetes) -> None:
    """A server that stopped answering costs no more than the call's time."""

    async def main(api: Api) -> None:
        await api.raw_get("/version")
        kubernetes.pause_api_server()
        try:
            started = asyncio.get_running_loop().time()
            with pytest.raises(Unreachable, match="timed out"):
                await api.list(SECRET)
            assert asyncio.get_running_loop().time() - started < 3
        finally:
            kubernetes.resume_api_server()

    _run(kubernetes, main, call_s=1.0)


def _secret(name: str, namespace: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace}, "stringData": {"k": CANARY}}


def _name(obj: dict[str, Any]) -> str:
    name: str = obj["metadata"]["name"]
    return name


def _run(kubernetes: Kubernetes, main: Any, **how: Any) -> None:
    async def connected() -> None:
        async with connect(kubernetes, **how) as api:
            await main(api)

    asyncio.run(connected())
