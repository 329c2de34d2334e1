# SPDX-License-Identifier: Apache-2.0
"""Azure and Google as pods of tests see them: stores and token services, by their own names."""

import json
import subprocess
from pathlib import Path
from typing import Any

from parts.clouds import google
from parts.clouds.assertions import Issuers
from parts.clouds.entra import HOST as ENTRA
from parts.clouds.entra import Entra, FederatedCredential
from parts.clouds.front import Front, azure_store, certificates, google_store
from parts.clouds.google import Google, Provider
from parts.clouds.stores import Azurite, FakeGcs
from parts.issuer import public_key
from parts.kubelet.node import Kubelet
from parts.kubernetes import Kubernetes

TENANT = "aaaaaaaa-1111-4222-8333-444444444444"
ACCOUNT = "lokilogs"
PROJECT = "test-project"
POOLS = "//iam.googleapis.com/projects/123456789/locations/global/workloadIdentityPools"
PROVIDER = f"{POOLS}/pool/providers/cluster"
HOSTS = (ENTRA, f"{ACCOUNT}.blob.core.windows.net", *google.HOSTS)


class Clouds:
    """Both clouds, which believe tokens of one cluster where a test tells them to."""

    def __init__(self, kubernetes: Kubernetes, kubelet: Kubelet, folder: Path) -> None:
        self.issuer = kubernetes.issuer.url
        issuers = Issuers(urls=frozenset({self.issuer}), ca_file=kubernetes.ca_file)
        self.entra = Entra(TENANT, issuers)
        self.google = Google(issuers)
        self.gcs = FakeGcs()
        self.accounts: dict[str, list[str]] = {}
        """Which Google accounts may use a bucket."""
        self._kubelet = kubelet
        self._folder = folder
        own = folder / "azurite"
        own.mkdir()
        _, certificate, key = certificates(own, ["localhost"])
        self.azurite = Azurite(account=ACCOUNT, certificate=certificate, key=key)
        self.front: Front | None = None

    def start(self) -> None:
        self.gcs.start()
        self.azurite.start()
        names = {
            ENTRA: lambda _, request: self.entra.handle(request),
            "*.blob.core.windows.net": azure_store(self.entra, self.azurite.url),
            google.STORAGE: google_store(self.google, self.gcs.url, self.accounts),
            "*.googleapis.com": self.google.handle,
        }
        self.front = Front(self._kubelet.address, names, self._folder)
        self._kubelet.lead(HOSTS, self.front.address, trusting=self.front.ca_file)

    def close(self) -> None:
        if self.front:
            self.front.close()
        self.azurite.stop()
        self.gcs.stop()

    def trust_at_azure(self, client_id: str, *subjects: str) -> None:
        """Make an application that takes these accounts' tokens for its own."""
        self.entra.applications[client_id] = [
            FederatedCredential(issuer=self.issuer, subject=subject) for subject in subjects
        ]

    def trust_at_google(self, bucket: str, account: str, *subjects: str) -> dict[str, Any]:
        """Make a bucket, an account that may use it, and who may be it; return its `key.json`."""
        self.gcs.make_bucket(bucket)
        self.accounts[bucket] = [account]
        audiences = (f"https:{PROVIDER}", "openshift")
        self.google.providers[PROVIDER] = Provider(
            name=PROVIDER, issuer=self.issuer, audiences=audiences
        )
        self.google.users[account] = set(subjects)
        impersonation = f"https://{google.IMPERSONATION}/v1/projects/-/serviceAccounts/{account}"
        return {
            "type": "external_account",
            "audience": PROVIDER,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": f"https://{google.STS}/v1/token",
            "service_account_impersonation_url": f"{impersonation}:generateAccessToken",
            "credential_source": {
                "file": "/var/run/secrets/storage/serviceaccount/token",
                "format": {"type": "text"},
            },
        }

    def google_key(self, bucket: str, account: str) -> str:
        """Make a bucket and an account with a key that may use it; return its `key.json`."""
        self.gcs.make_bucket(bucket)
        self.accounts[bucket] = [account]
        path = self._folder / f"{account}.key"
        command = ["openssl", "genpkey", "-algorithm", "RSA", "-out", str(path)]
        subprocess.run(command, check=True, capture_output=True)
        self.google.keys[account] = public_key(path)
        return json.dumps(
            {
                "type": "service_account",
                "project_id": PROJECT,
                "private_key_id": self.google.keys[account]["kid"],
                "private_key": path.read_text(),
                "client_email": account,
                "client_id": "1",
                "token_uri": f"https://{google.KEYS}/token",
            }
        )
