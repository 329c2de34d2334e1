# SPDX-License-Identifier: Apache-2.0
"""A Job that tests a route's key as Loki runs: with its account, its labels, its network.

It never holds a value: its container gets the key from the Secret that Loki reads, by name. It is
never ready, so that no Service of Loki sends requests to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lokeys.core.kubernetes.json_fields import Json, at
from lokeys.core.route.model import RouteSpec

LIVES_S = 120
KEPT_S = 300
"""For a caller that could not remove it: Kubernetes does, after this time."""
CONTAINER = "probe"
_LABEL = "lokeys.dev/probe"
_OF_THE_POD = (
    *("serviceAccountName", "imagePullSecrets", "nodeSelector", "tolerations", "dnsPolicy"),
    *("dnsConfig", "hostAliases", "securityContext", "priorityClassName"),
)
"""The fields of Loki's pod that decide where a pod runs, as whom, and what it reaches."""
_ROOT = 0
"""The user that the container may not be: then its image's own user is used."""


def probe_job(spec: RouteSpec, workload: Json, *, image: str, name: str) -> dict[str, Any]:
    """Return the Job for a route whose pair is in a Secret; `workload` is one that runs Loki."""
    template = at(workload, "spec", "template")
    pod = at(template, "spec")
    labels = at(template, "metadata", "labels")
    kept = {key: pod[key] for key in _OF_THE_POD if key in pod} if isinstance(pod, Mapping) else {}
    if at(kept, "securityContext", "runAsUser") == _ROOT:
        kept["securityContext"] = {
            key: value for key, value in kept["securityContext"].items() if key != "runAsUser"
        }
    metadata = {"name": name, "namespace": spec.namespace}
    own = {"app.kubernetes.io/managed-by": "lokeys", _LABEL: name}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata | {"labels": own},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": LIVES_S,
            "ttlSecondsAfterFinished": KEPT_S,
            "template": {
                "metadata": {"labels": {**_texts(labels), _LABEL: name}},
                "spec": {
                    **kept,
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "restartPolicy": "Never",
                    "readinessGates": [{"conditionType": "lokeys.dev/never"}],
                    "containers": [_container(spec, image)],
                },
            },
        },
    }


def _texts(labels: object) -> dict[str, str]:
    found = labels if isinstance(labels, Mapping) else {}
    return {str(key): value for key, value in found.items() if isinstance(value, str)}


def _container(spec: RouteSpec, image: str) -> dict[str, Any]:
    bucket, keys = spec.bucket, spec.secret.keys
    words = ["--bucket", bucket.name, "--endpoint", bucket.endpoint]
    words += ["--region", bucket.region] if bucket.region else []
    words += ["--path-style"] if bucket.path_style else []
    pair = {
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
    }
    return {
        "name": CONTAINER,
        "image": image,
        "command": ["lokeys", "probe", "s3", *words, "-o", "json"],
        "env": [
            {"name": each, "valueFrom": {"secretKeyRef": {"name": spec.secret.name, "key": key}}}
            for each, key in pair.items()
        ],
        # Required by Pod Security's level `restricted`, whatever Loki's own pod says.
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
