# SPDX-License-Identifier: Apache-2.0
"""Kinds of other projects, as definitions of our own: whatever is in an object is kept.

Rook's are the stand-in's (`lokeys.demo.parts.crds`), External Secrets' are its own.
"""

from typing import Any

Json = dict[str, Any]

_ANYTHING: Json = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_KINDS: tuple[tuple[str, tuple[str, ...], str, str], ...] = (
    ("objectbucket.io", ("v1alpha1",), "ObjectBucketClaim", "objectbucketclaims"),
    ("helm.toolkit.fluxcd.io", ("v2",), "HelmRelease", "helmreleases"),
    ("argoproj.io", ("v1alpha1",), "Application", "applications"),
    ("onepassword.com", ("v1",), "OnePasswordItem", "onepassworditems"),
    ("bitnami.com", ("v1alpha1",), "SealedSecret", "sealedsecrets"),
    ("secrets.hashicorp.com", ("v1beta1",), "VaultStaticSecret", "vaultstaticsecrets"),
    ("loki.grafana.com", ("v1",), "LokiStack", "lokistacks"),
)


def definitions() -> tuple[Json, ...]:
    """Return the CustomResourceDefinitions."""
    return tuple(_definition(*kind) for kind in _KINDS)


def _definition(group: str, versions: tuple[str, ...], kind: str, plural: str) -> Json:
    schema = {"type": "object", "properties": {"spec": _ANYTHING, "status": _ANYTHING}}
    served = [
        {
            "name": version,
            "served": True,
            "storage": version == versions[-1],
            "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": schema},
        }
        for version in versions
    ]
    names = {"kind": kind, "plural": plural, "singular": kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": served},
    }
