# SPDX-License-Identifier: Apache-2.0
"""Sends a web identity to Google's token exchange, and a service account's key to its login."""

from __future__ import annotations

import json
from datetime import timedelta

import httpx2

from lokeys.adapters.google import answers as google_answers
from lokeys.adapters.link_requests import form_request, reply_or_link
from lokeys.core.findings.link import Link, broken, held, untried
from lokeys.core.sensitive import Sensitive
from lokeys.core.trust.tries.claims import as_evidence
from lokeys.core.trust.tries.identity import PoolProvider, ServiceAccountKey
from lokeys.core.trust.tries.verification import LinkName
from lokeys.ports import Clock, Exchanged, IssuedToken

PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
STORAGE = "https://www.googleapis.com/auth/devstorage.read_write"
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFETIME = timedelta(minutes=10)


async def exchange_at_google(
    provider: PoolProvider, issued: IssuedToken, *, client: httpx2.AsyncClient
) -> Exchanged:
    """Return a bearer token for the bucket, or the link that is refused."""
    form = {
        "grant_type": _EXCHANGE,
        "audience": provider.name,
        "scope": PLATFORM,
        "requested_token_type": _ACCESS_TOKEN,
        "subject_token": issued.token.reveal_text(),
        "subject_token_type": provider.token_type,
    }
    request = form_request(provider.token_url, form)
    reply = await reply_or_link(client, request, name=LinkName.TRUST)
    if isinstance(reply, Link):
        return Exchanged(links=(reply,))
    token = google_answers.token_in(reply, "access_token")
    if not token:
        refusal = google_answers.judge_exchange(reply, evidence=as_evidence(issued.claims))
        return Exchanged(links=(refusal,))
    trust = held(LinkName.TRUST, "the provider takes the token")
    if provider.impersonation_url:
        return await _impersonated(provider.impersonation_url, token, trust, client=client)
    identity = held(LinkName.IDENTITY, f"subject {issued.claims.subject} of the pool")
    return Exchanged(links=(trust, identity), credential=Sensitive(token))


async def _impersonated(
    url: str, token: str, trust: Link, *, client: httpx2.AsyncClient
) -> Exchanged:
    email = url.rpartition("/")[2].partition(":")[0]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    body = json.dumps({"scope": [STORAGE], "lifetime": f"{_LIFETIME.seconds}s"}).encode()
    request = httpx2.Request("POST", url, headers=headers, content=body)
    reply = await reply_or_link(client, request, name=LinkName.IDENTITY)
    if isinstance(reply, Link):
        return Exchanged(links=(trust, reply))
    granted = google_answers.token_in(reply, "accessToken")
    if not granted:
        return Exchanged(links=(trust, google_answers.judge_impersonation(reply, email=email)))
    identity = held(LinkName.IDENTITY, f"service account {email}")
    return Exchanged(links=(trust, identity), credential=Sensitive(granted))


async def log_in_at_google(
    key: ServiceAccountKey, *, client: httpx2.AsyncClient, clock: Clock
) -> Exchanged:
    """Return a bearer token for a service account's own key, or why there is none."""
    try:
        assertion = _assertion(key, clock)
    except ImportError:
        words = "not tried: it needs the extra `gcp` of lokeys (pip install 'lokeys[gcp]')"
        return Exchanged(links=(untried(LinkName.IDENTITY, words),))
    except ValueError:
        words = "the private key in key.json is none that can sign"
        return Exchanged(links=(broken(LinkName.SECRET, "gcs_key_json_invalid", words),))
    form = {"grant_type": _BEARER, "assertion": assertion.reveal_text()}
    reply = await reply_or_link(client, form_request(key.token_uri, form), name=LinkName.IDENTITY)
    if isinstance(reply, Link):
        return Exchanged(links=(reply,))
    token = google_answers.token_in(reply, "access_token")
    if not token:
        return Exchanged(links=(google_answers.judge_login(reply),))
    identity = held(LinkName.IDENTITY, f"service account {key.email}")
    return Exchanged(links=(identity,), credential=Sensitive(token))


def _assertion(key: ServiceAccountKey, clock: Clock) -> Sensitive:
    from google.auth import crypt, jwt  # noqa: PLC0415 - an extra, and heavy

    signer = crypt.RSASigner.from_string(key.private_key.reveal_text(), key.key_id or None)
    now = int(clock().timestamp())
    payload = {
        "iss": key.email,
        "scope": STORAGE,
        "aud": key.token_uri,
        "iat": now,
        "exp": now + _LIFETIME.seconds,
    }
    return Sensitive(jwt.encode(signer, payload))
