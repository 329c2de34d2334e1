# SPDX-License-Identifier: Apache-2.0
"""The answers of Entra and Azure's blobs, as links. Pure; only status and codes are quoted."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lokeys.adapters.aws.s3_answers import read_xml
from lokeys.adapters.http import Reply
from lokeys.adapters.link_requests import json_of, stumbles
from lokeys.core.findings.finding import Confidence
from lokeys.core.findings.link import Link, broken, untried
from lokeys.core.trust.tries.verification import LinkName

_MISMATCH = "azure_federated_credential_mismatch"
_WRONG = "azure_client_or_tenant_wrong"
_UNREACHED = "oidc_issuer_unreachable"
_INVALID = "oidc_token_invalid"
_NO_CREDENTIAL = "the application has no federated credential that takes this token"
_NO_KEYS = "Entra cannot fetch the keys of the token's issuer"
_NOT_VALID = "Entra does not take the token for valid"
_BY_CODE: Mapping[int, tuple[LinkName, str, str]] = {
    700016: (LinkName.TRUST, _WRONG, "the tenant has no application of that client id"),
    7000229: (LinkName.TRUST, _WRONG, "the application is not installed in that tenant"),
    7000112: (LinkName.TRUST, _WRONG, "the application is disabled"),
    90002: (LinkName.TRUST, _WRONG, "there is no such tenant"),
    900021: (LinkName.TRUST, _WRONG, "the tenant's id is none"),
    900023: (LinkName.TRUST, _WRONG, "the tenant's id is none"),
    700211: (LinkName.ISSUER, _MISMATCH, "no federated credential has the token's issuer"),
    700212: (LinkName.AUDIENCE, _MISMATCH, "no federated credential has the token's audience"),
    700213: (LinkName.SUBJECT, _MISMATCH, "no federated credential has the token's subject"),
    7002137: (LinkName.SUBJECT, _MISMATCH, "no federated credential has the token's subject"),
    7002138: (
        LinkName.SUBJECT,
        _MISMATCH,
        "a federated credential has the token's subject in other capitals",
    ),
    70021: (LinkName.TRUST, _MISMATCH, _NO_CREDENTIAL),
    70025: (LinkName.TRUST, _MISMATCH, "the application has no federated credential at all"),
    700223: (LinkName.TRUST, _MISMATCH, _NO_CREDENTIAL),
    700024: (LinkName.TRUST, "clock_skew", "Entra takes a token of this minute for out of date"),
    50027: (LinkName.TRUST, _INVALID, _NOT_VALID),
    50013: (LinkName.TRUST, _INVALID, _NOT_VALID),
    700027: (LinkName.TRUST, _INVALID, _NOT_VALID),
    90061: (LinkName.ISSUER, _UNREACHED, _NO_KEYS),
    50166: (LinkName.ISSUER, _UNREACHED, _NO_KEYS),
    501661: (LinkName.ISSUER, _UNREACHED, _NO_KEYS),
}
_AADSTS = re.compile(r"AADSTS(\d{4,8})")
_CODE = re.compile(r"[A-Z][A-Za-z0-9]{2,59}")
_BLOBS: Mapping[str, tuple[str, str]] = {
    "AuthorizationPermissionMismatch": (
        "azure_rbac_missing",
        "the identity has no role on the container's data",
    ),
    "AuthorizationFailure": (
        "azure_authorization_failure",
        "the account's network rules or policies refuse the request",
    ),
    "KeyBasedAuthenticationNotPermitted": (
        "azure_authorization_failure",
        "the account allows no access by key",
    ),
    "AccountIsDisabled": ("azure_authorization_failure", "the account is disabled"),
    "InsufficientAccountPermissions": (
        "azure_authorization_failure",
        "the account's policies refuse the request",
    ),
    "ContainerNotFound": ("bucket_not_found", "the account has no such container"),
    "ContainerBeingDeleted": ("bucket_not_found", "the container is being deleted"),
}


def access_token(reply: Reply) -> str:
    """Return the access token in a successful answer, or an empty text."""
    token = json_of(reply).get("access_token") if reply.status == 200 else None
    return token if isinstance(token, str) else ""


def judge_exchange(reply: Reply, *, evidence: Sequence[str]) -> Link:
    """Return the link that Entra's refusal breaks."""
    document = json_of(reply)
    codes = _codes(document)
    said = " ".join([str(reply.status), *(f"AADSTS{code}" for code in codes)])
    known = next((code for code in codes if code in _BY_CODE), None)
    if known is not None:
        name, cause, words = _BY_CODE[known]
        return broken(name, cause, f"{words} ({said})", evidence=evidence)
    if stumbles(reply) or document.get("error") == "temporarily_unavailable":
        return untried(LinkName.TRUST, f"Entra stumbles: {said}")
    if not codes:
        return untried(LinkName.TRUST, f"what answers is no token endpoint of Entra: {said}")
    return broken(LinkName.TRUST, None, f"Entra refuses ({said})", evidence=evidence)


def _codes(document: Mapping[str, object]) -> list[int]:
    listed = document.get("error_codes")
    if isinstance(listed, list):
        found = [code for code in listed if isinstance(code, int)]
        if found:
            return found
    words = document.get("error_description")
    return [int(code) for code in _AADSTS.findall(words)[:1]] if isinstance(words, str) else []


def judge_blob(reply: Reply, *, action: str, bearer: bool) -> Link:
    """Return the store's link, broken by its refusal or not tested."""
    code = _blob_code(reply)
    said = f"{action}: {' '.join(filter(None, (str(reply.status), code)))}"
    if stumbles(reply):
        return untried(LinkName.STORE, f"the store stumbles: {said}")
    if code == "BlobNotFound":
        return untried(LinkName.STORE, f"the tried object was gone: another try ran ({said})")
    if code in _BLOBS:
        cause, words = _BLOBS[code]
        return broken(LinkName.STORE, cause, f"{words} ({said})")
    if code in {"AuthenticationFailed", "InvalidAuthenticationInfo"}:
        return _not_authenticated(reply, said, bearer=bearer)
    if not code:
        return untried(LinkName.STORE, f"what answers is no blob service: {said}")
    return broken(LinkName.STORE, None, f"the store refuses ({said})")


def _not_authenticated(reply: Reply, said: str, *, bearer: bool) -> Link:
    if b"Request date header too old" in reply.body:
        return broken(LinkName.STORE, "clock_skew", f"the clocks differ too much ({said})")
    if not bearer:
        words = "the key is not the account's"
        return broken(LinkName.STORE, "azure_account_key_invalid", f"{words} ({said})")
    return broken(
        LinkName.STORE,
        _WRONG,
        f"the account does not take tokens of that tenant ({said})",
        confidence=Confidence.LIKELY,
    )


def _blob_code(reply: Reply) -> str:
    code = reply.headers.get("x-ms-error-code", "")
    if not code:
        code = next((text for at, text in read_xml(reply.body) if at == "Error/Code"), "")
    return code if _CODE.fullmatch(code) else ""
