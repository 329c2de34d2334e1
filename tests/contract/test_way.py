# SPDX-License-Identifier: Apache-2.0
"""The way to a store on this machine's own sockets: each address, TLS, and the store's clock."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from lokeys.adapters.http import NoAnswer, Reason
from lokeys.adapters.http_clients import HttpClients
from lokeys.adapters.way import StoreWay
from lokeys.core.findings.link import Link

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


@asynccontextmanager
async def store(
    *, context: ssl.SSLContext | None = None, date: str | None = None
) -> AsyncIterator[int]:
    """Serve one answer to everybody; yield the port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read(65_536)
            told = f"Date: {date}\r\n" if date else ""
            head = f"HTTP/1.1 403 Forbidden\r\n{told}Content-Length: 0\r\nConnection: close\r\n\r\n"
            writer.write(head.encode())
            await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def way(endpoint: str, *, ca_bundle: str | None = None, dial: object = None) -> list[Link]:
    """Return the links of the way."""
    async with HttpClients(dial=dial) as clients:  # type: ignore[arg-type]
        looked = StoreWay(
            endpoint=endpoint, ca_bundle=ca_bundle, clients=clients, clock=lambda: NOW
        )
        return [*await looked.links()]


def said(links: list[Link]) -> list[tuple[str, bool | None, str | None]]:
    """Return names, whether they hold, and causes."""
    return [(link.name, link.ok, link.cause) for link in links]


def test_an_http_store_has_no_tls_on_its_way() -> None:
    """Name, address and clock hold."""

    async def look() -> None:
        async with store(date=format_datetime(NOW)) as port:
            links = await way(f"http://127.0.0.1:{port}")
        assert said(links) == [("dns", True, None), ("tcp", True, None), ("clock", True, None)]

    asyncio.run(look())


@pytest.mark.parametrize(
    ("apart", "ok", "cause"),
    [
        pytest.param(timedelta(minutes=2), True, None, id="a little"),
        pytest.param(timedelta(hours=-1), False, "clock_skew", id="an hour behind"),
    ],
)
def test_the_clocks_are_compared(apart: timedelta, ok: bool | None, cause: str | None) -> None:
    """By the store's Date."""

    async def look() -> None:
        date = format_datetime(NOW + apart)
        async with store(date=date) as port:
            links = await way(f"http://127.0.0.1:{port}")
        assert (links[-1].name, links[-1].ok, links[-1].cause) == ("clock", ok, cause)

    asyncio.run(look())


def test_a_store_that_says_no_time_is_not_compared() -> None:
    """Nothing is left open for it."""

    async def look() -> None:
        async with store() as port:
            links = await way(f"http://127.0.0.1:{port}")
        assert said(links) == [("dns", True, None), ("tcp", True, None)]

    asyncio.run(look())


def test_nobody_listens() -> None:
    """From here: that is left open, and nothing behind it is tried."""

    async def look() -> None:
        async with store() as port:
            pass
        links = await way(f"http://127.0.0.1:{port}")
        assert said(links) == [("dns", True, None), ("tcp", None, "endpoint_unreachable")]
        assert links[-1].blamed is None

    asyncio.run(look())


def test_a_name_that_does_not_resolve_is_left_open() -> None:
    """It may well resolve in the cluster."""

    async def look() -> None:
        links = await way("http://no-such-host.invalid")
        assert said(links) == [("dns", None, "endpoint_unreachable")]

    asyncio.run(look())


def test_no_way_through_the_api_server_is_said() -> None:
    """In the words of whoever looked for one."""

    async def look() -> None:

        async def dial(host: str, port: int) -> tuple[str, int]:
            raise NoAnswer(f"{host}:{port}", Reason.NO_ROUTE, note="no ready pod")

        (link,) = await way("http://rgw.storage.svc", dial=dial)
        assert (link.name, link.ok) == ("dns", None)
        assert "no ready pod" in link.detail

    asyncio.run(look())


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate for this machine, another one for it, and one for another name."""
    folder = tmp_path_factory.mktemp("certificates")
    ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-x509"]
    for name, place in (
        ("good", "IP:127.0.0.1"),
        ("strange", "IP:127.0.0.1"),
        ("other", "DNS:x.y"),
    ):
        names = ["-subj", f"/CN={name}", "-addext", f"subjectAltName={place}"]
        files = ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")]
        subprocess.run(
            ["openssl", "req", *ec, *names, "-days", "2", *files],
            check=True,
            capture_output=True,
            timeout=60,
        )
    return folder


@pytest.mark.parametrize(
    ("shown", "trusted", "ok", "cause"),
    [
        pytest.param("good", "good", True, None, id="trusted"),
        pytest.param("good", "strange", False, "tls_unknown_authority", id="another authority"),
        pytest.param("other", "other", False, "tls_name_mismatch", id="another name"),
        pytest.param("", "good", False, "tls_scheme_mismatch", id="plain http"),
    ],
)
def test_tls_is_tried_as_the_route_trusts(
    shown: str, trusted: str, ok: bool, cause: str | None, certificates: Path
) -> None:
    """Its chain is checked against the route's bundle; whose certificate it is, is told."""
    context = None
    if shown:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / f"{shown}.pem", certificates / f"{shown}.key")
    bundle = (certificates / f"{trusted}.pem").read_text()

    async def look() -> list[Link]:
        async with store(context=context, date=format_datetime(NOW)) as port:
            return await way(f"https://127.0.0.1:{port}", ca_bundle=bundle)

    found = {link.name: link for link in asyncio.run(look())}
    assert (found["tls"].ok, found["tls"].cause) == (ok, cause)
    assert ("clock" in found) is ok
    if ok:
        assert "by good" in found["tls"].detail


def test_what_is_no_url_is_said() -> None:
    """Without a try."""

    async def look() -> None:
        assert said(await way("http://[x")) == [("dns", False, "endpoint_not_s3_api")]

    asyncio.run(look())
