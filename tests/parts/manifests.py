# SPDX-License-Identifier: Apache-2.0
"""The objects of a single-binary Loki as people run it, for the real binary on `parts.kubelet`."""

import dataclasses
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]

PORT = 3100
RELAY = Path(__file__).with_name("relay.py")


def gateway(namespace: str, name: str, *, port: int, target: str) -> list[Json]:
    """Return a pod and its Service NAME, through which the cluster reaches a part on this host.

    `target` is HOST:PORT as pods reach it, from `Kubelet.relay`.
    """
    labels = {"app": name}
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    container = {
        "name": "relay",
        "image": "relay",
        "command": [sys.executable, str(RELAY), str(port), target],
        "ports": [{"name": "http", "containerPort": port}],
        "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 1},
    }
    pod = {"containers": [container], "terminationGracePeriodSeconds": 1}
    service = {"selector": labels, "ports": [{"name": "http", "port": port}]}
    return [
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod},
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service},
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loki:
    """A StatefulSet `loki` and what it needs; its keys come from Secret `secret` as variables.

    `endpoint` is HOST:PORT as pods reach the store. With `legacy_client` Loki uses its older S3
    client, whose messages and metrics differ. `flush_after_s` is how long a stream must be quiet
    to be flushed.
    """

    namespace: str
    endpoint: str
    bucket: str
    secret: str = "loki-s3-credentials"
    replicas: int = 1
    grace_s: int = 30
    persistent_wal: bool = True
    legacy_client: bool = False
    min_ready_s: int = 0
    flush_after_s: int = 2
    sidecars: Sequence[Json] = ()
    budget_min_available: int | None = None
    annotations: dict[str, str] = field(default_factory=dict)

    def objects(self) -> list[Json]:
        """Return everything to apply, in order."""
        result = [self.config_map(), self.service(), self.stateful_set()]
        if self.budget_min_available is not None:
            spec = {"minAvailable": self.budget_min_available, "selector": self._selector()}
            result.append(self._object("policy/v1", "PodDisruptionBudget", spec=spec))
        return result

    def config(self) -> Json:
        """Return Loki's own configuration; variables in it are expanded by Loki."""
        ring = {"kvstore": {"store": "inmemory"}}
        schema = {
            "from": "2024-01-01",
            "store": "tsdb",
            "object_store": "s3",
            "schema": "v13",
            "index": {"prefix": "index_", "period": "24h"},
        }
        return {
            "auth_enabled": False,
            "server": {"http_listen_port": PORT, "log_level": "info"},
            "common": {
                "path_prefix": "/data",
                "instance_addr": "${POD_IP}",
                "replication_factor": 1,
                "ring": ring,
                "storage": self._store(),
            },
            "storage_config": {"use_thanos_objstore": not self.legacy_client},
            "schema_config": {"configs": [schema]},
            "ingester": {
                "chunk_idle_period": f"{self.flush_after_s}s",
                # Above the WAL's checkpoint interval of 5 min: a stream dropped from memory and
                # made anew within one WAL loses its new lines at replay.
                "chunk_retain_period": "10m",
                "flush_check_period": "1s",
                "lifecycler": {"min_ready_duration": f"{self.min_ready_s}s"},
                "wal": {"dir": "/data/wal", "flush_on_shutdown": True},
            },
            # By default Loki looks for its own scheduler every 10 s, and is not ready until then.
            "frontend": {"scheduler_dns_lookup_period": "500ms"},
            "frontend_worker": {"dns_lookup_duration": "500ms"},
            "analytics": {"reporting_enabled": False},
            "tracing": {"enabled": False},
        }

    def config_map(self) -> Json:
        return self._object("v1", "ConfigMap", data={"config.yaml": json.dumps(self.config())})

    def service(self) -> Json:
        ports = [{"name": "http-metrics", "port": PORT, "targetPort": "http-metrics"}]
        spec = {"clusterIP": "None", "selector": {"app": "loki"}, "ports": ports}
        return self._object("v1", "Service", spec=spec)

    def stateful_set(self) -> Json:
        spec: Json = {
            "serviceName": "loki",
            "replicas": self.replicas,
            "selector": self._selector(),
            "template": {
                "metadata": {"labels": {"app": "loki"}, "annotations": self.annotations},
                "spec": self._pod(),
            },
        }
        if self.persistent_wal:
            claim = {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
            }
            spec["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": claim}]
        return self._object("apps/v1", "StatefulSet", spec=spec)

    def with_sidecar_never_ready(self) -> "Loki":
        """Return the same with a second container that stays not ready: pods are 1/2."""
        sidecar = {
            "name": "rules",
            "image": "rules",
            "command": ["sleep", "1000000"],
            "readinessProbe": {"tcpSocket": {"port": 9}, "periodSeconds": 1},
        }
        return dataclasses.replace(self, sidecars=(*self.sidecars, sidecar))

    def _pod(self) -> Json:
        volumes: list[Json] = [{"name": "config", "configMap": {"name": "loki"}}]
        if not self.persistent_wal:
            volumes.append({"name": "data", "emptyDir": {}})
        return {
            "terminationGracePeriodSeconds": self.grace_s,
            "containers": [self._container(), *self.sidecars],
            "volumes": volumes,
        }

    def _container(self) -> Json:
        return {
            "name": "loki",
            "image": "docker.io/grafana/loki:3.7.8",
            "args": [
                "-config.file=/etc/loki/config/config.yaml",
                "-config.expand-env=true",
                "-target=all",
            ],
            "ports": [{"name": "http-metrics", "containerPort": PORT}],
            "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
            "envFrom": [{"secretRef": {"name": self.secret}}],
            "readinessProbe": {
                "httpGet": {"path": "/ready", "port": "http-metrics"},
                "periodSeconds": 1,
            },
            "volumeMounts": [
                {"name": "config", "mountPath": "/etc/loki/config"},
                {"name": "data", "mountPath": "/data"},
            ],
        }

    def _store(self) -> Json:
        pair = {
            "access_key_id": "${AWS_ACCESS_KEY_ID}",
            "secret_access_key": "${AWS_SECRET_ACCESS_KEY}",
        }
        place = {"endpoint": self.endpoint, "region": "us-east-1", "insecure": True}
        if self.legacy_client:
            older = {"bucketnames": self.bucket, "s3forcepathstyle": True}
            return {"s3": pair | place | older}
        newer = {"bucket_name": self.bucket, "bucket_lookup_type": "path"}
        return {"object_store": {"s3": pair | place | newer}}

    def _selector(self) -> Json:
        return {"matchLabels": {"app": "loki"}}

    def _object(self, version: str, kind: str, **rest: Json) -> Json:
        metadata = {"name": "loki", "namespace": self.namespace, "labels": {"app": "loki"}}
        return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}
