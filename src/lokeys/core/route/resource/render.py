# SPDX-License-Identifier: Apache-2.0
"""From the model to a manifest that a person would have written, without default values."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, assert_never

from lokeys.core.place import Ref
from lokeys.core.route.discovery.model import UNKNOWN
from lokeys.core.route.model import (
    AwsIamSource,
    Bucket,
    ClaimSource,
    OnePasswordVault,
    PairKeys,
    PushSecretVault,
    RgwAdmin,
    RgwSource,
    RookSource,
    RotationSpec,
    RouteSpec,
    SecretRef,
    SecretSource,
    UnknownSource,
    Vault,
    Workload,
)
from lokeys.core.route.resource.rules import duration_text
from lokeys.core.route.resource.schema import API_VERSION, AWS_KEYS, KIND, SPEC
from lokeys.core.schema.language import Fields, ListOf, Shape

_ALWAYS_SAID = frozenset({"mode", "keys", "fields"})
"""Defaults that a reader should see anyway."""


def render(spec: RouteSpec) -> dict[str, Any]:
    """Return the manifest of `spec`; `parse` returns the same spec for it."""
    said = _sparse(_spec(spec), SPEC)
    metadata = {"name": spec.name, "namespace": spec.namespace}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": said}


def _sparse(value: Any, shape: Shape) -> Any:
    """Return `value` without None and without default values."""
    match shape:
        case Fields():
            known = shape.fields
            kept = {
                name: item if name in _ALWAYS_SAID else _sparse(item, known[name])
                for name, item in value.items()
                if item is not None
            }
            return {
                name: item
                for name, item in kept.items()
                if name in _ALWAYS_SAID or item != known[name].default
            }
        case ListOf():
            return [_sparse(item, shape.item) for item in value]
    return value


def _spec(spec: RouteSpec) -> dict[str, Any]:
    delivery = spec.external_secret
    return {
        "mode": spec.mode.value,
        "source": _source(spec),
        "vault": _vault(spec.vault) if spec.vault else None,
        "secret": {
            **_place(spec.secret),
            "externalSecret": asdict(delivery) if delivery else None,
            "madeBy": _made_by(spec.made_by, home=spec.namespace) if spec.made_by else None,
            "values": _place(spec.values) if spec.values else None,
        },
        "bucket": _bucket(spec.bucket),
        "workloads": [_workload(workload) for workload in spec.workloads] or None,
        "prove": spec.prove.value,
        "rotation": _rotation(spec.rotation) if spec.rotation else None,
        "bridge": _bridge(spec),
    }


def _bridge(spec: RouteSpec) -> dict[str, Any] | None:
    longest = duration_text(spec.bridge_longest)
    usual = SPEC.fields["bridge"].fields["longest"].default  # type: ignore[attr-defined]
    return None if longest == usual else {"longest": longest}


def _pair(keys: PairKeys) -> dict[str, str]:
    return {"accessKeyId": keys.access_key_id, "secretAccessKey": keys.secret_access_key}


def _secret_ref(ref: SecretRef) -> dict[str, Any]:
    return {"name": ref.name, "keys": _pair(ref.keys)}


_USUAL = PairKeys(access_key_id=AWS_KEYS[0], secret_access_key=AWS_KEYS[1])


def _place(ref: SecretRef) -> dict[str, Any]:
    return {"kind": ref.kind, "name": ref.name, "inside": ref.inside, "keys": _pair(ref.keys)}


def _source(spec: RouteSpec) -> dict[str, Any]:
    source = spec.source
    match source:
        case RookSource():
            return {
                "rook": {
                    "user": source.user,
                    "namespace": source.namespace,
                    "store": source.store,
                    "refresh": source.refresh,
                    "admin": _admin(source.admin) if source.admin else None,
                }
            }
        case RgwSource():
            return {
                "rgw": {
                    "endpoint": source.admin.endpoint,
                    "uid": source.uid,
                    "adminSecretRef": _secret_ref(source.admin.secret),
                    "caBundle": source.ca_bundle,
                }
            }
        case AwsIamSource():
            return {
                "awsIAM": {
                    "userName": source.user_name,
                    "adminSecretRef": _secret_ref(source.admin) if source.admin else None,
                    "endpoint": source.endpoint,
                }
            }
        case ClaimSource():
            there = source.namespace if source.namespace != spec.namespace else None
            return {"objectBucketClaim": {"name": source.claim, "namespace": there}}
        case SecretSource():
            namespace = source.namespace if source.namespace != spec.namespace else None
            return {"secret": {**_secret_ref(source.secret), "namespace": namespace}}
        case UnknownSource():
            keys = spec.secret.keys if spec.secret.inside is None else _USUAL
            return {"secret": _secret_ref(SecretRef(name=UNKNOWN, keys=keys))}
        case _:
            assert_never(source)


def _admin(admin: RgwAdmin) -> dict[str, Any]:
    return {"endpoint": admin.endpoint, "secretRef": _secret_ref(admin.secret)}


def _vault(vault: Vault) -> dict[str, Any]:
    match vault:
        case PushSecretVault():
            return {"pushSecret": {"name": vault.name}}
        case OnePasswordVault():
            token = {
                "name": vault.token.name,
                "key": vault.token.key,
                "namespace": vault.token_namespace,
            }
            return {
                "onePassword": {
                    "connect": {"url": vault.url, "tokenSecretRef": token},
                    "vault": vault.vault,
                    "item": vault.item,
                    "fields": _pair(vault.fields),
                }
            }
        case _:
            assert_never(vault)


def _made_by(ref: Ref, *, home: str) -> dict[str, Any]:
    namespace = ref.namespace if ref.namespace != home else None
    return {"kind": ref.kind, "name": ref.name, "namespace": namespace}


def _bucket(bucket: Bucket) -> dict[str, Any]:
    return {
        "name": bucket.name,
        "endpoint": bucket.endpoint,
        "region": bucket.region,
        "pathStyle": bucket.path_style,
        "caBundle": bucket.ca_bundle,
        "create": bucket.create,
    }


def _workload(workload: Workload) -> dict[str, Any]:
    # In these records the model's field names are the resource's own.
    metrics = asdict(workload.metrics)
    return {
        "kind": workload.kind,
        "name": workload.name,
        "container": workload.container,
        "metrics": metrics,
        "force": workload.force,
    }


def _rotation(rotation: RotationSpec) -> dict[str, Any]:
    window = rotation.window
    return {
        "every": duration_text(rotation.every),
        "overlap": duration_text(rotation.overlap),
        "rollTimeout": duration_text(rotation.roll_timeout),
        "retire": "OnEvidence" if rotation.retire_on_evidence else "AfterGrace",
        "window": {
            "schedule": window.schedule,
            "duration": duration_text(window.duration),
            "timeZone": window.time_zone,
        }
        if window
        else None,
    }
