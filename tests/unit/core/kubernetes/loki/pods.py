# SPDX-License-Identifier: Apache-2.0
"""Pods that run Loki, in a word, and what is read of them."""

from __future__ import annotations

from base64 import b64encode
from functools import partial
from typing import Any

import yaml

from lokeys.bounded_yaml import built
from lokeys.core.kubernetes.data_keys import DataKey
from lokeys.core.kubernetes.loki.model import RunningLoki
from lokeys.core.kubernetes.loki.reading import named_by, reading_of
from lokeys.core.place import Ref

Json = dict[str, Any]
OWNER = Ref("StatefulSet", "loki", "logging")
FILE = DataKey(Ref("ConfigMap", "loki", "logging"), "config.yaml")
SECRET = Ref("Secret", "loki-s3", "logging")
PATH = "/etc/loki/config/config.yaml"
EXPANDING = ["-config.expand-env=true"]
S3 = {
    "endpoint": "rgw.storage.svc:80",
    "insecure": True,
    "bucketnames": "logs",
    "s3forcepathstyle": True,
    "access_key_id": "${ID}",
    "secret_access_key": "${KEY}",
}
PAIR = {"ID": "AKID", "KEY": "canary"}


def secret(name: str = "loki-s3", **values: str) -> Json:
    """Return a Secret as Kubernetes hands it out."""
    data = {key: b64encode(value.encode()).decode() for key, value in values.items()}
    return {"kind": "Secret", "metadata": {"name": name, "namespace": "logging"}, "data": data}


def config_map(name: str = "loki", **values: str) -> Json:
    """Return a ConfigMap."""
    return {"kind": "ConfigMap", "metadata": {"name": name, "namespace": "logging"}, "data": values}


def account(**annotations: str) -> Json:
    """Return the pods' service account."""
    metadata = {"name": "default", "namespace": "logging", "annotations": annotations}
    return {"kind": "ServiceAccount", "metadata": metadata}


def common(**changes: Any) -> Json:
    """Return the configuration that the chart renders, with changes to its S3 section."""
    section = {name: value for name, value in (S3 | changes).items() if value is not None}
    return {"common": {"storage": {"s3": section}}}


def stateful_set(
    *args: str,
    env: list[Json] | None = None,
    env_from: list[Json] | None = None,
    template: Json | None = None,
    volumes: list[Json] | None = None,
    **container: Any,
) -> Json:
    """Return a StatefulSet whose Loki reads the ConfigMap `loki`, with these arguments."""
    loki = {
        "name": "loki",
        "image": "docker.io/grafana/loki:3.7.8",
        "args": [f"-config.file={PATH}", *args],
        "env": env or [],
        "envFrom": [{"secretRef": {"name": "loki-s3"}}] if env_from is None else env_from,
        "volumeMounts": [{"name": "config", "mountPath": "/etc/loki/config"}],
    }
    made = volumes or [{"name": "config", "configMap": {"name": "loki"}}]
    spec = {"containers": [{"name": "sidecar", "image": "kiwi:1"}, loki | container]}
    metadata = {"name": "loki", "namespace": "logging"}
    pod = {"metadata": template or {}, "spec": spec | {"volumes": made}}
    return {"kind": "StatefulSet", "metadata": metadata, "spec": {"template": pod}}


def read(workload: Json, *objects: Json) -> RunningLoki:
    """Return what is read of a workload in a cluster of these objects."""
    here = {
        Ref(item["kind"], item["metadata"]["name"], item["metadata"]["namespace"]): item
        for item in objects
    }
    named = named_by(workload, namespace="logging")
    held = {ref: here[ref] for ref in named if ref in here}
    found = reading_of(workload, owner=OWNER, held=held, parse=partial(built, max_values=20_000))
    assert found is not None
    assert "canary" not in repr(found)
    return found


def loki(
    document: Any, *args: str, values: dict[str, str] | None = None, **how: Any
) -> RunningLoki:
    """Return what is read of a Loki with this configuration and these variables of its Secret."""
    more = [account(), *how.pop("objects", ())]
    text = document if isinstance(document, str) else yaml.safe_dump(document, sort_keys=False)
    kept = secret(**(PAIR if values is None else values))
    return read(
        stateful_set(*(args or EXPANDING), **how), config_map(**{"config.yaml": text}), kept, *more
    )
