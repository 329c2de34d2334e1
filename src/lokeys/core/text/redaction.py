# SPDX-License-Identifier: Apache-2.0
"""Removes possible secrets from untrusted text before any of it is shown.

Logs quote URLs, headers and tokens. Whatever has the form of a credential is replaced, even if it
is not one: a line of evidence is worth less than a key.
"""

from __future__ import annotations

import re
from collections.abc import Callable

HIDDEN = "…hidden…"

_NAMED = re.compile(
    r"(?i)((?:secret[_-]?(?:access[_-]?)?key|access[_-]?key[_-]?secret|account[_-]?key|password"
    r"|passwd|private[_-]?key|client[_-]?secret|session[_-]?token|security[_-]?token|assertion"
    r"|webidentitytoken|authorization|signature|credential|\bsig|\btoken|\bapi[_-]?key)"
    r"[\\\"']{0,4}\s{0,2}[=:]\s{0,2}[\\\"']{0,4}(?:bearer |basic |aws |sharedkey )?)"
    r"[^\s\"'&,;\\<>]{4,4096}"
)
_USERINFO = re.compile(r"(://)[^\s@\"']{1,512}@")
_PORT = re.compile(r"(invalid port \\{0,2}\")([^\"\\]{1,512})")
"""A secret key with a slash in an s3:// URL is parsed as a port, and printed as one."""
_JWT = re.compile(r"eyJ[\w-]{8,8192}\.[\w-]{8,8192}(?:\.[\w-]{0,8192})?")
_PEM = re.compile(r"-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----[^-]{0,16384}")
_ELEMENT = re.compile(
    r"(?i)(<(?:secretaccesskey|sessiontoken|signatureprovided|stringtosign\w{0,8}"
    r"|canonicalrequest\w{0,8})>)([^<]{1,8192})"
)


def redacted(text: str) -> str:
    """Return the text without possible secrets. The caller limits the length of `text`."""
    text = without_echoes(text, lambda _: HIDDEN)
    for pattern, put in (
        (_PEM, HIDDEN),
        (_JWT, HIDDEN),
        (_USERINFO, rf"\1{HIDDEN}@"),
        (_NAMED, rf"\1{HIDDEN}"),
    ):
        text = pattern.sub(put, text)
    return text


def without_echoes(text: str, put: Callable[[str], str]) -> str:
    """Return the text with `put` of each value that a client or a store repeats in it."""
    for pattern in (_PORT, _ELEMENT):
        text = pattern.sub(lambda found: f"{found[1]}{put(found[2])}", text)
    return text
