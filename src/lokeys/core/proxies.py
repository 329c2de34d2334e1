# SPDX-License-Identifier: Apache-2.0
"""Which proxy a request goes through, by the rules of Go's net/http, which Loki itself follows.

HTTP_PROXY and HTTPS_PROXY name a proxy for each scheme. NO_PROXY names what is reached directly:
hosts (with their subdomains), `.domain` (subdomains only), addresses and CIDRs, each optionally
with a port, or `*`. Uppercase names take precedence. localhost and loopback addresses never use a
proxy. A name in NO_PROXY is compared as it is written; nothing is resolved.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

MAX_NO_PROXY = 128 * 1024
"""Linux limits one variable of a process to this length."""
MAX_URL = 2048

_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_:.%-]{0,254}")
_BRACKETED = re.compile(r"\[([^\[\]]*)\]:([^:\[\]]*)")

_Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


class Unusable(ValueError):
    """A proxy setting is not valid. Says which variable it is in, never its value."""

    def __init__(self, where: str) -> None:
        super().__init__(f"{where} names no proxy that can be used")
        self.where = where


@dataclass(frozen=True, slots=True)
class ProxyAddress:
    """A proxy: `shown` is SCHEME://HOST:PORT, and `login` its user and password, a secret."""

    shown: str
    login: tuple[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxies:
    """The proxies of one environment, and which variable set each. None by default."""

    http: str = field(default="", repr=False)
    https: str = field(default="", repr=False)
    no_proxy: str = field(default="", repr=False)
    http_from: str = "HTTP_PROXY"
    https_from: str = "HTTPS_PROXY"

    def of(self, scheme: str, host: str, port: int | None = None) -> ProxyAddress | None:
        """Return the proxy for an address, None if it is reached directly. Raises Unusable."""
        text, where = {
            "http": (self.http, self.http_from),
            "https": (self.https, self.https_from),
        }.get(scheme, ("", ""))
        if not text or not self._applies_to(host, str(port or _PORTS[scheme])):
            return None
        found = address_of(text)
        if found is None:
            raise Unusable(where)
        return found

    def _applies_to(self, host: str, port: str) -> bool:
        host = _ascii(host.lower())
        ip = _address(host)
        if host == "localhost" or (ip is not None and ip.is_loopback):
            return False
        return not any(_matches(entry, host, port, ip) for entry in self._exceptions())

    def _exceptions(self) -> Iterator[str]:
        entries = (entry.strip().lower() for entry in self.no_proxy[:MAX_NO_PROXY].split(","))
        return (entry for entry in entries if entry)

    def told(self) -> Iterator[str]:
        """Yield what goes through which proxy, without any password."""
        for scheme, text, where in (
            ("https", self.https, self.https_from),
            ("http", self.http, self.http_from),
        ):
            if text:
                found = address_of(text)
                proxy = found.shown if found else "a proxy that cannot be used"
                yield f"{scheme} addresses are reached through {proxy} ({where})"
        if self.no_proxy and (self.http or self.https):
            said = "".join(letter for letter in self.no_proxy[:1000] if letter.isprintable())
            yield f"without a proxy: {said}"


NO_PROXIES = Proxies()


def from_environment(environment: Mapping[str, str]) -> Proxies:
    """Return the proxies that an environment sets."""
    http_from, http = _first(environment, "HTTP_PROXY")
    https_from, https = _first(environment, "HTTPS_PROXY")
    if environment.get("REQUEST_METHOD"):
        http = ""  # a CGI program: HTTP_PROXY would be the client's header `Proxy`
    return Proxies(
        http=http,
        https=https,
        no_proxy=_first(environment, "NO_PROXY")[1],
        http_from=http_from,
        https_from=https_from,
    )


def address_of(text: str) -> ProxyAddress | None:
    """Return the proxy of a URL; `HOST:PORT` alone means http. None if it is not valid."""
    if len(text) > MAX_URL:
        return None
    return _parsed(text) or (None if "://" in text else _parsed(f"http://{text}"))


def _parsed(text: str) -> ProxyAddress | None:
    try:
        url = urlsplit(text)
        host, port = url.hostname or "", url.port
    except ValueError:
        return None
    if url.scheme not in _PORTS or not _HOST.fullmatch(host) or port == 0:
        return None
    where = f"[{host}]" if ":" in host else host
    login = None
    if url.username is not None:
        login = unquote(url.username), unquote(url.password or "")
    return ProxyAddress(f"{url.scheme}://{where}:{port or _PORTS[url.scheme]}", login)


def _first(environment: Mapping[str, str], name: str) -> tuple[str, str]:
    """Return which of the two spellings is set, and its value; the uppercase one if neither is."""
    for spelling in (name, name.lower()):
        if environment.get(spelling):
            return spelling, environment[spelling]
    return name, ""


def _matches(entry: str, host: str, port: str, ip: _Ip | None) -> bool:
    """Tell whether one entry of NO_PROXY covers an address."""
    if entry == "*":
        return True
    network = _network(entry)
    if network is not None:
        return ip is not None and ip in network
    name, wanted_port = _split(entry)
    if not name or wanted_port not in ("", port):
        return False
    address = _address(name)
    if address is not None:
        return ip == address
    name = _ascii(name.removeprefix("*") if name.startswith("*.") else name)
    if name.startswith("."):
        return host.endswith(name)
    return host == name or host.endswith(f".{name}")


def _split(entry: str) -> tuple[str, str]:
    """Return an entry's host and port; an entry without a port, or with too many colons, whole."""
    bracketed = _BRACKETED.fullmatch(entry)
    if bracketed is not None:
        return bracketed[1], bracketed[2]
    if entry.count(":") == 1 and "[" not in entry and "]" not in entry:
        name, _, port = entry.partition(":")
        return name, port
    return entry, ""


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    if not re.fullmatch(r"[0-9a-f:.]+/[0-9]{1,3}", entry, re.ASCII):
        return None
    try:
        return ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return None


def _address(text: str) -> _Ip | None:
    """Return an IP address without its zone, and IPv4-mapped IPv6 as IPv4."""
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _ascii(name: str) -> str:
    """Return a host name as DNS spells it, or unchanged if it has no such spelling."""
    if name.isascii():
        return name
    labels = name.split(".")
    try:
        return ".".join(label.encode("idna").decode() if label else "" for label in labels)
    except UnicodeError:
        return name
