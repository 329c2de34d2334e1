# SPDX-License-Identifier: Apache-2.0
"""The External Secrets Operator that tests run on."""

import base64

from parts.external_secrets import ExternalSecrets
from parts.kubernetes import Kubernetes
from parts.process import wait_for


def test_it_turns_an_external_secret_into_a_secret(
    kubernetes: Kubernetes, external_secrets: ExternalSecrets, namespace: str
) -> None:
    """The operator is real: a value of its own fake provider arrives, also after a restart."""
    external_secrets.stop()
    assert not external_secrets.running
    external_secrets.start()
    metadata = {"name": "given", "namespace": namespace}
    provider = {"fake": {"data": [{"key": "/key", "value": "arrived"}]}}
    store = {"kind": "SecretStore", "metadata": metadata, "spec": {"provider": provider}}
    data = [{"secretKey": "key", "remoteRef": {"key": "/key"}}]
    spec = {"refreshInterval": "1h", "secretStoreRef": {"name": "given"}, "data": data}
    wanted = {"kind": "ExternalSecret", "metadata": metadata, "spec": spec}
    for body in (store, wanted):
        kubernetes.apply({"apiVersion": "external-secrets.io/v1", **body})
    path = f"/api/v1/namespaces/{namespace}/secrets/given"
    wait_for(lambda: kubernetes.api.find(path), "the Secret is there")
    assert base64.b64decode(kubernetes.api.get(path)["data"]["key"]) == b"arrived"
