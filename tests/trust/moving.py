# SPDX-License-Identifier: Apache-2.0
"""A stack with static keys of the real RGW, on the real API server, and a shell to move it with."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from parts.api import ApiError
from parts.kubernetes import Kubernetes
from parts.process import wait_for
from parts.rgw import Rgw
from parts.rgw_iam import Iam, provider_arn
from trust.tools import Shell, shell

ROOT = Path(__file__).parents[2]
AUDIENCE = "sts.amazonaws.com"
NAME, ROLE = "my-stack", "loki-my-stack"


@dataclass(frozen=True, kw_only=True)
class StaticStack:
    """LokiStack `my-stack` with its Secret `loki-storage`; nobody operates it."""

    kubernetes: Kubernetes
    rgw: Rgw
    namespace: str
    shell: Shell
    secret_key: str = field(repr=False)

    def token(self, account: str, audience: str) -> str:
        """Return a token as the kubelet asks for it."""
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{account}/token"
        spec = {"audiences": [audience], "expirationSeconds": 600}
        body = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec": spec}
        token: str = self.kubernetes.api.post(path, body)["status"]["token"]
        return token

    @property
    def reads(self) -> dict[str, str]:
        """Return which Secret the stack names."""
        path = f"/apis/loki.grafana.com/v1/namespaces/{self.namespace}/lokistacks/{NAME}"
        found: dict[str, str] = self.kubernetes.api.get(path)["spec"]["storage"]["secret"]
        return found


@contextmanager
def static_stack(
    kubernetes: Kubernetes, rgw: Rgw, *, namespace: str, folder: Path
) -> Iterator[StaticStack]:
    """Make the stack, its bucket, its accounts and a stranger's; RGW trusts nobody's tokens yet."""
    definition = (ROOT / "deploy/chart/files/lokistack-crd/lokistacks.yaml").read_text()
    kubernetes.apply(*yaml.safe_load_all(definition))
    wait_for(lambda: served(kubernetes), "LokiStacks are served")
    pair = rgw.create_user(f"{namespace}-loki")
    assert rgw.request(pair, "PUT", f"/{namespace}-loki").is_success
    tools = shell(folder, kubernetes, rgw)
    with kubernetes.namespace(namespace), _unknown_issuer(kubernetes, rgw):
        kubernetes.apply(*_objects(namespace, rgw, pair))
        yield StaticStack(
            kubernetes=kubernetes,
            rgw=rgw,
            namespace=namespace,
            shell=tools,
            secret_key=pair[1],
        )


def served(kubernetes: Kubernetes) -> bool:
    """Tell whether LokiStacks are served already."""
    try:
        return kubernetes.api.find("/apis/loki.grafana.com/v1/lokistacks") is not None
    except ApiError as error:
        if error.status == 429:  # the storage of a new kind is still being made
            return False
        raise


@contextmanager
def _unknown_issuer(kubernetes: Kubernetes, rgw: Rgw) -> Iterator[None]:
    """Let RGW know nothing of the cluster's tokens; afterwards as much as before, or more."""
    iam, issuer = Iam(rgw), kubernetes.issuer.url
    arn = {"OpenIDConnectProviderArn": provider_arn(issuer)}
    before = iam._call("GetOpenIDConnectProvider", arn, may_miss=True)
    iam._call("DeleteOpenIDConnectProvider", arn, may_miss=True)
    try:
        yield
    finally:
        audiences = re.findall("<member>(.*?)</member>", before.partition("ClientIDList")[2])
        iam.trust(issuer, AUDIENCE, *audiences)
        policy = {"RoleName": ROLE, "PolicyName": "loki-storage"}
        iam._call("DeleteRolePolicy", policy, may_miss=True)
        iam._call("DeleteRole", {"RoleName": ROLE}, may_miss=True)


def _objects(namespace: str, rgw: Rgw, pair: tuple[str, str]) -> Iterator[dict[str, Any]]:
    placed = {"namespace": namespace}
    for name in (NAME, f"{NAME}-ruler", "stranger"):
        yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, **placed}}
    yield {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "loki-storage", **placed},
        "stringData": {
            "bucketnames": f"{namespace}-loki",
            "endpoint": rgw.endpoint,
            "access_key_id": pair[0],
            "access_key_secret": pair[1],
        },
    }
    yield {
        "apiVersion": "loki.grafana.com/v1",
        "kind": "LokiStack",
        "metadata": {"name": NAME, **placed},
        "spec": {
            "size": "1x.demo",
            "storageClassName": "fast",
            "storage": {
                "schemas": [{"version": "v13", "effectiveDate": "2025-01-01"}],
                "secret": {"name": "loki-storage", "type": "s3"},
            },
        },
    }
