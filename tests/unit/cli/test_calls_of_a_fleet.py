# SPDX-License-Identifier: Apache-2.0
"""`doctor -A` on 500 namespaces: how many calls it makes, and which Secrets it reads."""

import asyncio
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from fakes.ports import NOON, FakeObjects
from lokeys.adapters.bundles.answers import KeptAnswers
from lokeys.adapters.bundles.recording import Recorder
from lokeys.cli.bundled import BundleContents, opened_contents
from lokeys.cli.examining import examined
from lokeys.cli.options import Options
from lokeys.core.place import Ref
from lokeys.errors import NotFound
from lokeys.kube.selectors import matches

NAMESPACES = 500
ONCE = 8
"""Calls that a look makes once, however large the cluster is; docs/reference/benchmarks.md."""
OF_A_ROUTE = 8
"""Calls for each route of the kind that is made here: one workload, a Secret, no delivery."""


class Counted(FakeObjects):
    """Counts what is asked."""

    def __init__(self, *objects: Mapping[str, Any]) -> None:
        super().__init__(*objects)
        self.calls: Counter[str] = Counter()
        self.secrets: set[str] = set()

    async def get(self, ref: Ref) -> Any:
        """Return the object."""
        self.calls[f"get {ref.kind}"] += 1
        if ref.kind == "Secret":
            self.secrets.add(f"{ref.namespace}/{ref.name}")
        for each in await super().list(ref.kind, namespace=ref.namespace):
            if each["metadata"]["name"] == ref.name:
                return each
        raise NotFound(f"{ref} does not exist")

    async def list(self, kind: str, *, namespace: str | None, labels: str | None = None) -> Any:
        """Return objects."""
        self.calls[f"list {kind}"] += 1
        found = await super().list(kind, namespace=namespace)
        return [each for each in found if matches(each, labels)]

    async def events(self, about: Ref, *, reason: str) -> Sequence[Mapping[str, Any]]:
        """Return none."""
        del about, reason
        self.calls["events"] += 1
        return []

    async def log(self, pod: Ref, *, container: str, lines: int, max_bytes: int) -> str:
        """Return nothing."""
        del pod, container, lines, max_bytes
        self.calls["log"] += 1
        return ""


def obj(api: str, kind: str, name: str, namespace: str, **rest: Any) -> dict[str, Any]:
    """Return an object."""
    metadata = {"name": name, "namespace": namespace, "uid": f"{kind}-{namespace}-{name}"}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **rest}


def namespace_of(number: int, *, with_loki: bool) -> list[dict[str, Any]]:
    """Return what one namespace holds: other things, and perhaps a Loki with its Secret."""
    place = f"team-{number}"
    key = b64encode(b"x" * 20).decode()
    web = {"containers": [{"name": "web", "image": "nginx"}]}
    found = [
        obj("apps/v1", "Deployment", "web", place, spec={"template": {"spec": web}}),
        obj("v1", "Secret", "web-secret", place, data={"password": key}),
    ]
    if with_loki:
        env = [
            {"name": name, "valueFrom": {"secretKeyRef": {"name": "loki-s3", "key": name}}}
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        ]
        loki = {
            "containers": [
                {
                    "name": "loki",
                    "image": "grafana/loki:3.5.0",
                    "args": [
                        "-common.storage.s3.endpoint=http://minio:9000",
                        "-common.storage.s3.buckets=loki",
                    ],
                    "env": env,
                }
            ]
        }
        labels = {"app": "loki"}
        template = {"metadata": {"labels": labels}, "spec": loki}
        selector = {"matchLabels": labels}
        spec = {"template": template, "selector": selector, "replicas": 1}
        pair = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": key}
        found += [
            obj("apps/v1", "StatefulSet", "loki", place, spec=spec),
            obj("v1", "Secret", "loki-s3", place, data=pair),
        ]
    return found


@pytest.mark.parametrize("lokis", [1, 20, NAMESPACES])
def test_calls_grow_with_routes_and_not_with_the_cluster(lokis: int) -> None:
    """Each kind is listed once; no Secret is read but those that a Loki names."""
    objects = [
        each
        for number in range(NAMESPACES)
        for each in namespace_of(number, with_loki=number < lokis)
    ]
    cluster = Counted(*objects)
    contents = BundleContents(
        objects=Recorder().objects(cluster),
        answers=KeptAnswers(at=NOON),
        namespace=None,
        probe="off",
    )

    async def look() -> int:
        async with opened_contents(Options(), contents) as opened:
            seen = await examined(opened.session, everywhere=True, probe="off")
            return len(seen.seen)

    assert asyncio.run(look()) == lokis
    assert sum(cluster.calls.values()) <= ONCE + OF_A_ROUTE * lokis, cluster.calls
    assert cluster.secrets == {f"team-{number}/loki-s3" for number in range(lokis)}
