# SPDX-License-Identifier: Apache-2.0
"""The kinds that the Rook stand-in works on, as CRDs for a real API server.

Schemas of our own: only what the stand-in looks at is typed, the rest is kept as it comes.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_ANYTHING: Json = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_PHASE = {"name": "Phase", "type": "string", "jsonPath": ".status.phase"}


def rook_crds() -> tuple[Json, ...]:
    """Return the CRDs of CephObjectStoreUser, CephObjectStore and CephCluster."""
    return (
        _crd("CephObjectStoreUser", "cephobjectstoreusers", spec=_user_spec()),
        _crd("CephObjectStore", "cephobjectstores"),
        _crd("CephCluster", "cephclusters"),
    )


def _user_spec() -> Json:
    selector = {
        "type": "object",
        "required": ["key"],
        "properties": {"name": {"type": "string"}, "key": {"type": "string"}},
    }
    entry = {"type": "object", "properties": {"accessKeyRef": selector, "secretKeyRef": selector}}
    properties = {
        "store": {"type": "string"},
        "displayName": {"type": "string"},
        "clusterNamespace": {"type": "string"},
        "keys": {"type": "array", "items": entry},
    }
    return _ANYTHING | {"properties": properties}


def _crd(kind: str, plural: str, *, spec: Json | None = None) -> Json:
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [_PHASE],
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "properties": {"spec": spec or _ANYTHING, "status": _ANYTHING},
            }
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.ceph.rook.io"},
        "spec": {
            "group": "ceph.rook.io",
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [version],
        },
    }
