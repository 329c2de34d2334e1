# SPDX-License-Identifier: Apache-2.0
"""What the Loki Operator has in the cluster for a stack, written down from stacks that it operated.

Nothing here comes from what lokeys renders: a test of a takeover that began with lokeys' own
objects would not see what is different. It is a stack of the smallest size on S3 with static keys;
`extras` add what only some clusters have.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from manifests.former_config import FORMER, RULER, SAID_AGAIN, SHIPPERS, Seconds

Json = dict[str, Any]
LABEL = "app.kubernetes.io"
DEPLOYMENTS = ("distributor", "querier", "query-frontend")
STATEFUL_SETS = ("ingester", "compactor", "index-gateway", "ruler")
CLAIMS = {"ingester": ("storage", "wal"), "ruler": ("storage", "wal")}
GOSSIPING = ("distributor", "ingester", "querier", "ruler")
WITH_KEYS = ("ingester", "querier", "compactor", "index-gateway", "ruler")
KEYS = {"AWS_ACCESS_KEY_ID": "access_key_id", "AWS_ACCESS_KEY_SECRET": "access_key_secret"}
HASHES = ("c24db4d0b509d6f157e9c12ac422b755690e2f29", "9aaccfaffbededc05bc8adb598100f70acf4b6f0")


@dataclass(frozen=True, kw_only=True)
class Former:
    """One stack as the Loki Operator runs it.

    `extras`: rules, alerts, pod-tls, monitors, zones, and kinds that only some stacks have:
    Ingress, Route, NetworkPolicy, CredentialsRequest.
    """

    name: str = "my-stack"
    namespace: str = "logging"
    secret: str = "store"
    bucket: str = "logs"
    endpoint: str = "rgw.store:8080"
    storage_class: str = "fast"
    rules: bool = False
    at_once: bool = False
    """Whether all pods of a StatefulSet start at once: a test need not wait for one by one."""
    factor: int = 1
    replicas: Mapping[str, int] = field(default_factory=dict)
    """How many pods, of components of which there is more than one."""
    extras: frozenset[str] = frozenset()

    def objects(self) -> list[Json]:
        """Return all that it has made, without its owner."""
        return [self._finished(each) for each in (*self._shared(), *self._components())]

    @property
    def components(self) -> tuple[str, ...]:
        """Return the components of Loki that run."""
        every = (*DEPLOYMENTS, *STATEFUL_SETS)
        return tuple(each for each in every if each != "ruler" or self.rules)

    def _finished(self, manifest: Json) -> Json:
        manifest["metadata"].setdefault("namespace", self.namespace)
        return manifest

    def _labels(self, component: str = "") -> dict[str, str]:
        labels = {
            f"{LABEL}/name": "lokistack",
            f"{LABEL}/instance": self.name,
            f"{LABEL}/managed-by": "lokistack-controller",
            f"{LABEL}/created-by": "lokistack-controller",
        }
        return labels | ({f"{LABEL}/component": component} if component else {})

    def _meta(self, suffix: str, component: str = "") -> Json:
        return {"name": f"{self.name}{suffix}", "labels": self._labels(component)}

    # --- what all components share ---------------------------------------------------------------

    def _shared(self) -> Iterator[Json]:
        files = {
            "config.yaml": json.dumps(self.config()),  # JSON is YAML
            "runtime-config.yaml": "overrides:\n",
        }
        yield {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": self._meta("-config"),
            "data": files,
        }
        yield {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": self._meta(""),
            "automountServiceAccountToken": True,
        }
        ring = {"name": "gossip-ring", "port": 7946, "protocol": "TCP", "targetPort": 7946}
        yield {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": self._meta("-gossip-ring"),
            "spec": {"clusterIP": "None", "ports": [ring], "selector": self._labels()},
        }
        if self.rules:
            kept = {"logging-alerts-5f2.yaml": "groups: []\n"} if "rules" in self.extras else {}
            yield {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": self._meta("-rules-0"),
                "data": kept,
            }
        yield from self._doors()
        if "monitors" in self.extras:
            yield {
                "apiVersion": "monitoring.coreos.com/v1",
                "kind": "ServiceMonitor",
                "metadata": self._meta("-ingester-monitor"),
                "spec": {"selector": {"matchLabels": self._labels("ingester")}, "endpoints": []},
            }

    def _doors(self) -> Iterator[Json]:
        """Yield the ways in, what shuts all others, and what asks the cluster's cloud for keys."""
        gateway = {"name": f"{self.name}-gateway-http", "port": {"name": "public"}}
        kinds: tuple[tuple[str, str, str, Json], ...] = (
            (
                *("networking.k8s.io/v1", "Ingress", ""),
                {"defaultBackend": {"service": gateway}},
            ),
            (
                *("route.openshift.io/v1", "Route", ""),
                {"to": {"kind": "Service", "name": f"{self.name}-gateway-http"}},
            ),
            (
                *("networking.k8s.io/v1", "NetworkPolicy", "-default-deny"),
                {"podSelector": {"matchLabels": self._labels()}, "policyTypes": ["Ingress"]},
            ),
            (
                *("cloudcredential.openshift.io/v1", "CredentialsRequest", ""),
                {"secretRef": {"name": "managed", "namespace": self.namespace}},
            ),
        )
        for version, kind, suffix, spec in kinds:
            if kind in self.extras:
                yield {
                    "apiVersion": version,
                    "kind": kind,
                    "metadata": self._meta(suffix),
                    "spec": spec,
                }

    def config(self) -> Json:
        """Return Loki's configuration."""
        found: Json = {}
        for path, value in {**FORMER, **(RULER if self.rules else {})}.items():
            place = found
            *above, last = path.split(".")
            for word in above:
                place = place.setdefault(word, {})
            place[last] = self._said(value)
        found["ingester"]["lifecycler"]["ring"] = {"replication_factor": self.factor}
        found["limits_config"] |= SAID_AGAIN
        found["limits_config"] |= {
            "allow_structured_metadata": True,
            "discover_log_levels": True,
            "query_timeout": "3m",
        }
        found["server"] |= {"http_server_read_timeout": "18s", "http_server_write_timeout": "4m0s"}
        found["common"]["storage"] = {
            "object_store": {
                "s3": {
                    "access_key_id": "${AWS_ACCESS_KEY_ID}",
                    "bucket_lookup_type": "path",
                    "bucket_name": self.bucket,
                    "endpoint": self.endpoint,
                    "insecure": True,
                    "secret_access_key": "${AWS_ACCESS_KEY_SECRET}",
                }
            }
        }
        found["schema_config"] = {
            "configs": [
                {
                    "from": "2024-10-01",
                    "index": {"period": "24h", "prefix": "index_"},
                    "object_store": "s3",
                    "schema": "v13",
                    "store": "tsdb",
                }
            ]
        }
        address = f"dns:///{self.name}-index-gateway-grpc.{self.namespace}.svc.cluster.local:9095"
        shipper = {
            **SHIPPERS["tsdb_shipper"],
            "cache_ttl": "24h",
            "index_gateway_client": {"server_address": address},
            "resync_interval": "5m",
        }
        found["storage_config"] = {"tsdb_shipper": shipper, "use_thanos_objstore": True}
        if self.rules:
            found["ruler_storage"] = {"backend": "local", "local": {"directory": "/tmp/rules"}}
        if "alerts" in self.extras:
            found["ruler"]["alertmanager_url"] = "https://alertmanager.monitoring.svc:9093"
        return found

    def _said(self, value: Any) -> Any:
        value = value["1x.demo"] if isinstance(value, Mapping) else value
        if isinstance(value, Seconds):
            return f"{value}s"
        if isinstance(value, list):
            return [self._said(each) for each in value]
        if isinstance(value, str):
            moved = value.replace(".logging.svc", f".{self.namespace}.svc")
            return moved.replace("my-stack-", f"{self.name}-")
        return value

    # --- components ------------------------------------------------------------------------------

    def _components(self) -> Iterator[Json]:
        for component in self.components:
            yield self._workload(component)
            for suffix, name, port in (("-http", "metrics", 3100), ("-grpc", "grpclb", 9095)):
                ports = [{"name": name, "port": port, "protocol": "TCP", "targetPort": port}]
                headless = {"clusterIP": "None"} if suffix == "-grpc" else {}
                yield {
                    "apiVersion": "v1",
                    "kind": "Service",
                    "metadata": self._meta(f"-{component}{suffix}", component),
                    "spec": {**headless, "ports": ports, "selector": self._labels(component)},
                }
            if component != "compactor":
                selector = {"matchLabels": self._labels(component)}
                yield {
                    "apiVersion": "policy/v1",
                    "kind": "PodDisruptionBudget",
                    "metadata": self._meta(f"-{component}", component),
                    "spec": {"maxUnavailable": 1, "selector": selector},
                }

    def _workload(self, component: str) -> Json:
        selected = {**self._labels(component), "loki.grafana.com/gossip": "true"}
        spec: Json = {
            "replicas": self.replicas.get(component, 1),
            "selector": {"matchLabels": selected},
            "template": self._template(component, selected),
        }
        stateful = component in STATEFUL_SETS
        if stateful:
            parallel = component == "ruler" or self.at_once
            spec["podManagementPolicy"] = "Parallel" if parallel else "OrderedReady"
            spec["serviceName"] = ""
            claims = CLAIMS.get(component, ("storage",))
            spec["volumeClaimTemplates"] = [self._claim(component, each) for each in claims]
        return {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet" if stateful else "Deployment",
            "metadata": self._meta(f"-{component}", component),
            "spec": spec,
        }

    def _template(self, component: str, labels: Mapping[str, str]) -> Json:
        volumes: list[Json] = [{"name": "config", "configMap": {"name": f"{self.name}-config"}}]
        if component in WITH_KEYS:
            volumes.append({"name": self.secret, "secret": {"secretName": self.secret}})
        if component == "ruler":
            source = {"configMap": {"name": f"{self.name}-rules-0"}}
            volumes.append({"name": "rules", "projected": {"sources": [source]}})
        pod: Json = {"containers": [self._container(component)], "volumes": volumes}
        term = {
            "labelSelector": {
                "matchLabels": {
                    key: self._labels(component)[key]
                    for key in (f"{LABEL}/component", f"{LABEL}/instance")
                }
            },
            "topologyKey": "kubernetes.io/hostname",
        }
        apart = [{"podAffinityTerm": term, "weight": 100}]
        key = "preferredDuringSchedulingIgnoredDuringExecution"
        pod["affinity"] = {"podAntiAffinity": {key: apart}}
        if component != "ruler":  # outside of OpenShift's tenancies it has no account of its own
            pod["serviceAccountName"] = self.name
        if "zones" in self.extras:
            pod["initContainers"] = [{"name": "az-annotation-check", "image": "loki"}]
        annotations = {
            "loki.grafana.com/certRotationRequiredAt": "",
            "loki.grafana.com/config-hash": HASHES[0],
            "loki.grafana.com/object-store-hash": HASHES[1],
        }
        named = f"loki-{component}-{self.name}"
        metadata = {"annotations": annotations, "labels": dict(labels), "name": named}
        return {"metadata": metadata, "spec": pod}

    def _container(self, component: str) -> Json:
        secure = "pod-tls" in self.extras
        port, scheme = (3101, "HTTPS") if secure else (3100, "HTTP")
        ready = "/loki/api/v1/status/buildinfo" if component == "query-frontend" else "/ready"
        ports = [("metrics", 3100), ("grpclb", 9095)]
        ports += [("gossip-ring", 7946)] if component in GOSSIPING else []
        mounts = [{"name": "config", "mountPath": "/etc/loki/config"}]
        if component in STATEFUL_SETS:
            mounts.append({"name": "storage", "mountPath": "/tmp/loki"})
        if component in CLAIMS:
            mounts.append({"name": "wal", "mountPath": "/tmp/wal"})
        if component == "ruler":
            mounts.append({"name": "rules", "mountPath": "/tmp/rules"})
        container: Json = {
            "name": f"loki-{component}",
            "image": "docker.io/grafana/loki:3.7.3",
            "imagePullPolicy": "IfNotPresent",
            "args": [
                f"-target={component}",
                "-config.file=/etc/loki/config/config.yaml",
                "-runtime-config.file=/etc/loki/config/runtime-config.yaml",
                "-config.expand-env=true",
            ],
            "ports": [{"name": n, "containerPort": p, "protocol": "TCP"} for n, p in ports],
            "livenessProbe": {
                "httpGet": {
                    "path": "/loki/api/v1/status/buildinfo",
                    "port": port,
                    "scheme": scheme,
                },
                "periodSeconds": 30,
                "timeoutSeconds": 2,
                "failureThreshold": 10,
            },
            "readinessProbe": {
                "httpGet": {"path": ready, "port": port, "scheme": scheme},
                "initialDelaySeconds": 15,
                "periodSeconds": 10,
                "timeoutSeconds": 1,
            },
            "volumeMounts": mounts,
        }
        if component in WITH_KEYS:
            mounts.append({"name": self.secret, "mountPath": "/etc/storage/secrets"})
            container["env"] = [
                {"name": name, "valueFrom": {"secretKeyRef": {"name": self.secret, "key": key}}}
                for name, key in KEYS.items()
            ]
        return container

    def _claim(self, component: str, name: str) -> Json:
        return {
            "metadata": {"name": name, "labels": self._labels(component)},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "10Gi"}},
                "storageClassName": self.storage_class,
                "volumeMode": "Filesystem",
            },
        }
