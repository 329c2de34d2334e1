# SPDX-License-Identifier: Apache-2.0
"""The objects of the demo's homelab: Rook's user, the delivery, Loki, and the route over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lokeys.demo.parts.kube_kinds import Json

STORAGE, MONITORING = "storage", "monitoring"
USER, STORE, BUCKET = "loki", "objects", "loki-chunks"
VAULT, ITEM = "homelab", "loki-s3-config"
SECRET = "loki-s3-credentials"
GENERATED = f"rook-ceph-object-user-{STORE}-{USER}"
TOKEN = "onepassword-token"
ADMIN = "rgw-admin"
ROUTE = LOKI = "loki"
POD = f"{LOKI}-0"
GRACE_S = 300
LABELS_OF_KEYS = {"AWS_ACCESS_KEY_ID": "access_key", "AWS_SECRET_ACCESS_KEY": "secret_key"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the homelab's parts listen."""

    store: str
    connect: str
    loki_port: int


def rook_objects() -> tuple[Json, ...]:
    """Return what Rook works on: a cluster, an object store and Loki's user in it."""
    allowed = {"lokeys.dev/allowed-namespaces": MONITORING}
    api = "ceph.rook.io/v1"
    return (
        _object(api, "CephCluster", "ceph", STORAGE, spec={"dataDirHostPath": "/var/lib/rook"}),
        _object(api, "CephObjectStore", STORE, STORAGE, spec={"gateway": {"port": 80}}),
        _object(
            api,
            "CephObjectStoreUser",
            USER,
            STORAGE,
            annotations=allowed,
            spec={"store": STORE, "displayName": "Loki"},
        ),
    )


def delivery(places: Places, *, token: str) -> tuple[Json, ...]:
    """Return what makes a Secret of the vault's item."""
    reference = {"connectTokenSecretRef": {"name": TOKEN, "key": "token"}}
    provider = {
        "connectHost": places.connect,
        "vaults": {VAULT: 1},
        "auth": {"secretRef": reference},
    }
    data = [
        {"secretKey": key, "remoteRef": {"key": ITEM, "property": label}}
        for key, label in LABELS_OF_KEYS.items()
    ]
    spec = {
        "refreshInterval": "1h",
        "secretStoreRef": {"name": "onepassword", "kind": "SecretStore"},
        "target": {"name": SECRET},
        "data": data,
    }
    api = "external-secrets.io/v1"
    store_spec = {"provider": {"onepassword": provider}}
    return (
        _object("v1", "Secret", TOKEN, MONITORING, stringData={"token": token}),
        _object(api, "SecretStore", "onepassword", MONITORING, spec=store_spec),
        _object(api, "ExternalSecret", SECRET, MONITORING, spec=spec),
    )


def loki(places: Places) -> Json:
    """Return Loki as its chart makes it: two containers, its WAL on a volume, a long grace."""
    env = [
        {"name": key, "valueFrom": {"secretKeyRef": {"name": SECRET, "key": key}}}
        for key in LABELS_OF_KEYS
    ]
    containers = [
        {
            "name": "loki",
            "image": "grafana/loki:3.7.8",
            "env": env,
            "ports": [{"name": "http-metrics", "containerPort": places.loki_port}],
            "volumeMounts": [{"name": "storage", "mountPath": "/var/loki"}],
        },
        {"name": "loki-sc-rules", "image": "kiwigrid/k8s-sidecar:1.30"},
    ]
    labels = {"app.kubernetes.io/name": "loki"}
    pod = {"containers": containers, "terminationGracePeriodSeconds": GRACE_S}
    spec = {
        "replicas": 1,
        "serviceName": "loki-headless",
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
        "volumeClaimTemplates": [{"metadata": {"name": "storage"}, "spec": {}}],
    }
    return _object("apps/v1", "StatefulSet", LOKI, MONITORING, spec=spec)


def route(places: Places) -> Json:
    """Return the StorageCredential: how lokeys knows about all this."""
    connect = {"url": places.connect, "tokenSecretRef": {"name": TOKEN, "key": "token"}}
    admin = {"endpoint": places.store, "secretRef": {"name": ADMIN}}
    spec = {
        "mode": "Observe",
        "source": {
            "rook": {"user": USER, "namespace": STORAGE, "refresh": True, "admin": admin},
        },
        "vault": {"onePassword": {"connect": connect, "vault": VAULT, "item": ITEM}},
        "secret": {"name": SECRET, "externalSecret": {"name": SECRET}},
        "bucket": {"name": BUCKET, "endpoint": places.store},
        "workloads": [
            {"kind": "StatefulSet", "name": LOKI, "metrics": {"port": places.loki_port}},
        ],
        "prove": "Flush",
    }
    return _object("lokeys.dev/v1alpha1", "StorageCredential", ROUTE, MONITORING, spec=spec)


def admin_secret(key_id: str, secret: str) -> Json:
    """Return the Secret with which lokeys may look at RGW's own list of keys."""
    values = {"accessKey": key_id, "secretKey": secret}
    return _object("v1", "Secret", ADMIN, MONITORING, stringData=values)


def _object(
    api: str,
    kind: str,
    name: str,
    namespace: str,
    *,
    annotations: dict[str, str] | None = None,
    **body: Any,
) -> Json:
    metadata: Json = {"name": name, "namespace": namespace}
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **body}
