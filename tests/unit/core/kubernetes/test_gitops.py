# SPDX-License-Identifier: Apache-2.0
"""Whether a GitOps controller would undo an edit."""

from typing import Any

import pytest

from lokeys.core.kubernetes.gitops import keeper_of_spec

SPEC: dict[str, Any] = {"f:spec": {"f:store": {}}}


def managed(manager: Any, fields: Any = SPEC) -> dict[str, Any]:
    return {"metadata": {"managedFields": [{"manager": manager, "fieldsV1": fields}]}}


@pytest.mark.parametrize(
    ("obj", "keeper"),
    [
        pytest.param({}, None, id="nothing says so"),
        pytest.param(
            {"metadata": {"labels": {"kustomize.toolkit.fluxcd.io/name": "a"}}}, "Flux", id="Flux"
        ),
        pytest.param(
            {"metadata": {"labels": {"helm.toolkit.fluxcd.io/name": "a"}}},
            "Flux",
            id="Flux, by a HelmRelease",
        ),
        pytest.param(
            {"metadata": {"labels": {"argocd.argoproj.io/instance": "a"}}}, "Argo CD", id="Argo CD"
        ),
        pytest.param(
            {"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": "a:b"}}},
            "Argo CD",
            id="Argo CD, by its annotation",
        ),
        pytest.param(managed("kustomize-controller"), "Flux", id="Flux owns fields of the spec"),
        pytest.param(managed("argocd-controller"), "Argo CD", id="Argo CD owns fields of the spec"),
        pytest.param(
            managed("kustomize-controller", {"f:metadata": {}}), None, id="labels only, no spec"
        ),
        pytest.param(managed("kubectl-client-side-apply"), None, id="a person"),
        pytest.param(managed("helm"), None, id="Helm, which leaves alone what is in no chart"),
        pytest.param(managed(["kustomize-controller"]), None, id="no text"),
        pytest.param({"metadata": {"managedFields": "x", "labels": [1]}}, None, id="no lists"),
    ],
)
def test_who_keeps_a_spec(obj: dict[str, Any], keeper: str | None) -> None:
    """Labels, annotations and field managers say it; a person and plain Helm are nobody."""
    assert keeper_of_spec(obj) == keeper
