# SPDX-License-Identifier: Apache-2.0
"""Whole inputs of `validate`, as objects and as text."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import yaml

from unit.core.stack.storage.secrets import SOUND

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
Object = dict[str, Any]


class Given(NamedTuple):
    """An object with a made-up place."""

    object: Mapping[str, Any]
    file: str = "a.yaml"
    line: int = 1

    def position_of(self, path: Sequence[str | int]) -> tuple[int, int]:
        return 1 + len(path), 1


def stack(name: str = "my-stack", **storage: Any) -> Object:
    """Return a sound LokiStack; words go into spec.storage."""
    return {
        "apiVersion": "loki.grafana.com/v1",
        "kind": "LokiStack",
        "metadata": {"name": name, "namespace": "logging"},
        "spec": {
            "size": "1x.small",
            "storageClassName": "fast",
            "storage": {
                "schemas": [{"version": "v13", "effectiveDate": "2025-01-01"}],
                "secret": {"name": "loki-storage", "type": "s3"},
                **storage,
            },
        },
    }


def secret(values: Mapping[str, str] | None = None, name: str = "loki-storage") -> Object:
    """Return a Secret; sound static keys of S3 unless said otherwise."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "logging"},
        "stringData": dict(SOUND["s3 static"] if values is None else values),
    }


def external_secret(*keys: str, name: str = "es", policy: str | None = None) -> Object:
    """Return an ExternalSecret that makes the stack's Secret, or does what its policy says."""
    return {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": name, "namespace": "logging"},
        "spec": {
            "target": {
                "name": "loki-storage",
                **({"creationPolicy": policy} if policy else {}),
            },
            "data": [{"secretKey": key} for key in keys],
        },
    }


def config_map(**data: str) -> Object:
    """Return the CA's ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "ca", "namespace": "logging"},
        "data": data,
    }


def as_yaml(objects: Sequence[Object]) -> str:
    """Return objects as YAML documents."""
    return "---\n".join(yaml.safe_dump(each, sort_keys=False) for each in objects)


def as_list(objects: Sequence[Object]) -> str:
    """Return objects as one JSON List."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}, indent=1)
