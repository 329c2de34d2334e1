# SPDX-License-Identifier: Apache-2.0
"""The operator is upgraded before the definition: it says so, and writes what that one takes."""

from collections.abc import Callable
from typing import Any

from e2e.operators import Installation, running, wait_led
from lokeys.core.route.resource.crd import crd
from manifests.older import older_crd
from manifests.storagecredential import MINIMAL
from parts.api import ApiError
from parts.kubernetes import Kubernetes
from parts.process import wait_for

VALUES = {"name": "v", "keys": {"accessKeyId": "a", "secretAccessKey": "b"}}
RENDERED = {"madeBy": {"kind": "HelmRelease", "name": "loki"}, "values": VALUES}


def hops_of(kubernetes: Kubernetes, path: str) -> list[str]:
    """Return the hops that a status names."""
    status: dict[str, Any] = kubernetes.api.get(path).get("status") or {}
    return [hop["name"] for hop in status.get("hops", [])]


def test_an_operator_that_is_newer_than_the_definition(
    defined: Kubernetes, installation: Installation, make_namespace: Callable[[str], str]
) -> None:
    """Its status is written without the hops that would be refused; upgraded, with them.

    The resource asks for what only the newer definition keeps: it is made while that is served.
    """
    kubernetes, namespace = defined, make_namespace("older")
    root = f"/apis/lokeys.dev/v1alpha1/namespaces/{namespace}/storagecredentials"
    spec = MINIMAL["spec"] | {"secret": {**MINIMAL["spec"]["secret"], **RENDERED}}
    resource = {**MINIMAL, "metadata": {"name": "loki", "namespace": namespace}, "spec": spec}
    kubernetes.api.post(root, resource)
    probe = {"status": {"hops": [{"name": "values"}]}}

    def refuses() -> bool:
        try:
            kubernetes.api.patch(f"{root}/loki/status?dryRun=All", probe)
        except ApiError as error:
            return error.status == 422
        return False

    try:
        kubernetes.apply(older_crd())
        wait_for(refuses, "the older definition is served")
        with running(installation.replica()) as operator:
            wait_led(operator)
            wait_for(lambda: "is older than this operator" in operator.said, "it says so")
            wait_for(lambda: "secret" in hops_of(kubernetes, f"{root}/loki"), "it writes a status")
            assert "values, release" in operator.said
            assert not {"values", "release"} & set(hops_of(kubernetes, f"{root}/loki"))
    finally:
        kubernetes.apply(crd())
    wait_for(lambda: not refuses(), "today's definition is served")
    # What the older definition does not know, it has not kept.
    kubernetes.api.patch(f"{root}/loki", {"spec": spec})
    with running(installation.replica()) as operator:
        wait_led(operator)
        wait_for(lambda: "values" in hops_of(kubernetes, f"{root}/loki"), "all hops are there")
        assert "is older than this operator" not in operator.said
    # The operator of a neighbour's tests looks at each resource that there is.
    kubernetes.api.delete(f"{root}/loki")
    wait_for(lambda: not kubernetes.api.find(f"{root}/loki"), "the resource is gone")
