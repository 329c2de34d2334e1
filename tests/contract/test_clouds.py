# SPDX-License-Identifier: Apache-2.0
"""Tokens of the real API server at Azure's and Google's token services, and their stores' keys.

The token services are stand-ins that check signature, issuer, subject, audience and time; behind
them stand Azurite and fake-gcs-server. All are reached by the clouds' own names.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import format_datetime

import httpx2
import pytest

from lokeys.adapters.azure.sign import authorization
from lokeys.adapters.clouds import AllClouds
from lokeys.adapters.http_clients import HttpClients
from lokeys.adapters.kubernetes.objects import LiveObjects
from lokeys.adapters.kubernetes.token_request import TokenRequests
from lokeys.clock import utc_now
from lokeys.core.sensitive import Sensitive
from lokeys.core.stack.resource.model import LokiStack, Size
from lokeys.core.stack.storage.read import read_storage
from lokeys.core.stack.storage.secret_data import secret_data
from lokeys.core.trust.tries.identity import AccountKey
from lokeys.core.trust.tries.verification import Verification
from lokeys.engine.stack.verify import Verifier
from lokeys.kube.client import Api
from lokeys.kube.kubeconfig import load
from parts.clouds.stores import Azurite
from parts.clouds.world import ACCOUNT, PROVIDER, TENANT, Clouds
from parts.kubernetes import Kubernetes

CLIENT = "cccccccc-1111-4222-8333-444444444444"
LOKI = "loki@test-project.iam.gserviceaccount.com"


class CloudClients(HttpClients):
    """Clients that trust the authority of the clouds of tests where others trust the world's."""

    def __init__(self, clouds: Clouds) -> None:
        assert clouds.front is not None
        self._ca, address = clouds.front.ca_file.read_text(), clouds.front.address

        async def dial(_host: str, port: int) -> tuple[str, int]:
            return address, port

        super().__init__(dial=dial)

    def trusting(self, ca_bundle: str | None) -> httpx2.AsyncClient:
        """Return the client for a CA bundle, or for the authority of tests."""
        return super().trusting(ca_bundle or self._ca)


def make_container(azurite: Azurite, name: str) -> None:
    """Make a container, as whoever holds the account's key may."""
    headers = {
        "x-ms-date": format_datetime(utc_now(), usegmt=True),
        "x-ms-version": "2021-08-06",
        "Content-Length": "0",
    }
    key = AccountKey(account=azurite.account, key=Sensitive(azurite.account_key))
    # Azurite without the account's own host has the account in the path; it signs that, too.
    url = f"{azurite.url}/{azurite.account}/{name}?restype=container"
    headers["Authorization"] = authorization("PUT", url, headers, key)
    answer = httpx2.put(url, headers=headers, verify=False, trust_env=False, timeout=10)
    assert answer.is_success, answer.text


@dataclass
class Home:
    """A stack's namespace, and its storage Secret."""

    kubernetes: Kubernetes
    clouds: Clouds
    namespace: str
    type: str = ""
    secret: dict[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts"
        self.kubernetes.api.post(path, {"metadata": {"name": "logs"}})
        self.subject = f"system:serviceaccount:{self.namespace}:logs"

    def on_azure(self) -> None:
        """Give the stack a container and an application that trusts it."""
        self.type = "azure"
        make_container(self.clouds.azurite, self.namespace)
        self.clouds.trust_at_azure(CLIENT, self.subject)
        self.secret = {
            "environment": "AzureGlobal",
            "container": self.namespace,
            "account_name": ACCOUNT,
            "client_id": CLIENT,
            "tenant_id": TENANT,
            "subscription_id": CLIENT,
        }

    def on_google(self) -> None:
        """Give the stack a bucket and an account that its subject may act as."""
        self.type = "gcs"
        key = self.clouds.trust_at_google(self.namespace, LOKI, self.subject)
        self.secret = {
            "bucketname": self.namespace,
            "audience": f"https:{PROVIDER}",
            "key.json": json.dumps(key),
        }

    def verify(self) -> Verification:
        """Try the way of the stack's account, as the operator does."""
        return asyncio.run(self._verify())

    async def _verify(self) -> Verification:
        stack = LokiStack(
            name="logs",
            namespace=self.namespace,
            size=Size.DEMO,
            schemas=(),
            storage_secret_name="storage",
            storage_type=self.type,
            storage_class_name="local",
        )
        data = {"stringData": self.secret}
        secret = secret_data(data, ref=stack.secret_ref, stack=stack.ref).data
        read = read_storage(stack.ref, self.type, None, secret=secret)
        assert read.storage is not None, [finding.message for finding in read.findings]
        config = load(kubeconfig=str(self.kubernetes.kubeconfig))
        async with Api(config) as api, CloudClients(self.clouds) as clients:
            verifier = Verifier(
                tokens=TokenRequests(api),
                clouds=AllClouds(clients=clients, clock=utc_now),
                objects=LiveObjects(api),
            )
            return await verifier.verify(stack, read.storage, secret, account="logs")


@pytest.fixture
def home(kubernetes: Kubernetes, clouds: Clouds, namespace: str) -> Home:
    """Make a namespace with the stack's account."""
    return Home(kubernetes, clouds, namespace)


@pytest.mark.parametrize("there", [Home.on_azure, Home.on_google])
def test_a_token_opens_the_store(home: Home, there: Callable[[Home], None]) -> None:
    """Token, claims, exchange, identity and the four calls: all hold."""
    there(home)
    tried = home.verify()
    assert tried.verified is True, tried
    assert len(tried.links) == 8


def _no_application(home: Home) -> None:
    del home.clouds.entra.applications[CLIENT]


def _another_subject(home: Home) -> None:
    home.clouds.trust_at_azure(CLIENT, f"{home.subject}-ruler")


def _another_audience(home: Home) -> None:
    home.secret["audience"] = "somebody-else"


def _another_container(home: Home) -> None:
    home.secret["container"] = "nobody-made-this"


@pytest.mark.parametrize(
    ("breaks", "link", "cause"),
    [
        (_no_application, "trust", "azure_client_or_tenant_wrong"),
        (_another_subject, "subject", "azure_federated_credential_mismatch"),
        (_another_audience, "audience", "azure_federated_credential_mismatch"),
        (_another_container, "store", "bucket_not_found"),
    ],
)
def test_azure_names_the_link_that_breaks(
    home: Home, breaks: Callable[[Home], None], link: str, cause: str
) -> None:
    """By the code of Entra's answer, and of the store's."""
    home.on_azure()
    breaks(home)
    broken = home.verify().first_broken
    assert broken is not None
    assert (broken.name, broken.cause) == (link, cause)


def _no_provider(home: Home) -> None:
    home.clouds.google.providers.clear()


def _not_allowed(home: Home) -> None:
    home.secret["audience"] = "somebody-else"


def _nobody(home: Home) -> None:
    home.clouds.google.users[LOKI] = set()


def _no_right(home: Home) -> None:
    home.clouds.accounts[home.namespace] = []


@pytest.mark.parametrize(
    ("breaks", "link", "cause"),
    [
        (_no_provider, "trust", "gcs_wif_pool_missing"),
        (_not_allowed, "audience", "gcs_wif_audience_mismatch"),
        (_nobody, "identity", "gcs_impersonation_denied"),
        (_no_right, "store", "gcs_permission_denied"),
    ],
)
def test_google_names_the_link_that_breaks(
    home: Home, breaks: Callable[[Home], None], link: str, cause: str
) -> None:
    """By the error of the exchange's answer, IAM's and the store's."""
    home.on_google()
    breaks(home)
    broken = home.verify().first_broken
    assert broken is not None
    assert (broken.name, broken.cause) == (link, cause)


def test_an_account_key_opens_the_container(home: Home) -> None:
    """Signed as Azurite checks it; another key is told as wrong."""
    home.on_azure()
    for name in ("client_id", "tenant_id", "subscription_id"):
        del home.secret[name]
    home.secret["account_key"] = home.clouds.azurite.account_key
    assert home.verify().verified is True
    home.secret["account_key"] = "AAAA" + home.clouds.azurite.account_key[4:]
    broken = home.verify().first_broken
    assert broken is not None
    assert broken.cause == "azure_account_key_invalid"


def test_a_service_accounts_own_key_opens_the_bucket(home: Home) -> None:
    """Its signature is checked; a key that Google no longer knows is told as refused."""
    home.type = "gcs"
    home.secret = {
        "bucketname": home.namespace,
        "key.json": home.clouds.google_key(home.namespace, LOKI),
    }
    assert home.verify().verified is True
    del home.clouds.google.keys[LOKI]
    broken = home.verify().first_broken
    assert broken is not None
    assert (broken.name, broken.cause) == ("identity", "gcs_invalid_jwt")
