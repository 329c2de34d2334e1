# SPDX-License-Identifier: Apache-2.0
"""What stores and their proxies answer, and what it means for the key."""

import httpx2
import pytest

from lokeys.adapters.aws.s3_answers import MAX_REPLY_BYTES, judge, judge_silence, read_xml
from lokeys.adapters.http import NoAnswer, Reason, Reply
from lokeys.core.findings.verdict import Answer


def reply(
    status: int, body: str | bytes = b"", *, kind: str = "application/xml", **headers: str
) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    raw = body.encode() if isinstance(body, str) else body
    return Reply(status=status, headers=httpx2.Headers({"content-type": kind, **named}), body=raw)


def error(code: str, extra: str = "") -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code>'
        f"<Message>words</Message>{extra}<RequestId>4442587FB7D0A2F9</RequestId></Error>"
    )


AWS_ID = "<AWSAccessKeyId>AKIACANARY</AWSAccessKeyId>"

CASES = {
    "AWS: unknown or inactive key": (
        reply(403, error("InvalidAccessKeyId", AWS_ID)),
        Answer.UNKNOWN_KEY,
    ),
    "AWS: wrong secret, key id and signature echoed": (
        reply(403, error("SignatureDoesNotMatch", AWS_ID)),
        Answer.WRONG_SECRET,
    ),
    "AWS: the policy forbids it": (reply(403, error("AccessDenied")), Answer.DENIED),
    "AWS: expired session": (reply(400, error("ExpiredToken")), Answer.NOT_VALID),
    "AWS: token of nobody": (reply(400, error("InvalidToken")), Answer.NOT_VALID),
    "AWS: no bucket": (reply(404, error("NoSuchBucket")), Answer.NO_BUCKET),
    "AWS: another region, by redirect": (
        reply(301, error("PermanentRedirect"), x_amz_bucket_region="eu-west-1"),
        Answer.WRONG_REGION,
    ),
    "AWS: another region, redirect without a body": (
        reply(301, x_amz_bucket_region="eu-west-1"),
        Answer.WRONG_REGION,
    ),
    "AWS: another region, by signature": (
        reply(400, error("AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>")),
        Answer.WRONG_REGION,
    ),
    "AWS: an id that is none": (
        reply(400, error("AuthorizationHeaderMalformed")),
        Answer.UNKNOWN_KEY,
    ),
    "AWS: clock": (reply(403, error("RequestTimeTooSkewed")), Answer.CLOCK_SKEW),
    "AWS: slow down": (reply(503, error("SlowDown")), Answer.UNSPECIFIC),
    "AWS: internal error": (reply(500, error("InternalError")), Answer.UNSPECIFIC),
    "AWS: a code of tomorrow": (reply(400, error("SomethingNew")), Answer.UNSPECIFIC),
    "RGW: suspended": (reply(403, error("UserSuspended")), Answer.SUSPENDED),
    "RGW: quota": (reply(403, error("QuotaExceeded")), Answer.FULL),
    "MinIO: disk full": (reply(507, error("XMinioStorageFull")), Answer.FULL),
    "MinIO: quota": (
        reply(400, error("XMinioAdminBucketQuotaExceeded")),
        Answer.FULL,
    ),
    "507 without a word": (reply(507), Answer.FULL),
    "a proxy asks to slow down": (
        reply(429, "<html/>", kind="text/html"),
        Answer.UNSPECIFIC,
    ),
    "a proxy has no backend": (
        reply(502, "<html><body>Bad Gateway</body></html>", kind="text/html"),
        Answer.UNSPECIFIC,
    ),
    "a web page": (reply(200, "<!DOCTYPE html><html></html>", kind="text/html"), Answer.NOT_S3),
    "a page that says 404": (reply(404, "<html></html>", kind="text/html"), Answer.NOT_S3),
    "a login page": (reply(302, location="http://sso.example/"), Answer.NOT_S3),
    "JSON": (reply(403, '{"message":"no"}', kind="application/json"), Answer.NOT_S3),
    "another XML": (reply(200, "<rss></rss>"), Answer.NOT_S3),
    "an empty 403": (reply(403), Answer.NOT_S3),
    "a redirect to https": (
        reply(308, location="https://store.example/"),
        Answer.TLS_SCHEME_MISMATCH,
    ),
    "nginx: http on its TLS port": (
        reply(
            400,
            "<html><center>The plain HTTP request was sent to HTTPS port</center></html>",
            kind="text/html",
        ),
        Answer.TLS_SCHEME_MISMATCH,
    ),
    "Go: http on its TLS port": (
        reply(400, "Client sent an HTTP request to an HTTPS server.\n", kind="text/plain"),
        Answer.TLS_SCHEME_MISMATCH,
    ),
}


@pytest.mark.parametrize(("answered", "expected"), CASES.values(), ids=CASES.keys())
def test_each_reply_has_its_meaning(answered: Reply, expected: Answer) -> None:
    """Every known reply is judged, and no judgement quotes the body."""
    judgement = judge(answered)
    assert judgement.answer is expected
    assert str(answered.status) in judgement.detail
    assert "CANARY" not in repr(judgement)


def test_the_bucket_s_region_is_named() -> None:
    """Where the store says which region is right, the detail repeats it."""
    for each in ("AWS: another region, by redirect", "AWS: another region, by signature"):
        assert "eu-west-1" in judge(CASES[each][0]).detail


@pytest.mark.parametrize("code", ["CANARY KEY", "canary", "C" * 100, "C\nNARY", "&lt;b&gt;CANARY"])
def test_a_code_that_is_none_is_not_repeated(code: str) -> None:
    """What a server puts into `Code` is only shown where it has the form of a code."""
    assert "NARY" not in judge(reply(403, error(code))).detail


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (Reason.REFUSED, Answer.UNREACHABLE),
        (Reason.DNS, Answer.UNREACHABLE),
        (Reason.TIMEOUT, Answer.UNREACHABLE),
        (Reason.CLOSED, Answer.UNREACHABLE),
        (Reason.TLS_FAILED, Answer.UNREACHABLE),
        (Reason.TLS_UNKNOWN_AUTHORITY, Answer.TLS_UNKNOWN_AUTHORITY),
        (Reason.TLS_NAME_MISMATCH, Answer.TLS_NAME_MISMATCH),
        (Reason.TLS_SCHEME_MISMATCH, Answer.TLS_SCHEME_MISMATCH),
    ],
)
def test_silence_has_its_meaning(reason: Reason, expected: Answer) -> None:
    """A missing answer keeps what TLS said of it."""
    assert judge_silence(NoAnswer("store.example:443", reason)).answer is expected


BOMB = """<?xml version="1.0"?><!DOCTYPE e [<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><Error><Code>&b;</Code></Error>"""


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<",
        b"plain words",
        b"\xff\xfe<\x00E\x00",
        BOMB.encode(),
        BOMB.replace('"1.0"', '"1.0" encoding="UTF-16"').encode("utf-16"),
        b"<a>" * 50 + b"</a>" * 50,
        b"<Error>" + b" " * MAX_REPLY_BYTES + b"</Error>",
        b"<Error><Code>AccessDenied</Code>",
    ],
    ids=[
        "nothing",
        "a bracket",
        "words",
        "binary",
        "a bomb",
        "a bomb in UTF-16",
        "too deep",
        "too long",
        "cut short",
    ],
)
def test_what_is_no_small_document_is_none(body: bytes) -> None:
    """Bombs, fragments and giants are read as no document at all."""
    assert read_xml(body) == ()


def test_namespaces_do_not_matter() -> None:
    """Stores disagree about namespaces; names are compared without them."""
    body = b'<s3:Error xmlns:s3="urn:x"><s3:Code>AccessDenied</s3:Code></s3:Error>'
    assert judge(reply(403, body)).answer is Answer.DENIED
