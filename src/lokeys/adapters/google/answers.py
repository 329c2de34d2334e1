# SPDX-License-Identifier: Apache-2.0
"""The answers of Google's token exchange, IAM and storage, as links.

Pure. Google's messages name people and projects; only a permission's name is quoted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lokeys.adapters.http import Reply
from lokeys.adapters.link_requests import json_of, stumbles
from lokeys.core.findings.finding import Confidence
from lokeys.core.findings.link import Link, broken, untried
from lokeys.core.trust.tries.verification import LinkName

_POOL = "gcs_wif_pool_missing"
_INVALID = "oidc_token_invalid"
# In this order: the earlier texts also contain the later words.
_BY_WORDS: Sequence[tuple[tuple[str, ...], LinkName, str, str]] = (
    (
        ("attribute condition",),
        LinkName.SUBJECT,
        "gcs_wif_condition_denied",
        "the provider's attribute condition rejects the token",
    ),
    (
        ("connecting to the given credential", "fetch", "retrieve", "discovery document"),
        LinkName.ISSUER,
        "oidc_issuer_unreachable",
        "Google cannot fetch the keys of the token's issuer",
    ),
    (
        ("audience",),
        LinkName.AUDIENCE,
        "gcs_wif_audience_mismatch",
        "the provider does not list the token's audience among those it allows",
    ),
    (
        ("issuer",),
        LinkName.ISSUER,
        "gcs_wif_issuer_mismatch",
        "the provider is for another issuer",
    ),
    (
        ("expired", "stale", "iat", "exp "),
        LinkName.TRUST,
        "clock_skew",
        "Google takes a token of this minute for out of date",
    ),
    (
        ("signature", "verif", "kid", "public key"),
        LinkName.TRUST,
        _INVALID,
        "Google does not find the token's signature good",
    ),
)
_PERMISSION = re.compile(r"\b((?:storage|iam)\.[a-zA-Z]+\.[a-zA-Z]+)\b")
_ERROR = re.compile(r"[a-z_]{3,40}")


def token_in(reply: Reply, member: str) -> str:
    """Return the token in a successful answer, or an empty text."""
    token = json_of(reply).get(member) if reply.status == 200 else None
    return token if isinstance(token, str) else ""


def judge_exchange(reply: Reply, *, evidence: Sequence[str]) -> Link:
    """Return the link that the token exchange's refusal breaks."""
    document = json_of(reply)
    error, words = _error_of(document)
    said = " ".join(filter(None, (str(reply.status), error)))
    if stumbles(reply):
        return untried(LinkName.TRUST, f"Google's token exchange stumbles: {said}")
    if not error:
        return untried(LinkName.TRUST, f"what answers is no token exchange: {said}")
    if error == "invalid_target" or (error == "invalid_request" and "audience" in words):
        text = "there is no such pool or provider, or it is disabled"
        return broken(LinkName.TRUST, _POOL, f"{text} ({said})", evidence=evidence)
    if error in {"invalid_grant", "unauthorized_client"}:
        for marks, name, cause, text in _BY_WORDS:
            if any(mark in words for mark in marks):
                return broken(name, cause, f"{text} ({said})", evidence=evidence)
        text = "Google does not take the token"
        return broken(
            LinkName.TRUST,
            _INVALID,
            f"{text} ({said})",
            confidence=Confidence.POSSIBLE,
            evidence=evidence,
        )
    return broken(LinkName.TRUST, None, f"Google refuses ({said})", evidence=evidence)


def judge_impersonation(reply: Reply, *, email: str) -> Link:
    """Return the identity's link, broken by IAM's refusal or not tested."""
    message = _message(json_of(reply))
    said = str(reply.status)
    if stumbles(reply) or reply.status not in {400, 401, 403, 404}:
        return untried(LinkName.IDENTITY, f"IAM credentials stumbles: {said}")
    text = f"the federated identity may not act as {email}"
    if reply.status == 404:
        text = f"there is no service account {email}"
    elif "has not been used" in message or "is disabled" in message:
        text = "the API iamcredentials.googleapis.com is not enabled in the project"
    elif (permission := _PERMISSION.search(message)) is not None:
        text = f"{text}: it lacks {permission[1]}"
    return broken(LinkName.IDENTITY, "gcs_impersonation_denied", f"{text} ({said})")


def judge_login(reply: Reply) -> Link:
    """Return the identity's link after a service account's own key was refused."""
    error, words = _error_of(json_of(reply))
    said = " ".join(filter(None, (str(reply.status), error)))
    if stumbles(reply):
        return untried(LinkName.IDENTITY, f"Google's token endpoint stumbles: {said}")
    if not error:
        return untried(LinkName.IDENTITY, f"what answers is no token endpoint: {said}")
    if "iat" in words or "clock" in words:
        return broken(LinkName.IDENTITY, "clock_skew", f"the clocks differ too much ({said})")
    text = "the key's signature is refused: the key was deleted, or is another account's"
    if "not found" in words:
        text = "there is no such service account"
    return broken(LinkName.IDENTITY, "gcs_invalid_jwt", f"{text} ({said})")


def judge_bucket(reply: Reply, *, action: str, bucket: str) -> Link:
    """Return the store's link, broken by its refusal or not tested."""
    message = _message(json_of(reply))
    said = f"{action}: {reply.status}"
    if stumbles(reply):
        return untried(LinkName.STORE, f"the store stumbles: {said}")
    if reply.status == 403:
        return _forbidden(said, message)
    if reply.status == 404 and action == "get":
        return untried(LinkName.STORE, f"the tried object was gone: another try ran ({said})")
    if reply.status not in _BY_STATUS:
        return broken(LinkName.STORE, None, f"the store refuses ({said})")
    cause, text = _BY_STATUS[reply.status]
    return broken(LinkName.STORE, cause, f"{text} ({bucket}, {said})")


_BY_STATUS: Mapping[int, tuple[str, str]] = {
    401: ("gcs_invalid_credentials_401", "the store does not take the token"),
    404: ("bucket_not_found", "there is no such bucket"),
}


def _forbidden(said: str, message: str) -> Link:
    if "scope" in message:
        text = "the token's scopes do not allow it"
        return broken(LinkName.STORE, "gcs_scope_insufficient", f"{text} ({said})")
    if "uniform bucket-level access" in message:
        text = "the bucket decides object by object, which knows no federated identities"
        return broken(LinkName.STORE, "gcs_wif_needs_uniform_access", f"{text} ({said})")
    permission, hidden = _PERMISSION.search(message), "may not exist" in message
    text = f"the identity lacks {permission[1] if permission else 'a permission'}"
    if hidden:
        text = f"{text}, or there is no such bucket"
    return broken(
        LinkName.STORE,
        "gcs_permission_denied",
        f"{text} ({said})",
        confidence=Confidence.LIKELY if hidden else Confidence.CERTAIN,
    )


def _error_of(document: Mapping[str, object]) -> tuple[str, str]:
    """Return OAuth's error and its description in lowercase."""
    error, words = document.get("error"), document.get("error_description")
    known = error if isinstance(error, str) and _ERROR.fullmatch(error) else ""
    return known, words.lower() if isinstance(words, str) else ""


def _message(document: Mapping[str, object]) -> str:
    error = document.get("error")
    message = error.get("message") if isinstance(error, Mapping) else None
    return message if isinstance(message, str) else ""
