# SPDX-License-Identifier: Apache-2.0
"""Requests a service account's token from the API server: for a provider, and for ten minutes.

A token for the API server's own audience would be a login to the cluster: lokeys never requests
one, nor one for an audience that may be the server's. The server may have more audiences than its
issuer (`--api-audiences`), and lists them nowhere: so each token is first tested at the server, and
one that it accepts is not sent anywhere.
"""

from __future__ import annotations

import asyncio

import msgspec

from lokeys.core.kubernetes.json_fields import text_at
from lokeys.core.place import Ref
from lokeys.core.sensitive import Sensitive
from lokeys.core.trust.tries.claims import claims_of, is_of_api_server
from lokeys.errors import NeedsHuman, NotReadable
from lokeys.kube.client import Api
from lokeys.ports import IssuedToken

LIFETIME_S = 600
"""The shortest lifetime that the API server accepts."""
KNOWN_S = 60.0
"""An API server that is restarted can have another issuer."""
_DISCOVERY = "/.well-known/openid-configuration"


class TokenRequests:
    """A `TokenPort` on one API server."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._issuer = ""
        self._asked_at = float("-inf")

    async def issuer(self) -> str:
        """Return the issuer in the discovery document, at most a minute old."""
        now = asyncio.get_running_loop().time()
        if now - self._asked_at >= KNOWN_S:
            self._issuer = _issuer_in(await self._api.raw_get(_DISCOVERY))
            self._asked_at = now
        return self._issuer

    async def request(self, account: Ref, *, audience: str) -> IssuedToken:
        """Request a token. Raises Forbidden, NotFound, NeedsHuman for the API server's audience."""
        if is_of_api_server(audience, issuer=await self.issuer()):
            raise NeedsHuman(
                f"no token is asked for: the audience `{audience}` is the API server's own"
            )
        status = await self._api.create_token(
            account.name,
            namespace=account.namespace or self._api.current_namespace,
            audience=audience,
            lifetime_s=LIFETIME_S,
        )
        token = text_at(status, "token").encode()
        claims = claims_of(token)
        if claims is None:
            raise NotReadable(f"the API server's token of {account} is no JSON Web Token")
        if await self._api.accepts(token.decode()):
            raise NeedsHuman(
                f"the token for `{audience}` goes nowhere: the API server itself accepts it, so it "
                "is a login to the cluster"
            )
        return IssuedToken(token=Sensitive(token), claims=claims)


def _issuer_in(document: bytes) -> str:
    try:
        issuer = text_at(msgspec.json.decode(document), "issuer")
    except msgspec.DecodeError:
        issuer = ""
    if not issuer:
        raise NotReadable(f"the API server's {_DISCOVERY} names no issuer")
    return issuer
