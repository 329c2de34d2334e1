# SPDX-License-Identifier: Apache-2.0
"""Whether a token would cross a network in plain text on its way to its exchange."""

from __future__ import annotations

from ipaddress import ip_address
from typing import assert_never

from lokeys.core.kubernetes.consent import Origin, origin_of
from lokeys.core.trust.tries.identity import FederatedApp, PoolProvider, Role, Trust


def in_clear(trust: Trust, allowed: frozenset[Origin]) -> str | None:
    """Return where a token would use plain HTTP, beyond this machine and unallowed.

    An invalid URL is refused too: nobody can tell where it leads.
    """
    for url in _urls_of(trust):
        origin = origin_of(url)
        if origin is None:
            return url
        if origin.scheme == "http" and not _is_loopback(origin.host) and origin not in allowed:
            return url
    return None


def _urls_of(trust: Trust) -> tuple[str, ...]:
    match trust:
        case Role(sts_url=url):
            return (url,)
        case FederatedApp(authority=url):
            return (url,)
        case PoolProvider(token_url=url, impersonation_url=more):
            return (url, more) if more else (url,)
        case other:
            assert_never(other)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
