# SPDX-License-Identifier: Apache-2.0
"""What an STS says about a web identity: AWS by code and message, RGW and MinIO say less.

Pure: from a reply to a link or credentials. Only status and code of a reply are quoted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lokeys.adapters.aws.s3_answers import Elements, read_xml
from lokeys.adapters.http import Reply
from lokeys.adapters.link_requests import stumbles
from lokeys.core.findings.finding import Confidence
from lokeys.core.findings.link import Link, broken, untried
from lokeys.core.sensitive import KeyPair, Sensitive
from lokeys.core.text.shell import command
from lokeys.core.trust.tries.claims import Claims, as_evidence
from lokeys.core.trust.tries.identity import Role
from lokeys.core.trust.tries.verification import LinkName

_CODE = re.compile(r"[A-Z][A-Za-z0-9]{2,59}")
_RESULT = "AssumeRoleWithWebIdentityResponse/AssumeRoleWithWebIdentityResult"
_NOT_FOR_STS = frozenset({"MethodNotAllowed", "UnknownOperation", "InvalidAction", "NoSuchBucket"})
_BUSY = frozenset({"Throttling", "ThrottlingException", "InternalFailure", "ServiceUnavailable"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """Temporary credentials, and whose they are."""

    pair: KeyPair
    identity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Meaning:
    link: LinkName
    cause: str
    words: str
    confidence: Confidence = Confidence.CERTAIN


_BY_CODE: Mapping[str, _Meaning] = {
    "RegionDisabledException": _Meaning(
        link=LinkName.TRUST,
        cause="sts_region_inactive",
        words="STS is not activated for this account in that region",
    ),
    "IDPCommunicationError": _Meaning(
        link=LinkName.ISSUER,
        cause="oidc_issuer_unreachable",
        words="STS cannot reach the token's issuer",
    ),
    "IDPCommunicationErrorException": _Meaning(
        link=LinkName.ISSUER,
        cause="oidc_issuer_unreachable",
        words="STS cannot reach the token's issuer",
    ),
    "IDPRejectedClaim": _Meaning(
        link=LinkName.TRUST,
        cause="oidc_token_invalid",
        words="the token's issuer is said to refuse it",
    ),
    "ExpiredToken": _Meaning(
        link=LinkName.TRUST,
        cause="clock_skew",
        words="STS takes a token of this minute for expired",
        confidence=Confidence.LIKELY,
    ),
    "ExpiredTokenException": _Meaning(
        link=LinkName.TRUST,
        cause="clock_skew",
        words="STS takes a token of this minute for expired",
        confidence=Confidence.LIKELY,
    ),
    "ValidationError": _Meaning(
        link=LinkName.TRUST,
        cause="sts_role_missing",
        words="STS finds no role's name in the role's ARN",
        confidence=Confidence.LIKELY,
    ),
    "NoSuchEntity": _Meaning(
        link=LinkName.TRUST, cause="sts_role_missing", words="there is no such role"
    ),
}
_BY_MESSAGE: Sequence[tuple[str, _Meaning]] = (
    (
        "incorrect token audience",
        _Meaning(
            link=LinkName.AUDIENCE,
            cause="sts_wrong_audience",
            words="the identity provider does not list the token's audience among its client ids",
        ),
    ),
    (
        "no openidconnect provider found",
        _Meaning(
            link=LinkName.ISSUER,
            cause="sts_oidc_provider_missing",
            words="the account has no identity provider for the token's issuer",
        ),
    ),
    (
        "retrieve verification key",
        _Meaning(
            link=LinkName.ISSUER,
            cause="oidc_issuer_unreachable",
            words="STS cannot fetch the keys of the token's issuer",
        ),
    ),
    (
        "thumbprint",
        _Meaning(
            link=LinkName.ISSUER,
            cause="oidc_issuer_unreachable",
            words="the certificate of the issuer's keys is not the one the provider names",
        ),
    ),
)
_INVALID = _Meaning(
    link=LinkName.TRUST, cause="oidc_token_invalid", words="STS does not take the token for valid"
)


def assumed(reply: Reply) -> Assumed | None:
    """Return the credentials in a successful reply, None for any other."""
    found = dict(read_xml(reply.body)) if reply.status == 200 else {}
    names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
    values = [found.get(f"{_RESULT}/Credentials/{name}", "") for name in names]
    if not all(values):
        return None
    key_id, secret, session = map(Sensitive, values)
    pair = KeyPair(access_key_id=key_id, secret_access_key=secret, session_token=session)
    return Assumed(pair=pair, identity=found.get(f"{_RESULT}/AssumedRoleUser/Arn", ""))


def judge(reply: Reply, *, role: Role, claims: Claims) -> Link:
    """Return the link that a refusal breaks, and why, as far as it is known."""
    elements = read_xml(reply.body)
    code, message = _first(elements, "Code"), _first(elements, "Message").lower()
    said = " ".join((str(reply.status), code)).strip()
    if stumbles(reply) or code in _BUSY:
        return untried(LinkName.TRUST, f"STS stumbles: {said}")
    if code == "InvalidIdentityToken":
        meaning = next((each for words, each in _BY_MESSAGE if words in message), _INVALID)
        return _broken(meaning, said, claims)
    if code in _BY_CODE:
        return _broken(_BY_CODE[code], said, claims)
    if code == "AccessDenied":
        return _denied(said, role=role, claims=claims)
    if reply.status == 405 or code in _NOT_FOR_STS or not code:
        return broken(
            LinkName.TRUST,
            "sts_sent_to_storage_endpoint",
            f"what answers at {role.sts_url} is no STS: {said}",
            confidence=Confidence.CERTAIN if code else Confidence.LIKELY,
        )
    return broken(LinkName.TRUST, None, f"STS refuses: {said}")


def _broken(meaning: _Meaning, said: str, claims: Claims) -> Link:
    return broken(
        meaning.link,
        meaning.cause,
        f"{meaning.words} ({said})",
        confidence=meaning.confidence,
        evidence=as_evidence(claims),
    )


def _denied(said: str, *, role: Role, claims: Claims) -> Link:
    """AccessDenied: at AWS the trust policy, or a missing role; elsewhere it may be any link."""
    if role.is_aws:
        return broken(
            LinkName.TRUST,
            "sts_trust_policy_denied",
            f"the trust policy of {role.arn} does not take this token, or there is no such role "
            f"({said})",
            confidence=Confidence.LIKELY,
            evidence=as_evidence(claims),
        )
    shows = command("radosgw-admin role get", f"--role-name={role.arn.rpartition('/')[2]}")
    return broken(
        LinkName.TRUST,
        "sts_trust_policy_denied",
        f"STS refuses and does not say why ({said}): issuer, audience, role or trust policy",
        confidence=Confidence.POSSIBLE,
        evidence=(
            *as_evidence(claims),
            f"{shows} shows the role and its trust policy",
            "the issuer's provider must be registered, with that audience among its client ids",
            "STS must be able to fetch the issuer's keys, with x5c in them",
        ),
    )


def _first(elements: Elements, leaf: str) -> str:
    text = next((text for at, text in elements if at.endswith(f"Error/{leaf}")), "")
    return text if leaf != "Code" or _CODE.fullmatch(text) else ""
