# SPDX-License-Identifier: Apache-2.0
"""Sends a web identity to Entra: the token is the client's assertion, the answer a bearer token."""

from __future__ import annotations

from urllib.parse import quote

import httpx2

from lokeys.adapters.azure import answers as azure_answers
from lokeys.adapters.link_requests import form_request, reply_or_link
from lokeys.core.findings.link import Link, held
from lokeys.core.sensitive import Sensitive
from lokeys.core.trust.tries.claims import as_evidence
from lokeys.core.trust.tries.identity import FederatedApp
from lokeys.core.trust.tries.verification import LinkName
from lokeys.ports import Exchanged, IssuedToken

SCOPE = "https://storage.azure.com/.default"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


async def exchange_at_entra(
    app: FederatedApp, issued: IssuedToken, *, client: httpx2.AsyncClient
) -> Exchanged:
    """Return a bearer token for Azure's storage, or the link that is refused."""
    url = f"{app.authority.rstrip('/')}/{quote(app.tenant_id, safe='')}/oauth2/v2.0/token"
    form = {
        "grant_type": "client_credentials",
        "client_id": app.client_id,
        "scope": SCOPE,
        "client_assertion_type": _ASSERTION,
        "client_assertion": issued.token.reveal_text(),
    }
    reply = await reply_or_link(client, form_request(url, form), name=LinkName.TRUST)
    if isinstance(reply, Link):
        return Exchanged(links=(reply,))
    token = azure_answers.access_token(reply)
    if not token:
        evidence = as_evidence(issued.claims)
        return Exchanged(links=(azure_answers.judge_exchange(reply, evidence=evidence),))
    trust = held(LinkName.TRUST, f"Entra takes the token for tenant {app.tenant_id}")
    identity = held(LinkName.IDENTITY, f"client {app.client_id}")
    return Exchanged(links=(trust, identity), credential=Sensitive(token))
