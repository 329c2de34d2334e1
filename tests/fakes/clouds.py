# SPDX-License-Identifier: Apache-2.0
"""Providers and stores of all clouds in memory: they take everything, or answer as a test says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from lokeys.core.findings.link import Link, held
from lokeys.core.proxies import Proxies
from lokeys.core.sensitive import KeyPair, Sensitive
from lokeys.core.trust.tries.identity import Place, ServiceAccountKey, StaticKey, Trust
from lokeys.core.trust.tries.verification import LinkName
from lokeys.ports import Credential, Exchanged, IssuedToken

TEMPORARY = KeyPair(
    access_key_id=Sensitive("id"),
    secret_access_key=Sensitive("canary"),
    session_token=Sensitive("canary"),
)
TAKEN = Exchanged(
    links=(held(LinkName.TRUST), held(LinkName.IDENTITY, "role")), credential=TEMPORARY
)


@dataclass
class FakeClouds:
    """Providers and stores that take everything, or answer as the test says."""

    exchanged: Exchanged = TAKEN
    store: Link = field(default_factory=lambda: held(LinkName.STORE))
    shown: list[Trust | StaticKey] = field(default_factory=list)
    tried: list[tuple[Place, Credential, str]] = field(default_factory=list)
    ca_bundles: list[str | None] = field(default_factory=list)
    proxies: list[Proxies] = field(default_factory=list)

    @asynccontextmanager
    async def through(self, proxies: Proxies) -> AsyncIterator[FakeClouds]:
        self.proxies.append(proxies)
        yield self

    async def exchange(
        self, trust: Trust, issued: IssuedToken, *, ca_bundle: str | None
    ) -> Exchanged:
        self.shown.append(trust)
        self.ca_bundles.append(ca_bundle)
        return self.exchanged

    async def log_in(self, key: StaticKey) -> Exchanged:
        self.shown.append(key)
        link = (held(LinkName.IDENTITY),) if isinstance(key, ServiceAccountKey) else ()
        return Exchanged(links=link, credential=TEMPORARY)

    async def try_place(self, place: Place, credential: Credential, *, owner: str) -> Link:
        self.tried.append((place, credential, owner))
        return self.store
