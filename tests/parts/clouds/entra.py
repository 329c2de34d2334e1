# SPDX-License-Identifier: Apache-2.0
"""A stand-in of Microsoft Entra: gives an application's token for a federated credential.

It checks signature, issuer, subject, audience and time of the assertion as the real one does, and
answers with the real one's codes.
"""

import uuid
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from lokeys.clock import utc_now
from lokeys.http_server import HttpRequest, Response, json
from parts.clouds.assertions import Issuers, Refused, unsigned

HOST = "login.microsoftonline.com"
SCOPE = "https://storage.azure.com/.default"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFE_S = 3599
CODES = {"format": 50027, "signature": 700027, "expired": 700024, "early": 700024}


@dataclass(frozen=True, slots=True, kw_only=True)
class FederatedCredential:
    """Whose tokens an application takes for its own."""

    issuer: str
    subject: str
    audience: str = "api://AzureADTokenExchange"


@dataclass
class Entra:
    """One tenant, with applications by their client ids."""

    tenant: str
    issuers: Issuers
    applications: dict[str, list[FederatedCredential]] = field(default_factory=dict)
    given: dict[str, str] = field(default_factory=dict, repr=False)
    """Each access token that was given, and to which application."""
    refused: list[int] = field(default_factory=list)
    """The code of each refusal."""

    async def handle(self, request: HttpRequest) -> Response:
        """Answer what Azure's SDK asks: discovery of the host and of the tenant, and tokens."""
        root = f"https://{HOST}/{self.tenant}"
        match request.path.strip("/").split("/"):
            case ["common", "discovery", "instance"]:
                alias = {"preferred_network": HOST, "preferred_cache": HOST, "aliases": [HOST]}
                found = f"{root}/v2.0/.well-known/openid-configuration"
                return json({"tenant_discovery_endpoint": found, "metadata": [alias]})
            case [self.tenant, "v2.0", ".well-known", "openid-configuration"]:
                return json(
                    {
                        "issuer": f"{root}/v2.0",
                        "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
                        "token_endpoint": f"{root}/oauth2/v2.0/token",
                        "jwks_uri": f"{root}/discovery/v2.0/keys",
                    }
                )
            case [self.tenant, "oauth2", "v2.0", "token"] if request.method == "POST":
                return await self._token(dict(parse_qsl(request.body.decode())))
        return self._no(90002, "no such tenant")

    async def _token(self, form: dict[str, str]) -> Response:
        client = form.get("client_id", "")
        if client not in self.applications:
            return self._no(700016, f"application {client} was not found")
        scopes = form.get("scope", "").split()
        if form.get("client_assertion_type") != JWT_BEARER or SCOPE not in scopes:
            return self._no(90023, "only assertions for storage are taken here")
        try:
            claims = await self.issuers.claims(form.get("client_assertion", ""), now=utc_now())
        except Refused as error:
            return self._no(CODES.get(error.fault, 700211), str(error))
        return self._give(client, claims)

    def _give(self, client: str, claims: dict[str, object]) -> Response:
        audiences = claims.get("aud")
        known = [each for each in self.applications[client] if each.issuer == claims["iss"]]
        if not known:
            return self._no(700211, "no federated credential has this issuer")
        known = [each for each in known if each.subject == claims.get("sub")]
        if not known:
            return self._no(700213, f"no federated credential has the subject {claims.get('sub')}")
        if not any(audiences in (each.audience, [each.audience]) for each in known):
            return self._no(700212, "no federated credential has this audience")
        moment = int(utc_now().timestamp())
        token = unsigned(
            {
                "iss": f"https://sts.windows.net/{self.tenant}/",
                "aud": "https://storage.azure.com",
                "appid": client,
                "jti": str(uuid.uuid4()),
                "iat": moment,
                "nbf": moment,
                "exp": moment + LIFE_S,
            }
        )
        self.given[token] = client
        answer = {"token_type": "Bearer", "expires_in": LIFE_S, "ext_expires_in": LIFE_S}
        return json(answer | {"access_token": token})

    def _no(self, code: int, text: str) -> Response:
        self.refused.append(code)
        said = {"error": "invalid_client", "error_description": f"AADSTS{code}: {text}"}
        return json(said | {"error_codes": [code]}, status=400 if code == 90002 else 401)
