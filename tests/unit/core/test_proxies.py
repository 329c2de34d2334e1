# SPDX-License-Identifier: Apache-2.0
"""Which proxy a request goes through: Go's rules, as Loki itself follows them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokeys.core.proxies import Proxies, ProxyAddress, Unusable, address_of, from_environment

CANARY = "canary-password"
HTTP = "http://plain.corp:3128"
HTTPS = "http://proxy.corp:8080"


def goes_through(url: str, no_proxy: str) -> bool:
    scheme, _, rest = url.partition("://")
    host, _, port = rest.rpartition(":") if not rest.endswith("]") else (rest, "", "")
    host = host or rest
    chosen = Proxies(http=HTTP, https=HTTPS, no_proxy=no_proxy)
    number = int(port) if port.isdigit() and host != rest else None
    return chosen.of(scheme, host.strip("[]"), number) is not None


WITHOUT = {
    "a host": ("https://s3.corp", "s3.corp"),
    "a host among others, with blanks": ("https://s3.corp", "a.b, s3.corp ,c.d"),
    "a host in other letters": ("https://s3.corp", "S3.Corp"),
    "what is below a host": ("https://bucket.s3.corp", "s3.corp"),
    "what is below a domain": ("https://bucket.s3.corp", ".s3.corp"),
    "what is below a domain with a star": ("https://bucket.s3.corp", "*.s3.corp"),
    "a host and its port": ("https://s3.corp:9000", "s3.corp:9000"),
    "a host and the scheme's port": ("https://s3.corp", "s3.corp:443"),
    "a domain and its port": ("http://a.s3.corp", ".s3.corp:80"),
    "a host with an empty port": ("https://s3.corp:9000", "s3.corp:"),
    "an address": ("http://10.1.2.3", "10.1.2.3"),
    "an address and its port": ("http://10.1.2.3:9000", "10.1.2.3:9000"),
    "an address in a network": ("http://10.1.2.3", "10.0.0.0/8"),
    "an address in a network with bits of a host": ("http://10.1.2.3", "10.9.9.9/8"),
    "an IPv6 address": ("http://[fd00::1]", "fd00::1"),
    "an IPv6 address and its port": ("http://[fd00::1]:9000", "[fd00::1]:9000"),
    "an IPv6 address with a zone": ("http://[fe80::1%eth0]", "fe80::/10"),
    "an IPv6 address in a network": ("http://[fd00::1]", "fd00::/8"),
    "an IPv4 address spelled as IPv6": ("http://[::ffff:10.1.2.3]", "10.0.0.0/8"),
    "everything": ("https://s3.corp", "*"),
    "everything, among others": ("https://s3.corp", "a.b,*"),
    "localhost": ("http://localhost:9000", ""),
    "a loopback address": ("http://127.8.9.1:9000", ""),
    "the IPv6 loopback address": ("http://[::1]:9000", ""),
    "a host in another alphabet": ("https://xn--trh-u1a.corp", "t\u0171rh.corp"),
    "a scheme that no proxy is for": ("ftp://s3.corp", ""),
}
THROUGH = {
    "nothing is excepted": ("https://s3.corp", ""),
    "blanks and commas": ("https://s3.corp", " ,, "),
    "another host": ("https://s3.corp", "s4.corp"),
    "a host whose end is the same": ("https://us3.corp", "s3.corp"),
    "the domain itself": ("https://s3.corp", ".s3.corp"),
    "the domain itself, with a star": ("https://s3.corp", "*.s3.corp"),
    "a star within a name": ("https://s3.corp", "*3.corp"),
    "another port": ("https://s3.corp:9000", "s3.corp:9001"),
    "another port than the scheme's": ("https://s3.corp", "s3.corp:80"),
    "another port of an address": ("http://10.1.2.3", "10.1.2.3:9000"),
    "another network": ("http://11.1.2.3", "10.0.0.0/8"),
    "a name, and a network": ("https://s3.corp", "0.0.0.0/0"),
    "a network with a mask": ("http://10.1.2.3", "10.0.0.0/255.0.0.0"),
    "a network that is none": ("http://10.1.2.3", "10.0.0.0/33"),
    "an address in brackets without a port": ("http://[fd00::1]", "[fd00::1]"),
    "a port without a host": ("https://s3.corp", ":443"),
    "a trailing dot": ("https://s3.corp.", "s3.corp"),
    "a name that DNS cannot spell": ("https://s3.corp", "\u0171" * 80),
}


@pytest.mark.parametrize(("url", "no_proxy"), WITHOUT.values(), ids=WITHOUT.keys())
def test_these_are_reached_without_a_proxy(url: str, no_proxy: str) -> None:
    """NO_PROXY covers them, or they are of this machine."""
    assert not goes_through(url, no_proxy)


@pytest.mark.parametrize(("url", "no_proxy"), THROUGH.values(), ids=THROUGH.keys())
def test_these_go_through_the_proxy(url: str, no_proxy: str) -> None:
    """NO_PROXY does not cover them, however like it they look."""
    assert goes_through(url, no_proxy)


ADDRESSES = {
    "http://p:3128": ("http://p:3128", None),
    "p:3128": ("http://p:3128", None),
    "p": ("http://p:80", None),
    "https://p": ("https://p:443", None),
    "http://[fd00::1]:3128/path": ("http://[fd00::1]:3128", None),
    f"http://me:{CANARY}@p:1": ("http://p:1", ("me", CANARY)),
    f"me:{CANARY}@p:1": ("http://p:1", ("me", CANARY)),
    "http://me@p:1": ("http://p:1", ("me", "")),
    "http://me:a%40b%3A@p:1": ("http://p:1", ("me", "a@b:")),
}


@pytest.mark.parametrize("text", ADDRESSES)
def test_a_proxys_address_is_read_as_go_reads_it(text: str) -> None:
    """Without a scheme it is http; user and password are decoded, and never shown."""
    found = address_of(text)
    assert found == ProxyAddress(*ADDRESSES[text])
    assert CANARY not in repr(found)


@pytest.mark.parametrize(
    "text", ["socks5://p:1080", "http://", "http://p:0", "http://p:99999", "p q", "x" * 3000, "[::"]
)
def test_an_unusable_proxy_is_named_by_its_place_alone(text: str) -> None:
    """What it says is not shown: a password may be in it."""
    with pytest.raises(Unusable) as caught:
        from_environment({"https_proxy": text}).of("https", "s3.corp")
    assert caught.value.where == "https_proxy"
    assert text not in str(caught.value)
    assert list(from_environment({"https_proxy": text}).told()) == [
        "https addresses are reached through a proxy that cannot be used (https_proxy)"
    ]


def test_each_scheme_has_its_own_proxy() -> None:
    """One does not stand in for the other, and ALL_PROXY is curl's, not Go's."""
    only = from_environment({"HTTPS_PROXY": HTTPS, "ALL_PROXY": HTTP})
    assert only.of("https", "s3.corp") == ProxyAddress(HTTPS)
    assert only.of("http", "s3.corp") is None


def test_upper_case_wins() -> None:
    """Of two spellings the upper case one counts, unless it is empty."""
    both = {"HTTP_PROXY": HTTP, "http_proxy": HTTPS, "NO_PROXY": "", "no_proxy": "s3.corp"}
    found = from_environment(both)
    assert found.of("http", "s4.corp") == ProxyAddress(HTTP)
    assert found.of("http", "s3.corp") is None


def test_a_cgi_program_takes_no_proxy_from_who_asks_it() -> None:
    """The web server makes HTTP_PROXY of a header there."""
    assert from_environment({"HTTP_PROXY": HTTP, "REQUEST_METHOD": "GET"}).of("http", "x") is None


def test_what_is_told_holds_no_password() -> None:
    """A person sees which proxy is used, and where that was said."""
    said = {
        "HTTPS_PROXY": f"http://me:{CANARY}@p:3128",
        "http_proxy": HTTP,
        "NO_PROXY": "s3.corp\x1b[31m",
    }
    found = from_environment(said)
    assert list(found.told()) == [
        "https addresses are reached through http://p:3128 (HTTPS_PROXY)",
        "http addresses are reached through http://plain.corp:3128 (http_proxy)",
        "without a proxy: s3.corp[31m",
    ]
    assert CANARY not in repr(found)
    assert list(from_environment({"NO_PROXY": "s3.corp"}).told()) == []


@given(no_proxy=st.text(max_size=60), host=st.text(min_size=1, max_size=40))
def test_nothing_that_anybody_writes_breaks_it(no_proxy: str, host: str) -> None:
    """Every text is an exception or none, never an error."""
    chosen = Proxies(http=HTTP, no_proxy=no_proxy)
    assert chosen.of("http", host) in (None, ProxyAddress(HTTP))


@given(text=st.text(max_size=60))
def test_an_address_is_usable_or_none(text: str) -> None:
    """Whatever stands in the variable."""
    found = address_of(text)
    assert found is None or found.shown.startswith(("http://", "https://"))
