# SPDX-License-Identifier: Apache-2.0
"""What keeps the Connect stand-in honest: the real External Secrets Operator works with it.

Its Go SDK is 1Password's own, so what it asks and understands is what the real server speaks.
"""

import asyncio
import base64
from collections.abc import Iterator
from typing import Any

import pytest

from contract.serving import serve
from contract.test_vault import NEW, OLD, Home, fingerprint
from lokeys.adapters.http_clients import HttpClients
from lokeys.demo.parts.connect import ConnectServer
from parts.external_secrets import ExternalSecrets
from parts.kubernetes import Kubernetes
from parts.process import wait_for

GROUP = "external-secrets.io"


class Delivery:
    """A SecretStore on the stand-in and an ExternalSecret of the pair, in one namespace."""

    def __init__(self, kubernetes: Kubernetes, namespace: str, home: Home) -> None:
        self.kubernetes = kubernetes
        self.namespace = namespace
        self.home = home
        token = {"token": base64.b64encode(home.token.encode()).decode()}
        self.apply("v1", "Secret", "connect-token", data=token)
        reference = {"connectTokenSecretRef": {"name": "connect-token", "key": "token"}}
        provider = {
            "connectHost": home.url,
            "vaults": {"Homelab": 1},
            "auth": {"secretRef": reference},
        }
        self.apply(
            f"{GROUP}/v1",
            "SecretStore",
            "connect",
            spec={"provider": {"onepassword": provider}},
        )

    def apply(self, version: str, kind: str, name: str, **body: Any) -> None:
        metadata = {"name": name, "namespace": self.namespace, **body.pop("metadata", {})}
        self.kubernetes.apply({"apiVersion": version, "kind": kind, "metadata": metadata, **body})

    def ask(self, force: str) -> None:
        """Apply the ExternalSecret with this value of its annotation, which forces a sync."""
        data = [
            {"secretKey": name, "remoteRef": {"key": "loki s3", "property": label}}
            for name, label in (("ID", "access_key"), ("SECRET", "secret_key"))
        ]
        self.apply(
            f"{GROUP}/v1",
            "ExternalSecret",
            "loki",
            metadata={"annotations": {"force-sync": force}},
            spec={"refreshInterval": "1h", "secretStoreRef": {"name": "connect"}, "data": data},
        )

    def delivered(self) -> tuple[bytes, bytes] | None:
        path = f"/api/v1/namespaces/{self.namespace}/secrets/loki"
        secret = self.kubernetes.api.find(path)
        if not secret:
            return None
        return tuple(base64.b64decode(secret["data"][name]) for name in ("ID", "SECRET"))  # type: ignore[return-value]


@pytest.fixture
def delivery(
    kubernetes: Kubernetes, external_secrets: ExternalSecrets, namespace: str
) -> Iterator[Delivery]:
    if not external_secrets.running:
        external_secrets.start()
    server = ConnectServer()
    with serve(server.handle) as url:
        made = Delivery(kubernetes, namespace, Home(url, server))
        yield made
        # Its client has no timeout: gone objects, not a gone server, keep it out of trouble.
        for kind in ("externalsecret", "pushsecret", "secretstore"):
            kubernetes.kubectl("delete", kind, "--all", "-n", namespace, "--timeout=20s")


def test_eso_reads_the_pair_and_what_lokeys_wrote(delivery: Delivery) -> None:
    """The operator delivers the item's pair, and after our write and a forced sync the new one."""
    delivery.ask("1")
    old = (OLD.access_key_id.reveal(), OLD.secret_access_key.reveal())
    wait_for(lambda: delivery.delivered() == old, "the old pair is delivered")

    async def write() -> None:
        async with HttpClients() as clients:
            await delivery.home.port(clients).write(NEW, over=fingerprint(OLD))

    asyncio.run(write())
    delivery.ask("2")
    new = (NEW.access_key_id.reveal(), NEW.secret_access_key.reveal())
    wait_for(lambda: delivery.delivered() == new, "the new pair is delivered")


def test_eso_pushes_into_the_stand_in(delivery: Delivery) -> None:
    """A PushSecret, the weaker vault, makes and fills an item through the same server."""
    delivery.apply(
        "v1", "Secret", "source", stringData={"id": "PUSHEDID", "secret": "pushed secret"}
    )
    data = [
        {"match": {"secretKey": key, "remoteRef": {"remoteKey": "pushed", "property": label}}}
        for key, label in (("id", "access_key"), ("secret", "secret_key"))
    ]
    spec = {
        "refreshInterval": "1h",
        "secretStoreRefs": [{"name": "connect", "kind": "SecretStore"}],
        "selector": {"secret": {"name": "source"}},
        "data": data,
    }
    delivery.apply(f"{GROUP}/v1alpha1", "PushSecret", "push", spec=spec)

    def pushed() -> bool:
        items = delivery.home.server.vaults[delivery.home.vault_id].items
        values = [delivery.home.server.values(delivery.home.vault_id, item_id) for item_id in items]
        return {"access_key": "PUSHEDID", "secret_key": "pushed secret"} in values

    wait_for(pushed, "both fields are pushed", timeout_s=60)
