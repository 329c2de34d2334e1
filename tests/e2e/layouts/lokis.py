# SPDX-License-Identifier: Apache-2.0
"""Lokis as charts render them, piece by piece: what differs is said, the rest is usual."""

from typing import Any

Json = dict[str, Any]
ENDPOINT = "http://rook-ceph-rgw-lake.rook-ceph.svc:80"
PATH = "/etc/loki/config/config.yaml"
NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
S3 = {
    "endpoint": ENDPOINT,
    "bucketnames": "logs",
    "s3forcepathstyle": "true",
    "access_key_id": "${AWS_ACCESS_KEY_ID}",
    "secret_access_key": "${AWS_SECRET_ACCESS_KEY}",
}


def placed(api: str, kind: str, name: str, namespace: str = "monitoring", **more: Any) -> Json:
    """Return an object; `metadata` is merged."""
    metadata = {"name": name, "namespace": namespace} | more.pop("metadata", {})
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **more}


def secret(name: str, namespace: str = "monitoring", **values: str) -> Json:
    """Return a Secret."""
    return placed("v1", "Secret", name, namespace, stringData=values)


def user(name: str, key_id: str, key: str) -> tuple[Json, Json]:
    """Return a CephObjectStoreUser of the store `lake`, and Rook's Secret for it."""
    spec = {"store": "lake", "displayName": name}
    values = {"AccessKey": key_id, "SecretKey": key, "Endpoint": ENDPOINT}
    made = secret(f"rook-ceph-object-user-lake-{name}", "rook-ceph", **values)
    return placed("ceph.rook.io/v1", "CephObjectStoreUser", name, "rook-ceph", spec=spec), made


def common(**changes: str | None) -> str:
    """Return the configuration that the chart renders, with changes to its S3 section.

    It is written as it stands: what stands bare stays bare.
    """
    fields = {name: value for name, value in (S3 | changes).items() if value is not None}
    lines = "".join(f"      {name}: {value}\n" for name, value in fields.items())
    return f"common:\n  storage:\n    s3:\n{lines}"


def config(text: str, name: str = "loki") -> Json:
    """Return the ConfigMap with Loki's configuration."""
    return placed("v1", "ConfigMap", name, data={"config.yaml": text})


def component(
    name: str = "loki",
    *args: str,
    kind: str = "StatefulSet",
    of: str | None = "loki-s3",
    volume: Json | None = None,
    metadata: Json | None = None,
    **pod: Any,
) -> Json:
    """Return a component with these arguments, all keys of Secret `of` being its variables."""
    container = {
        "name": "loki",
        "image": pod.pop("image", "docker.io/grafana/loki:3.6.3"),
        "args": [f"-config.file={PATH}", *(args or ("-config.expand-env=true",))],
        "ports": [{"name": "http-metrics", "containerPort": 3100}],
        "volumeMounts": [{"name": "config", "mountPath": "/etc/loki/config"}],
        "env": pod.pop("env", []),
        "envFrom": [{"secretRef": {"name": of}}] if of else [],
    }
    files = {"name": "config"} | (volume or {"configMap": {"name": "loki"}})
    labels = {"app": name}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [container], "volumes": [files], **pod},
    }
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    if kind == "StatefulSet":
        spec["serviceName"] = name
    return placed("apps/v1", kind, name, spec=spec, metadata=metadata or {})
