# SPDX-License-Identifier: Apache-2.0
"""Storage complaints in a Loki's log, as causes.

A line is judged by what Loki itself says went wrong (`err`, else `msg`), never by the queries,
labels and streams that people put into it. Known messages come with and without their error code,
from the current client and the older one. What every start says (an empty ring, a cluster seed
that is not there yet) is no complaint, and neither is trouble between Lokis (`rpc error`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from lokeys.core.snapshot import LogLine

MAX_LINE = 16_384

# Said by the store or the S3 client alone, so they need no context.
_BY_STORE = {
    "access_key_unknown": (r"InvalidAccessKeyId", r"access key id you provided does not exist"),
    "secret_key_mismatch": (r"SignatureDoesNotMatch", r"request signature we calculated does not"),
    "user_suspended": (r"UserSuspended",),
    "clock_skew": (r"RequestTimeTooSkewed", r"difference between the request time and the"),
    "session_token_expired": (
        r"ExpiredToken",
        r"provided token has expired",
        r"token included in the request is expired",
    ),
    "bucket_not_found": (r"NoSuchBucket", r"specified bucket does not exist"),
    "wrong_region": (
        r"AuthorizationHeaderMalformed",
        r"PermanentRedirect",
        r"must be addressed using the specified endpoint",
        r"the region '[^']*' is wrong",
    ),
    "object_store_full": (r"QuotaExceeded", r"StorageFull", r"InsufficientStorage"),
    "no_credentials_in_chain": (r"NoCredentialProviders", r"no valid providers in chain"),
    "s3_access_denied_policy": (r"AccessDenied",),
}
# Said by anything that dials, so they count only beside words of storage.
_WHILE_REACHING = {
    "s3_access_denied_policy": (r"access denied",),
    "tls_scheme_mismatch": (
        r"first record does not look like a TLS handshake",
        r"HTTP response to HTTPS client",
        r"HTTP request to an HTTPS server",
    ),
    "tls_unknown_authority": (r"signed by unknown authority",),
    "tls_name_mismatch": (
        r"certificate is (?:not )?valid for",
        r"cannot validate certificate for",
    ),
    "endpoint_not_s3_api": (r"expected element type <\w+> but have <html>",),
    "endpoint_unreachable": (
        r"connection refused",
        r"connection reset",
        r"no such host",
        r"no route to host",
        r"network is unreachable",
        r"server misbehaving",
        r"i/o timeout",
        r"TLS handshake timeout",
        r"context deadline exceeded",
    ),
}


def _compiled(table: Mapping[str, tuple[str, ...]]) -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple(
        (re.compile("|".join(phrases), re.IGNORECASE), cause) for cause, phrases in table.items()
    )


_BY_STORE_PATTERNS = _compiled(_BY_STORE)
_WHILE_REACHING_PATTERNS = _compiled(_WHILE_REACHING)
_STORAGE_WORDS = re.compile(
    r"s3 object|store put chunk|failed to flush|upload|bucket|object store|cluster seed|"
    r"(?:Put|Get|List|Delete|Head)Objects?|RequestError: send request failed|\bS3:",
    re.IGNORECASE,
)
_BETWEEN_LOKIS = "rpc error"
_QUIET_LEVELS = frozenset({"debug", "info"})
# What follows is a stream's own labels: people's words, not Loki's.
_STREAM = re.compile(r",? num_chunks: |,? labels: \{")
_PAIR = re.compile(r'([\w.]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?=\s|$)')
_ESCAPED = re.compile(r"\\(.)")


def complaints(lines: Iterable[str]) -> tuple[LogLine, ...]:
    """Return the storage complaints in some lines of a log, the most frequent first."""
    found: dict[str, LogLine] = {}
    for line in lines:
        fields = _fields(line[:MAX_LINE])
        cause = _cause_of(fields)
        if cause is None:
            continue
        moment = _moment(fields.get("ts", ""))
        before = found.get(cause)
        found[cause] = LogLine(
            cause=cause,
            count=before.count + 1 if before else 1,
            first_at=(before.first_at if before else None) or moment,
            last_at=moment or (before.last_at if before else None),
        )
    return tuple(sorted(found.values(), key=lambda each: (-each.count, each.cause)))


def cause_of_line(line: str) -> str | None:
    """Return the cause that one line of a log complains of, None for any other line."""
    return _cause_of(_fields(line[:MAX_LINE]))


def _cause_of(fields: dict[str, str]) -> str | None:
    if fields.get("level", "").lower() in _QUIET_LEVELS:
        return None
    said = fields.get("err") or fields.get("error") or fields.get("msg", "")
    said = _STREAM.split(said, maxsplit=1)[0]
    for pattern, cause in _BY_STORE_PATTERNS:
        if pattern.search(said):
            return cause
    context = f"{fields.get('msg', '')} {said}"
    if _BETWEEN_LOKIS in said or not _STORAGE_WORDS.search(context):
        return None
    return next(
        (cause for pattern, cause in _WHILE_REACHING_PATTERNS if pattern.search(said)), None
    )


def _fields(line: str) -> dict[str, str]:
    """Return a line's fields: of logfmt or JSON; of anything else the whole line as `msg`."""
    if line.startswith("{"):
        try:
            decoded = json.loads(line)
        except (ValueError, RecursionError):
            decoded = None
        if isinstance(decoded, dict):
            return {name: value for name, value in decoded.items() if isinstance(value, str)}
    pairs = {name: _unquoted(value) for name, value in _PAIR.findall(line)}
    return pairs if "msg" in pairs or "err" in pairs else {"msg": line}


def _unquoted(value: str) -> str:
    return _ESCAPED.sub(r"\1", value[1:-1]) if value.startswith('"') else value


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else None
