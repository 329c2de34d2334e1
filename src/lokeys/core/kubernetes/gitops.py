# SPDX-License-Identifier: Apache-2.0
"""Which GitOps controller keeps an object as it is in Git, so that it undoes edits in the cluster.

Flux: https://fluxcd.io/flux/components/kustomize/kustomizations/ (labels, and the field managers
`kustomize-controller` and `helm-controller`). Argo CD:
https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/ (its label and annotation),
field managers `argocd-controller` and `argocd-application-controller`. Plain Helm does not count:
it does not change objects that are not in a chart.
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
    """Return the common name of the GitOps controller that keeps an object's spec; None if none."""
    for part, mark, keeper in _MARKS:
        if text_at(obj, "metadata", part, mark):
            return keeper
    for entry in mappings_at(obj, "metadata", "managedFields"):
        keeper = _MANAGERS.get(text_at(entry, "manager"), "")
        if keeper and at(entry, "fieldsV1", "f:spec") is not None:
            return keeper
    return None
