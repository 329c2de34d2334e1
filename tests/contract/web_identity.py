# SPDX-License-Identifier: Apache-2.0
"""One stack in token mode on a real API server and a real RGW, and levers to break its trust."""

from __future__ import annotations

import asyncio
import itertools
import os
from dataclasses import dataclass, field
from typing import Any

from lokeys.adapters.clouds import AllClouds
from lokeys.adapters.http_clients import HttpClients
from lokeys.adapters.kubernetes.objects import LiveObjects
from lokeys.adapters.kubernetes.token_request import TokenRequests
from lokeys.clock import utc_now
from lokeys.core.place import Ref
from lokeys.core.stack.resource.parse import parse
from lokeys.core.stack.storage.read import read_storage
from lokeys.core.stack.storage.secret_data import secret_data
from lokeys.core.trust.tries.verification import Verification
from lokeys.engine.stack.verify import Verifier
from lokeys.kube.client import Api
from lokeys.kube.kubeconfig import load
from parts.kubernetes import Kubernetes
from parts.rgw import Rgw
from parts.rgw_iam import Iam

AUDIENCE = "sts.amazonaws.com"
_numbers = itertools.count(1)


@dataclass
class World:
    """One stack in token mode on RGW: a namespace, a bucket, a role, a trusted issuer."""

    kubernetes: Kubernetes
    rgw: Rgw
    namespace: str
    bucket: str = field(default_factory=lambda: f"tokens-{os.getpid()}-{next(_numbers)}")
    audience: str = AUDIENCE
    role_arn: str = ""
    endpoint: str = ""

    def __post_init__(self) -> None:
        self.iam = Iam(self.rgw)
        self.role = f"loki-{self.bucket}"
        self.owner = self.rgw.create_user(self.bucket)
        assert self.rgw.request(self.owner, "PUT", f"/{self.bucket}").status_code == 200
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts"
        for name in ("logs", "logs-ruler"):
            if self.kubernetes.api.find(f"{path}/{name}") is None:
                self.kubernetes.api.post(path, {"metadata": {"name": name}})
        self.iam.trust(self.kubernetes.issuer.url, AUDIENCE)
        self.make_role()

    def make_role(self, *, account: str = "logs", audience: str = AUDIENCE) -> None:
        self.role_arn = self.iam.make_role(
            self.role,
            issuer=self.kubernetes.issuer.url,
            audience=audience,
            subjects=[f"system:serviceaccount:{self.namespace}:{account}"],
            buckets=[self.bucket],
        )

    def manifest(self) -> dict[str, Any]:
        """Return the LokiStack's manifest."""
        return {
            "apiVersion": "loki.grafana.com/v1",
            "kind": "LokiStack",
            "metadata": {"name": "logs", "namespace": self.namespace},
            "spec": {
                "size": "1x.demo",
                "storageClassName": "standard",
                "storage": {
                    "secret": {"name": "storage", "type": "s3"},
                    "schemas": [{"version": "v13", "effectiveDate": "2024-10-25"}],
                },
            },
        }

    def secret(self, *, bucket: str | None = None) -> dict[str, str]:
        """Return what stands in the stack's storage Secret."""
        return {
            "bucketnames": bucket or self.bucket,
            "region": "default",
            "role_arn": self.role_arn,
            "endpoint": self.endpoint or self.rgw.endpoint,
            "audience": self.audience,
        }

    def verify(self, *, account: str = "logs", bucket: str | None = None) -> Verification:
        """Try the way of one account, as the operator does."""
        return asyncio.run(self._verify(account, self.secret(bucket=bucket)))

    async def _verify(self, account: str, text: dict[str, str]) -> Verification:
        stack, findings = parse(self.manifest())
        assert stack is not None, findings
        ref = Ref("Secret", "storage", self.namespace)
        secret = secret_data({"stringData": text}, ref=ref, stack=stack.ref).data
        read = read_storage(stack.ref, "s3", None, secret=secret)
        assert read.storage is not None, read.findings
        config = load(kubeconfig=str(self.kubernetes.kubeconfig))
        async with Api(config) as api, HttpClients() as clients:
            verifier = Verifier(
                tokens=TokenRequests(api),
                clouds=AllClouds(clients=clients, clock=utc_now),
                objects=LiveObjects(api),
            )
            return await verifier.verify(stack, read.storage, secret, account=account)
