# SPDX-License-Identifier: Apache-2.0
"""Where a credential may go: only to addresses that its owner named or allowed.

Whoever may edit a StorageCredential can write addresses into it. That alone must not send another
person's credential there, so the owner of each says where it may go:

    a key of Rook's       the addresses that its CephObjectStore names; `lokeys.dev/allowed-urls` on
                          the CephObjectStoreUser
    a key in a Secret     `lokeys.dev/allowed-urls` on the Secret
    a Connect token       the host of a SecretStore that names this token; the same annotation

On the command line the caller's permissions decide (`Trying`): whoever reads a key can send it.

The same owner decides whether a replaced key may be added again for a limited time (a bridge):
`lokeys.dev/allowed-bridge` is the longest time. An editor of a StorageCredential cannot decide it,
as the key may have been removed because it leaked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum, auto
from typing import Any
from urllib.parse import urlsplit

ALLOWED_URLS = "lokeys.dev/allowed-urls"
LONGEST_ANNOTATION = 16 * 1024
LONGEST_URL = 2048
_PORTS = {"http": 80, "https": 443}
_CLUSTER = ".svc.cluster.local"


class Trying(Enum):
    """Who decides at which address a key is tested."""

    CALLER = auto()
    """A person who named the route: their own permissions gave access to the Secrets."""
    LOKI = auto()
    """A person who named no route: Loki's key is tested where Loki writes; others need consent."""
    CONSENT = auto()
    """The operator: the key's owner decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The part of a URL that determines which server answers."""

    scheme: str
    host: str
    port: int


def origin_of(url: str) -> Origin | None:
    """Return the scheme, host and port of a URL; None if it is not a plain http(s) URL."""
    if len(url) > LONGEST_URL or "\\" in url:
        return None
    try:
        parts = urlsplit(url.strip())
        scheme, host, port = parts.scheme.lower(), parts.hostname or "", parts.port
    except ValueError:
        return None
    if scheme not in _PORTS or not host or "@" in parts.netloc:
        return None
    host = host.removesuffix(".")
    if host.endswith(_CLUSTER):
        host = host.removesuffix(".cluster.local")
    return Origin(scheme=scheme, host=host, port=_PORTS[scheme] if port is None else port)


def host_of(url: str) -> str | None:
    """Return the host of a URL; every short form of a Service's name gives the same host."""
    found = origin_of(url)
    return found.host.removesuffix(".svc") if found else None


def address_of(url: str, *, namespace: str | None) -> Origin | None:
    """Return the origin of a URL, as it is resolved in a namespace.

    Every short form of a Service's name gives the same host.
    """
    found = origin_of(url)
    if found is None:
        return None
    host = found.host if "." in found.host else f"{found.host}.{namespace}"
    return replace(found, host=host.removesuffix(".svc"))


def origins(urls: Iterable[str]) -> frozenset[Origin]:
    """Return the origins of URLs, without those that are not valid."""
    return frozenset(found for url in urls if (found := origin_of(url)) is not None)


def allowed_urls(manifest: Mapping[str, Any]) -> frozenset[Origin]:
    """Return what an object's owner lists in the annotation."""
    metadata = manifest.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    return urls_in(annotations) if isinstance(annotations, Mapping) else frozenset()


def urls_in(annotations: Mapping[str, Any]) -> frozenset[Origin]:
    """Return what an object's annotations list."""
    text = annotations.get(ALLOWED_URLS)
    if not isinstance(text, str) or len(text) > LONGEST_ANNOTATION:
        return frozenset()
    return origins(text.split(","))


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What the owner of a key allows: where it may go, and for how long a replaced one may return.

    `named`: origins for any key on the route, not only the owner's.
    """

    named: frozenset[Origin] = frozenset()
    listed: frozenset[Origin] = frozenset()
    bridge: timedelta | None = None

    def names(self, url: str) -> bool:
        """Tell whether any key of the route may go there."""
        return origin_of(url) in self.named

    def covers(self, url: str) -> bool:
        """Tell whether the owner's own key may go there."""
        return origin_of(url) in self.named | self.listed


NO_CONSENT = Consent()
"""Nothing was allowed."""
