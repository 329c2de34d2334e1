# SPDX-License-Identifier: Apache-2.0
"""All clouds behind one port: selects the adapter of a trust, a key or a place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import assert_never

from lokeys.adapters.aws.s3_place import try_s3
from lokeys.adapters.aws.sts import Sts
from lokeys.adapters.azure.blob import BlobContainer
from lokeys.adapters.azure.identity import exchange_at_entra
from lokeys.adapters.google.identity import exchange_at_google, log_in_at_google
from lokeys.adapters.google.storage import GcsBucket
from lokeys.adapters.http_clients import HttpClients
from lokeys.core.findings.link import Link, broken
from lokeys.core.proxies import Proxies
from lokeys.core.sensitive import KeyPair, Sensitive
from lokeys.core.trust.tries.identity import (
    AccessKey,
    AccountKey,
    BlobPlace,
    FederatedApp,
    GcsPlace,
    Place,
    PoolProvider,
    Role,
    S3Place,
    ServiceAccountKey,
    StaticKey,
    Trust,
)
from lokeys.core.trust.tries.verification import LinkName
from lokeys.errors import BadInput
from lokeys.ports import Clock, Credential, Exchanged, IssuedToken


@dataclass(frozen=True, slots=True, kw_only=True)
class AllClouds:
    """A `Clouds` over plain HTTP."""

    clients: HttpClients
    clock: Clock

    @asynccontextmanager
    async def through(self, proxies: Proxies) -> AsyncIterator[AllClouds]:
        """Return the same clouds, reached through these proxies while the context is open."""
        async with self.clients.through(proxies) as clients:
            yield replace(self, clients=clients)

    async def exchange(
        self, trust: Trust, issued: IssuedToken, *, ca_bundle: str | None
    ) -> Exchanged:
        """Send a token to the provider that trusts it; an STS is verified by the stack's CA alone.

        Pods have it as AWS_CA_BUNDLE, which replaces the public authorities.
        """
        match trust:
            case Role():
                try:
                    client = self.clients.trusting(ca_bundle)
                except BadInput as error:
                    link = broken(LinkName.TRUST, "tls_unknown_authority", str(error))
                    return Exchanged(links=(link,))
                return await Sts(client).exchange(trust, issued)
            case FederatedApp():
                return await exchange_at_entra(trust, issued, client=self.clients.trusting(None))
            case PoolProvider():
                return await exchange_at_google(trust, issued, client=self.clients.trusting(None))
            case other:
                assert_never(other)

    async def log_in(self, key: StaticKey) -> Exchanged:
        """Return the credential for a static key."""
        match key:
            case AccessKey():
                return Exchanged(credential=key.pair)
            case AccountKey():
                return Exchanged(credential=key)
            case ServiceAccountKey():
                client = self.clients.trusting(None)
                return await log_in_at_google(key, client=client, clock=self.clock)
            case other:
                assert_never(other)

    async def try_place(self, place: Place, credential: Credential, *, owner: str) -> Link:
        """Put, get, list and delete one object."""
        match place, credential:
            case S3Place(), KeyPair():
                try:
                    return await try_s3(
                        place, credential, owner=owner, clients=self.clients, clock=self.clock
                    )
                except BadInput as error:
                    return broken(LinkName.STORE, "tls_unknown_authority", str(error))
            case BlobPlace(), Sensitive() | AccountKey():
                container = BlobContainer(
                    place=place,
                    credential=credential,
                    client=self.clients.trusting(None),
                    clock=self.clock,
                )
                return await container.try_fully(owner=owner)
            case GcsPlace(), Sensitive():
                client = self.clients.trusting(None)
                bucket = GcsBucket(place=place, token=credential, client=client)
                return await bucket.try_fully(owner=owner)
        raise TypeError("a credential of one cloud for the place of another")
