# SPDX-License-Identifier: Apache-2.0
"""Addresses from untrusted text: whether it is one, and what of it may be printed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from lokeys.core.text.words import character

_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?\.?|\[[0-9a-f:.]+\]")
"""As Go's clients accept it: with `_`, and a final dot that says that the name is complete."""
_STRANGE = re.compile(r"[^a-z0-9._-]")
_PATH = re.compile(r"[A-Za-z0-9._~/-]{0,253}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Url:
    """A URL of scheme, host and port; `path` without a trailing slash."""

    secure: bool
    host: str
    port: int | None = None
    path: str = ""

    @property
    def authority(self) -> str:
        """Return `host[:port]`."""
        return self.host if self.port is None else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"http{'s' if self.secure else ''}://{self.authority}{self.path}"


class NoUrl(ValueError):
    """A text that is not an address; the message says why, and shows nothing of it."""


def url(text: str, *, with_path: bool = False, scheme: str | None = None) -> Url:
    """Return `text` as a URL; `scheme` is used if it has none. Raises NoUrl."""
    if "://" not in text:
        if scheme is None:
            raise NoUrl("no URL: it begins neither with `https://` nor with `http://`")
        text = f"{scheme}://{text}"
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise NoUrl("a URL whose host or port makes no sense") from None
    if parts.scheme.lower() not in ("http", "https"):
        raise NoUrl("a URL of another scheme than http and https")
    if "@" in parts.netloc:
        raise NoUrl("a URL with a user in it")
    if not host:
        raise NoUrl("a URL without a host")
    host = f"[{host}]" if ":" in host else host
    if port == 0 or ".." in host:
        raise NoUrl("a URL whose host or port makes no sense")
    if not _HOST.fullmatch(host):
        raise NoUrl(f"a URL whose host {_why_none(host)}")
    if parts.query or parts.fragment:
        raise NoUrl("a URL with more than an address in it")
    path = parts.path.rstrip("/")
    if path and not with_path:
        raise NoUrl("a URL with a path")
    return Url(secure=parts.scheme.lower() == "https", host=host, port=port, path=path)


def _why_none(host: str) -> str:
    strange = _STRANGE.search(host.strip("[]"))
    if strange is not None:
        return f"has {character(strange[0])} in it"
    edge = host[-1] if host[0].isalnum() else host[0]
    return f"begins or ends with `{edge}`"


def as_printed(text: str) -> str:
    """Return an address from untrusted text, safe to print; empty if it has more parts.

    A user, a query or a fragment may be a credential, and a path anything.
    """
    try:
        found = url(text, with_path=True)
    except NoUrl:
        return ""
    return str(found) if _PATH.fullmatch(found.path) else ""
