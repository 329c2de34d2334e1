# SPDX-License-Identifier: Apache-2.0
"""A stand-in of OpenShift's service CA: gives certificates to Services, its own to ConfigMaps."""

from collections.abc import Mapping, Sequence
from typing import Any

SERVING = "service.beta.openshift.io/serving-cert-secret-name"
INJECTED = "service.beta.openshift.io/inject-cabundle"
KEY = "service-ca.crt"
Json = dict[str, Any]


def served(objects: Sequence[Json], *, pair: Mapping[str, str], authority: str) -> tuple[Json, ...]:
    """Return objects as they are once the service CA has seen them.

    A Service with the annotation gets the Secret that it names, with `pair` in it; a ConfigMap gets
    the CA under its one key. What asks for neither stays as it is.
    """
    made = []
    for each in objects:
        metadata = each["metadata"]
        asked = metadata.get("annotations") or {}
        if each["kind"] == "Service" and SERVING in asked:
            made.append(_secret(asked[SERVING], metadata.get("namespace"), pair))
        if each["kind"] == "ConfigMap" and asked.get(INJECTED) == "true":
            each["data"] = {KEY: authority}
    return (*objects, *made)


def _secret(name: str, namespace: str | None, pair: Mapping[str, str]) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": dict(pair),
        "type": "kubernetes.io/tls",
    }
