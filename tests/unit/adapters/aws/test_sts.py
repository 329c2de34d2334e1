# SPDX-License-Identifier: Apache-2.0
"""What an STS is asked, and which link its refusal breaks; texts by AWS's public error format."""

from __future__ import annotations

import asyncio
import re
import ssl
from dataclasses import replace

import httpx2
import pytest

from lokeys.adapters.aws.sts import Sts
from lokeys.core.findings.finding import Confidence
from lokeys.core.findings.link import Link
from lokeys.core.sensitive import KeyPair, Sensitive
from lokeys.core.trust.tries.claims import Claims
from lokeys.core.trust.tries.identity import Role
from lokeys.core.trust.tries.verification import LinkName
from lokeys.ports import Exchanged, IssuedToken
from unit.adapters.scripted import Answer, Script, xml

TOKEN = "canary-token"
ISSUED = IssuedToken(
    token=Sensitive(TOKEN),
    claims=Claims(
        issuer="https://oidc.example.com",
        subject="system:serviceaccount:ns:logs",
        audiences=("sts.amazonaws.com",),
    ),
)
AWS = Role(
    arn="arn:aws:iam::123456789012:role/loki",
    sts_url="https://sts.eu-west-1.amazonaws.com",
    region="eu-west-1",
    is_aws=True,
)
RGW = Role(
    arn="arn:aws:iam:::role/loki", sts_url="http://rgw.svc:80", region="default", is_aws=False
)
NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
GIVEN = xml(
    200,
    f'<AssumeRoleWithWebIdentityResponse xmlns="{NAMESPACE}"><AssumeRoleWithWebIdentityResult>'
    "<AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/loki/lokeys</Arn>"
    "</AssumedRoleUser><Credentials><AccessKeyId>ASIAONE</AccessKeyId>"
    "<SecretAccessKey>canary-secret</SecretAccessKey><SessionToken>canary-session</SessionToken>"
    "</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>",
)


def refuses(code: str, message: str = "", *, status: int = 400) -> httpx2.Response:
    return xml(
        status,
        f'<ErrorResponse xmlns="{NAMESPACE}"><Error><Type>Sender</Type><Code>{code}</Code>'
        f"<Message>{message}</Message></Error><RequestId>canary-request</RequestId></ErrorResponse>",
    )


def exchange(role: Role, *answers: Answer) -> tuple[Exchanged, Script]:
    script = Script(*answers)
    return asyncio.run(Sts(script.client).exchange(role, ISSUED)), script


def broken_by(role: Role, *answers: Answer) -> Link:
    exchanged, _ = exchange(role, *answers)
    assert exchanged.credential is None
    (link,) = exchanged.links
    assert "canary" not in repr(link)
    return link


def test_the_call_is_the_one_that_lokis_client_makes() -> None:
    """A form, unsigned, at the root of the STS, with the shortest life that STS gives."""
    exchanged, script = exchange(AWS, GIVEN)
    (asked,) = script.asked
    assert (asked.method, str(asked.url)) == ("POST", "https://sts.eu-west-1.amazonaws.com/")
    assert "authorization" not in asked.headers
    form = script.form()
    assert form["Action"] == "AssumeRoleWithWebIdentity"
    assert (form["RoleArn"], form["WebIdentityToken"]) == (AWS.arn, TOKEN)
    assert form["DurationSeconds"] == "900"
    assert [link.ok for link in exchanged.links] == [True, True]
    assert exchanged.links[1].detail.startswith("arn:aws:sts::")
    assert isinstance(exchanged.credential, KeyPair)
    assert exchanged.credential.session_token == Sensitive("canary-session")
    assert "canary" not in repr(exchanged)


@pytest.mark.parametrize(
    ("answer", "link", "cause", "confidence"),
    [
        pytest.param(
            refuses(
                "AccessDenied",
                "Not authorized to perform sts:AssumeRoleWithWebIdentity",
                status=403,
            ),
            "trust",
            "sts_trust_policy_denied",
            "likely",
            id="trust policy or no role",
        ),
        pytest.param(
            refuses("InvalidIdentityToken", "Incorrect token audience"),
            "audience",
            "sts_wrong_audience",
            "certain",
            id="audience",
        ),
        pytest.param(
            refuses(
                "InvalidIdentityToken",
                "Couldn't retrieve verification key from your identity provider, please reference",
            ),
            "issuer",
            "oidc_issuer_unreachable",
            "certain",
            id="keys out of reach",
        ),
        pytest.param(
            refuses(
                "InvalidIdentityToken",
                "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint",
            ),
            "issuer",
            "oidc_issuer_unreachable",
            "certain",
            id="thumbprint",
        ),
        pytest.param(
            refuses("InvalidIdentityToken", "The ID Token provided is not a valid JWT."),
            "trust",
            "oidc_token_invalid",
            "certain",
            id="no token",
        ),
        pytest.param(
            refuses("IDPCommunicationError"),
            "issuer",
            "oidc_issuer_unreachable",
            "certain",
            id="issuer does not answer",
        ),
        pytest.param(
            refuses("ExpiredTokenException", "Token expired: current date/time"),
            "trust",
            "clock_skew",
            "likely",
            id="expired",
        ),
        pytest.param(
            refuses("RegionDisabledException", status=403),
            "trust",
            "sts_region_inactive",
            "certain",
            id="region",
        ),
        pytest.param(
            refuses("ValidationError", "Request ARN is invalid"),
            "trust",
            "sts_role_missing",
            "likely",
            id="no ARN",
        ),
        pytest.param(
            refuses("UnknownOperation", status=404),
            "trust",
            "sts_sent_to_storage_endpoint",
            "certain",
            id="not an STS's operation",
        ),
        pytest.param(
            xml(200, "<html><body>welcome</body></html>"),
            "trust",
            "sts_sent_to_storage_endpoint",
            "likely",
            id="a web page",
        ),
        pytest.param(refuses("PackedPolicyTooLarge"), "trust", None, "certain", id="unheard of"),
    ],
)
def test_aws_names_the_link_by_code_and_message(
    answer: httpx2.Response, link: str, cause: str | None, confidence: str
) -> None:
    """Each refusal breaks the link that it is about; the evidence says what the token claims."""
    found = broken_by(AWS, answer)
    assert found.ok is False
    assert (found.name, found.cause) == (link, cause)
    assert found.confidence.value == confidence


MISSING = refuses(
    "InvalidIdentityToken", "No OpenIDConnect provider found in your account for https://oidc"
)


def test_a_region_that_is_off_is_told_from_a_provider_that_is_missing() -> None:
    """AWS says the same of both: its first region, always on, decides."""
    exchanged, script = exchange(AWS, MISSING, MISSING)
    assert exchanged.links[0].cause == "sts_oidc_provider_missing"
    assert "the token's issuer is https://oidc.example.com" in exchanged.links[0].evidence
    assert [asked.url.host for asked in script.asked] == [
        "sts.eu-west-1.amazonaws.com",
        "sts.us-east-1.amazonaws.com",
    ]
    assert broken_by(AWS, MISSING, GIVEN).cause == "sts_region_inactive"


def test_where_there_is_no_other_region_nobody_else_is_asked() -> None:
    """The first region itself, and a store's own STS, have the last word."""
    first = replace(AWS, region="us-east-1", sts_url="https://sts.us-east-1.amazonaws.com")
    for role in (first, RGW):
        exchanged, script = exchange(role, MISSING)
        assert exchanged.links[0].cause == "sts_oidc_provider_missing"
        assert len(script.asked) == 1


def test_rgws_no_is_only_a_possible_cause_and_says_what_would_tell() -> None:
    """RGW says AccessDenied of everything, without a word."""
    body = "<Error><Code>AccessDenied</Code><Message></Message><RequestId>tx01</RequestId></Error>"
    found = broken_by(RGW, xml(403, body))
    assert (found.name, found.confidence) == (LinkName.TRUST, Confidence.POSSIBLE)
    assert any("radosgw-admin role get --role-name=loki" in line for line in found.evidence)


def _tls(code: int) -> httpx2.ConnectError:
    inner = ssl.SSLCertVerificationError("certificate verify failed")
    inner.verify_code = code
    outer = httpx2.ConnectError("failed")
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("answer", "ok", "cause"),
    [
        pytest.param(httpx2.ConnectError("refused"), None, "sts_unreachable", id="no answer"),
        pytest.param(_tls(20), False, "tls_unknown_authority", id="an unknown authority"),
        pytest.param(_tls(62), False, "tls_name_mismatch", id="another name"),
        pytest.param(refuses("Throttling"), None, None, id="asked to slow down"),
        pytest.param(xml(503, "busy"), None, None, id="out of order"),
        pytest.param(
            httpx2.Response(200, content=b"x" * (65 << 10)), None, None, id="an endless answer"
        ),
    ],
)
def test_silence_leaves_the_link_open(answer: Answer, ok: bool | None, cause: str | None) -> None:
    """Only TLS breaks it: what the pods trust would refuse, too."""
    found = broken_by(AWS, answer)
    assert (found.ok, found.cause) == (ok, cause)
    assert (found.untried is not None) is (ok is None)


def test_no_text_of_the_reply_is_quoted() -> None:
    """Only a code of the right form is; the rest could be anything."""
    found = broken_by(AWS, refuses("canary code!", "canary message", status=400))
    assert re.search(r"\b400\b", found.detail)
