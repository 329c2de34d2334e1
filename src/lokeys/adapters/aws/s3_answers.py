# SPDX-License-Identifier: Apache-2.0
"""What a store's reply says about the request's key: AWS, Ceph RGW, MinIO and their proxies.

Pure: from a reply to a judgement. A judgement quotes the status and S3's error code, never the
body, because stores put the key id into it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any
from xml.parsers import expat

from lokeys.adapters.http import NoAnswer, Reason, Reply
from lokeys.core.findings.verdict import Answer

MAX_REPLY_BYTES = 64 << 10
_MAX_DEPTH = 16

_CODES = {
    "InvalidAccessKeyId": Answer.UNKNOWN_KEY,
    "InvalidClientTokenId": Answer.UNKNOWN_KEY,
    "SignatureDoesNotMatch": Answer.WRONG_SECRET,
    "UserSuspended": Answer.SUSPENDED,
    "AccountProblem": Answer.SUSPENDED,
    "ExpiredToken": Answer.NOT_VALID,
    "InvalidToken": Answer.NOT_VALID,
    "InvalidSecurity": Answer.NOT_VALID,
    "TokenRefreshRequired": Answer.NOT_VALID,
    "AccessDenied": Answer.DENIED,
    "AllAccessDisabled": Answer.DENIED,
    "NoSuchBucket": Answer.NO_BUCKET,
    "QuotaExceeded": Answer.FULL,
    "XMinioStorageFull": Answer.FULL,
    "XMinioAdminBucketQuotaExceeded": Answer.FULL,
    "InsufficientStorage": Answer.FULL,
    "RequestTimeTooSkewed": Answer.CLOCK_SKEW,
    "PermanentRedirect": Answer.WRONG_REGION,
    "TemporaryRedirect": Answer.WRONG_REGION,
    "IllegalLocationConstraintException": Answer.WRONG_REGION,
}

_REASONS = {
    Reason.TLS_UNKNOWN_AUTHORITY: Answer.TLS_UNKNOWN_AUTHORITY,
    Reason.TLS_NAME_MISMATCH: Answer.TLS_NAME_MISMATCH,
    Reason.TLS_SCHEME_MISMATCH: Answer.TLS_SCHEME_MISMATCH,
}

_BUCKETS_OWN_NO = "explicit deny in a resource-based policy"
_NOT_BY_HOST = "the store does not take the bucket from the host name: path style is needed"

# Answers of nginx and Go's own server to http on their TLS port.
_PLAIN_TO_TLS = (
    b"plain HTTP request was sent to HTTPS port",
    b"sent an HTTP request to an HTTPS server",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a reply means for the key, and the text about it."""

    answer: Answer
    detail: str
    code: str = ""
    from_rgw: bool = False
    looked_for: str = ""  # the bucket that the store says it searched
    cause: str = ""  # if the message is more specific than the code


Elements = tuple[tuple[str, str], ...]
"""The leaves of a document in order: path (`Error/Code`) and text."""


def judge(reply: Reply) -> Judgement:
    """Return what an error reply means; an unexpected 2xx did not come from S3."""
    elements = read_xml(reply.body)
    code = _first(elements, "Error/Code")
    if reply.status == 507 or _CODES.get(code) is Answer.FULL:
        return _judgement(Answer.FULL, reply, code)
    if reply.status >= 500 or reply.status == 429:
        return _judgement(Answer.UNSPECIFIC, reply, code)
    if elements and elements[0][0] == "ListAllMyBucketsResult":
        return Judgement(answer=Answer.NO_BUCKET, detail=_NOT_BY_HOST)
    if not code:
        return _judge_without_code(reply)
    if code == "AuthorizationHeaderMalformed":
        region = _first(elements, "Error/Region")
        answer = Answer.WRONG_REGION if region else Answer.UNKNOWN_KEY
        return _judgement(answer, reply, code, note=_region_note(region))
    region = reply.headers.get("x-amz-bucket-region", "")
    answer = _CODES.get(code, Answer.UNSPECIFIC)
    note = _region_note(region) if answer is Answer.WRONG_REGION else ""
    return replace(
        _judgement(answer, reply, code, note=note),
        # Only RGW's transaction ids start like this.
        from_rgw=_first(elements, "Error/RequestId").startswith("tx0"),
        looked_for=_first(elements, "Error/BucketName"),
        cause=_closer_cause(code, _first(elements, "Error/Message")),
    )


def _closer_cause(code: str, message: str) -> str:
    """Return the cause that AWS names only in its message."""
    if code in {"ExpiredToken", "TokenRefreshRequired"}:
        return "session_token_expired"
    if code != "AccessDenied":
        return ""
    if "kms:" in message:
        return "kms_permission_denied"
    return "bucket_policy_explicit_deny" if _BUCKETS_OWN_NO in message else ""


def judge_silence(error: NoAnswer) -> Judgement:
    """Return what a missing answer means for the key."""
    return Judgement(answer=_REASONS.get(error.reason, Answer.UNREACHABLE), detail=str(error))


def is_document(body: bytes, root: str) -> bool:
    """Tell whether `body` is an XML document with this root."""
    elements = read_xml(body)
    return bool(elements) and elements[0][0].partition("/")[0] == root


def _judge_without_code(reply: Reply) -> Judgement:
    """Judge a reply that is not an S3 error: a redirect, a proxy's page, another service."""
    if region := reply.headers.get("x-amz-bucket-region", ""):
        return _judgement(Answer.WRONG_REGION, reply, note=_region_note(region))
    to_tls = reply.headers.get("location", "").startswith("https:") and 300 <= reply.status < 400
    if to_tls or any(words in reply.body for words in _PLAIN_TO_TLS):
        return _judgement(Answer.TLS_SCHEME_MISMATCH, reply, note="it asks for https")
    kind = reply.content_type if _PLAIN_WORD.fullmatch(reply.content_type) else "no S3 document"
    return _judgement(Answer.NOT_S3, reply, note=kind)


_PLAIN_WORD = re.compile(r"[a-z]+/[a-z0-9.+-]{1,40}")
_CODE = re.compile(r"[A-Z][A-Za-z0-9]{2,59}")
_REGION = re.compile(r"[a-z]{2}[a-z0-9-]{1,30}")


def _region_note(region: str) -> str:
    return f"the store names the region {region}" if _REGION.fullmatch(region) else ""


def _judgement(answer: Answer, reply: Reply, code: str = "", *, note: str = "") -> Judgement:
    spoken = code if _CODE.fullmatch(code) else ""
    detail = " ".join(filter(None, (str(reply.status), spoken)))
    detail = f"{detail}: {note}" if note else detail
    return Judgement(answer=answer, detail=detail, code=spoken)


# --- XML ----------------------------------------------------------------------------------------


def read_xml(body: bytes) -> Elements:
    """Return the elements of a small XML document, parents first; () if it is not valid."""
    if len(body) > MAX_REPLY_BYTES:
        return ()
    reader = _Reader()
    try:
        reader.parser.Parse(body, True)
    except (expat.ExpatError, ValueError):
        return ()
    return tuple((path, "".join(texts).strip()) for path, texts in reader.found)


def _first(elements: Elements, path: str) -> str:
    return next((text for at, text in elements if at == path), "")


class _Reader:
    """Collects paths and texts; namespaces are dropped, document types refused."""

    def __init__(self) -> None:
        self.found: list[tuple[str, list[str]]] = []
        self._path: list[str] = []
        self.parser = expat.ParserCreate()
        self.parser.StartDoctypeDeclHandler = _forbid
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    def _start(self, name: str, _attributes: object) -> None:
        self._path.append(name.rpartition(":")[2])
        if len(self._path) > _MAX_DEPTH:
            raise ValueError("too deep for an S3 document")
        self.found.append(("/".join(self._path), []))

    def _end(self, _name: str) -> None:
        self._path.pop()

    def _text(self, text: str) -> None:
        self.found[-1][1].append(text)


def _forbid(*_declaration: Any) -> None:
    """Refuse document types: S3 has none, and entities make small documents huge."""
    raise ValueError("a document type")
