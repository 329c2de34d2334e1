# SPDX-License-Identifier: Apache-2.0
"""A stand-in of Google's token services: STS, impersonation, and keys of service accounts.

It checks signature, issuer, audience and time of what it is given as the real ones do.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from lokeys.clock import utc_now
from lokeys.http_server import HttpRequest, Response, json
from parts.clouds.assertions import Issuers, Refused, in_force, is_signed, read

STS, IMPERSONATION = "sts.googleapis.com", "iamcredentials.googleapis.com"
KEYS, STORAGE = "oauth2.googleapis.com", "storage.googleapis.com"
HOSTS = (STS, IMPERSONATION, KEYS, STORAGE)
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LIFE_S = 3600
WRITES = ("cloud-platform", "devstorage.full_control", "devstorage.read_write")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A workload identity provider: whose tokens it takes, and for which audiences."""

    name: str
    issuer: str
    audiences: tuple[str, ...]


@dataclass
class Google:
    """Providers, service accounts, and who may be whom.

    `users` are the subjects that may act as a service account; `keys` the public keys that service
    accounts sign with themselves.
    """

    issuers: Issuers
    providers: dict[str, Provider] = field(default_factory=dict)
    users: dict[str, set[str]] = field(default_factory=dict)
    keys: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    given: dict[str, str] = field(default_factory=dict, repr=False)
    """Each access token of a service account that was given, and whose it is."""
    refused: list[str] = field(default_factory=list)
    _federated: dict[str, str] = field(default_factory=dict, repr=False)

    async def handle(self, host: str, request: HttpRequest) -> Response:
        """Answer one of the token services, by its host's name."""
        if request.method != "POST":
            return self._no(404, "not found")
        if host == STS and request.path == "/v1/token":
            return await self._exchange(dict(parse_qsl(request.body.decode())))
        if host == IMPERSONATION and request.path.endswith(":generateAccessToken"):
            account = request.path.rpartition("/")[2].removesuffix(":generateAccessToken")
            return self._impersonate(account, request)
        if host == KEYS and request.path == "/token":
            return self._sign_in(dict(parse_qsl(request.body.decode())))
        return self._no(404, "not found")

    def whose(self, token: str) -> str | None:
        """Return whose access token this is: one that was given here, or one signed with a key."""
        if token in self.given:
            return self.given[token]
        try:
            account = self._signer(token)
        except Refused:
            return None
        scopes = str(read(token)[1].get("scope", ""))
        return account if any(scope in scopes for scope in WRITES) else None

    async def _exchange(self, form: dict[str, str]) -> Response:
        provider = self.providers.get(form.get("audience", ""))
        if provider is None or form.get("grant_type") != EXCHANGE:
            return self._no(400, "invalid_target: no such provider")
        try:
            claims = await self.issuers.claims(form.get("subject_token", ""), now=utc_now())
        except Refused as error:
            return self._no(400, f"invalid_grant: {error}")
        if claims["iss"] != provider.issuer:
            return self._no(400, "invalid_grant: another issuer than the provider's")
        audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        if not set(audiences) & set(provider.audiences):
            return self._no(400, "invalid_grant: the audience is none of the provider's")
        token = f"federated.{secrets.token_hex(8)}"
        self._federated[token] = claims["sub"]
        kind = "urn:ietf:params:oauth:token-type:access_token"
        answer = {"access_token": token, "issued_token_type": kind}
        return json(answer | {"token_type": "Bearer", "expires_in": LIFE_S})

    def _impersonate(self, account: str, request: HttpRequest) -> Response:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        subject = self._federated.get(bearer)
        if subject is None:
            return self._no(401, "UNAUTHENTICATED")
        if subject not in self.users.get(account, ()):
            return self._no(403, f"PERMISSION_DENIED: {subject} may not act as {account}")
        scopes = msgspec.json.decode(request.body).get("scope", [])
        if not any(word in scope for scope in scopes for word in WRITES):
            return self._no(400, "INVALID_ARGUMENT: no scope of storage")
        token = self._give(account)
        ends = (utc_now() + timedelta(seconds=LIFE_S)).strftime("%Y-%m-%dT%H:%M:%SZ")
        return json({"accessToken": token, "expireTime": ends})

    def _sign_in(self, form: dict[str, str]) -> Response:
        try:
            account = self._signer(form.get("assertion", ""))
        except Refused as error:
            return self._no(400, f"invalid_grant: {error}")
        answer = {"access_token": self._give(account), "token_type": "Bearer"}
        return json(answer | {"expires_in": LIFE_S})

    def _signer(self, token: str) -> str:
        """Return the service account that signed a token with its own key."""
        account = str(read(token)[1].get("iss", ""))
        if account not in self.keys or not is_signed(token, key=dict(self.keys[account])):
            raise Refused("signature", "no service account of ours signed this")
        in_force(read(token)[1], now=utc_now())
        return account

    def _give(self, account: str) -> str:
        token = f"ya29.{secrets.token_hex(16)}"
        self.given[token] = account
        return token

    def _no(self, status: int, text: str) -> Response:
        self.refused.append(text)
        return json({"error": text.partition(":")[0], "error_description": text}, status=status)
