# SPDX-License-Identifier: Apache-2.0
"""Who keeps an object as it is in Git, so that an edit in the cluster is undone.

Flux: https://fluxcd.io/flux/components/kustomize/kustomizations/ (labels, and the field managers
`kustomize-controller` and `helm-controller`). Argo CD:
https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/ (its label and annotation),
field managers `argocd-controller` and `argocd-application-controller`. Plain Helm is not one: it
leaves alone what is in no chart.
"""

from __future__ import annotations

from lokeys.core.kubernetes.json_fields import Json, at, mappings_at, text_at

_MANAGERS = {
    "kustomize-controller": "Flux",
    "helm-controller": "Flux",
    "argocd-controller": "Argo CD",
    "argocd-application-controller": "Argo CD",
}
_MARKS = (
    ("labels", "kustomize.toolkit.fluxcd.io/name", "Flux"),
    ("labels", "helm.toolkit.fluxcd.io/name", "Flux"),
    ("labels", "argocd.argoproj.io/instance", "Argo CD"),
    ("annotations", "argocd.argoproj.io/tracking-id", "Argo CD"),
)


def keeper_of_spec(obj: Json) -> str | None:
    """Return which GitOps controller keeps an object's spec, as people call it; None if none."""
    for part, mark, keeper in _MARKS:
        if text_at(obj, "metadata", part, mark):
            return keeper
    for entry in mappings_at(obj, "metadata", "managedFields"):
        keeper = _MANAGERS.get(text_at(entry, "manager"), "")
        if keeper and at(entry, "fieldsV1", "f:spec") is not None:
            return keeper
    return None
