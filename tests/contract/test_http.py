# SPDX-License-Identifier: Apache-2.0
"""The HTTP client against real sockets and real TLS: bounds, reasons, detours; and our server."""

import asyncio
import contextlib
import gc
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from contract.serving import serve
from lokeys.adapters.http import (
    Bounds,
    Dial,
    NoAnswer,
    Reason,
    Reply,
    TooLong,
    bounded_request,
    make_client,
)
from lokeys.adapters.http_clients import HttpClients
from lokeys.errors import BadInput, Unreachable
from lokeys.http_server import Hangup, HttpRequest, HttpServer, Response, json, text

BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
HANGS_S = 30.0
"""What takes longer never comes."""
PATIENT = Bounds(total_s=HANGS_S, max_bytes=1000)
QUICK = Bounds(total_s=0.3, max_bytes=1000)


def get(
    url: str, *, ca_bundle: str | None = None, dial: Dial | None = None, bounds: Bounds = PATIENT
) -> Reply:
    """GET once, with a client of its own."""

    async def run() -> Reply:
        async with HttpClients(dial=dial) as clients:
            request = httpx2.Request("GET", url)
            return await bounded_request(clients.trusting(ca_bundle), request, bounds=bounds)

    return asyncio.run(run())


def reason_of(url: str, *, ca_bundle: str | None = None, dial: Dial | None = None) -> Reason:
    """Return why a GET got no answer."""
    with pytest.raises(NoAnswer) as caught:
        get(url, ca_bundle=ca_bundle, dial=dial, bounds=PATIENT)
    assert isinstance(caught.value, Unreachable)
    assert str(caught.value)
    return caught.value.reason


async def echo(request: HttpRequest) -> Response:
    """Answer with what was asked."""
    return json({"path": request.path, "query": request.query, "host": request.headers["host"]})


# --- bounds -------------------------------------------------------------------------------------


def test_an_answer_of_just_the_allowed_size_is_read() -> None:
    """The limit itself is allowed, one byte more is not."""

    async def sized(request: HttpRequest) -> Response:
        return Response(body=b"x" * int(request.query["size"]))

    with serve(sized) as url:
        assert len(get(f"{url}/?size=1000").body) == 1000
        with pytest.raises(TooLong):
            get(f"{url}/?size=1001")


def test_an_endless_answer_is_left_at_the_limit() -> None:
    """Reading stops at the limit though the server would go on for ever."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 500

    async def handle(_: HttpRequest) -> Response:
        return Response(body=endless())

    with serve(handle) as url, pytest.raises(TooLong):
        get(url)


def test_compressed_bytes_are_not_unfolded() -> None:
    """An answer that claims to be compressed is taken as the bytes it is."""

    async def bomb(_: HttpRequest) -> Response:
        return Response(headers={"content-encoding": "gzip"}, body=b"\x1f\x8bnot really")

    with serve(bomb) as url:
        assert get(url).body == b"\x1f\x8bnot really"


def test_a_server_that_hangs_or_drips_is_a_timeout() -> None:
    """The time limit is on the whole answer, so that dripping bytes do not stretch it."""

    async def drip() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0.05)

    async def handle(request: HttpRequest) -> Response:
        if request.path == "/hang":
            await asyncio.sleep(60)
        return Response(body=drip())

    with serve(handle) as url:
        for path in ("/hang", "/drip"):
            with pytest.raises(NoAnswer) as caught:
                get(url + path, bounds=QUICK)
            assert caught.value.reason is Reason.TIMEOUT


def test_redirects_are_answers() -> None:
    """A redirect is returned, never followed."""

    async def away(_: HttpRequest) -> Response:
        return Response(status=301, headers={"location": "http://127.0.0.1:1/"})

    with serve(away) as url:
        assert get(url).status == 301


def test_a_client_reads_no_environment_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes through the proxies that it is given, and it was given none."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with serve(echo) as url:
        assert get(url).status == 200


# --- reasons ------------------------------------------------------------------------------------


def test_nothing_listening_is_refused() -> None:
    """A closed port is told from a name that does not resolve."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert reason_of(f"http://127.0.0.1:{taken.getsockname()[1]}/") is Reason.REFUSED


def test_an_unknown_name_is_dns() -> None:
    """A name that does not resolve is its own reason: a Service's name does not, from a laptop."""
    assert reason_of("http://rgw.storage.svc.invalid/") is Reason.DNS


@pytest.mark.parametrize("when", ["at once", "within the body"])
def test_a_connection_cut_short_is_closed(when: str) -> None:
    """No answer and half an answer are both a closed connection."""

    async def half() -> AsyncIterator[bytes]:
        yield b"half"

    async def handle(_: HttpRequest) -> Response:
        if when == "at once":
            raise Hangup
        return Response(headers={"content-length": "100"}, body=half())

    with serve(handle) as url:
        assert reason_of(url) is Reason.CLOSED


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate for store.example, one for another name, and an expired one."""
    if shutil.which("openssl") is None:
        pytest.fail("openssl is needed to make certificates: apt-get install openssl")
    folder = tmp_path_factory.mktemp("certificates")
    ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-x509"]
    for name, host, days in (
        ("good", "store.example", "2"),
        ("other", "other.example", "2"),
    ):
        names = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{host}"]
        files = ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")]
        subprocess.run(
            ["openssl", "req", *ec, *names, "-days", days, *files],
            check=True,
            capture_output=True,
            timeout=60,
        )
    return folder


def server_tls(certificates: Path, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")
    return context


def to(url: str) -> Dial:
    """Return a dial that leads everything to the server at `url`."""
    target = httpx2.URL(url)

    async def dial(host: str, port: int) -> tuple[str, int]:
        assert (host, port) == ("store.example", 443)
        return target.host, target.port or 0

    return dial


@pytest.fixture
def tls_server(certificates: Path) -> Iterator[Callable[[str], str]]:
    """Serve echo over TLS with a certificate of the given name."""
    open_servers = []

    def start(name: str) -> str:
        server = serve(echo, tls=server_tls(certificates, name))
        open_servers.append(server)
        return server.__enter__()

    yield start
    for server in open_servers:
        server.__exit__(None, None, None)


def test_a_detour_keeps_host_and_tls_name(
    certificates: Path, tls_server: Callable[[str], str]
) -> None:
    """Dialled elsewhere, the server still sees the original host, and is checked for its name."""
    ca_bundle = "# F\u0151tan\u00fas\u00edtv\u00e1ny\n" + (certificates / "good.pem").read_text()
    reply = get("https://store.example/a%20b?c=d", ca_bundle=ca_bundle, dial=to(tls_server("good")))
    assert reply.status == 200
    assert b'"host":"store.example"' in reply.body
    assert b'"path":"/a b"' in reply.body


def test_tls_faults_have_their_reasons(
    certificates: Path, tls_server: Callable[[str], str]
) -> None:
    """An untrusted authority and a wrong name are told apart."""
    good, other = (
        (certificates / "good.pem").read_text(),
        (certificates / "other.pem").read_text(),
    )
    url = "https://store.example/"
    wrong_authority = reason_of(url, ca_bundle=other, dial=to(tls_server("good")))
    wrong_name = reason_of(url, ca_bundle=other, dial=to(tls_server("other")))
    no_bundle = reason_of(url, dial=to(tls_server("good")))
    assert (wrong_authority, wrong_name, no_bundle) == (
        Reason.TLS_UNKNOWN_AUTHORITY,
        Reason.TLS_NAME_MISMATCH,
        Reason.TLS_UNKNOWN_AUTHORITY,
    )
    assert good != other


def test_https_to_a_plain_port_is_a_scheme_mismatch() -> None:
    """TLS spoken to a server that does not speak it."""
    with serve(echo) as url:
        assert reason_of(url.replace("http:", "https:")) is Reason.TLS_SCHEME_MISMATCH


def test_http_to_a_tls_port_is_a_scheme_mismatch_or_closed(
    tls_server: Callable[[str], str],
) -> None:
    """A TLS port answers plain HTTP with an alert, or only hangs up."""
    reason = reason_of(tls_server("good").replace("https:", "http:"))
    assert reason in {Reason.TLS_SCHEME_MISMATCH, Reason.CLOSED}


@pytest.mark.parametrize("bundle", ["not PEM", "k\u00e4se", BEGIN, f"{BEGIN}\nAAAA\n{END}"])
def test_a_bundle_that_is_none_is_bad_input(bundle: str) -> None:
    """A CA bundle without a certificate is said to be one, when the client is made."""
    with pytest.raises(BadInput, match="CA bundle"):
        make_client(bundle)


# --- the server ---------------------------------------------------------------------------------


def test_connections_are_kept_and_requests_answered_in_order() -> None:
    """Many requests over one connection, bodies and HEAD among them."""

    async def run() -> None:
        async def handle(request: HttpRequest) -> Response:
            return text(f"{request.method} {len(request.body)}")

        async with HttpServer(handle) as server, httpx2.AsyncClient(trust_env=False) as client:
            for size in (0, 10, 1_000_000):
                reply = await client.put(server.url, content=b"x" * size)
                assert reply.text == f"PUT {size}"
                head = await client.head(server.url)
                assert (head.status_code, head.content) == (200, b"")

    asyncio.run(run())


def test_a_stream_ends_when_its_reader_leaves() -> None:
    """A watch without news is closed as soon as its client has gone."""

    async def run() -> None:
        ended = asyncio.Event()

        async def watch() -> AsyncIterator[bytes]:
            try:
                yield b"first\n"
                await asyncio.Event().wait()
            finally:
                ended.set()

        async def handle(_: HttpRequest) -> Response:
            return Response(body=watch())

        async with HttpServer(handle) as server, httpx2.AsyncClient(trust_env=False) as client:
            async with client.stream("GET", server.url) as reply:
                assert await anext(reply.aiter_bytes()) == b"first\n"
            await asyncio.wait_for(ended.wait(), timeout=HANGS_S)

    asyncio.run(run())


@pytest.mark.parametrize("turns", range(6))
def test_stopping_ends_what_is_on_its_way_in(turns: int) -> None:
    """However far a connection has come when the server stops: nothing of it stays open."""

    async def run() -> bytes:
        server = HttpServer(echo)
        await server.start()
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            for _ in range(turns):
                await asyncio.sleep(0)
            await server.stop()
            client.setblocking(False)
            reading = asyncio.get_running_loop().sock_recv(client, 1)
            with contextlib.suppress(ConnectionResetError):
                return await asyncio.wait_for(reading, timeout=HANGS_S)
            return b""

    assert asyncio.run(run()) == b""
    gc.collect()  # a transport left open is told of when it goes


def test_a_stop_that_is_broken_off_has_closed_the_port() -> None:
    """Whoever waits for it may be cancelled: nobody else would close it."""

    async def run() -> None:
        server = HttpServer(echo)
        await server.start()
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0)
        stopping.cancel()
        await asyncio.wait({stopping})
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", server.port)

    asyncio.run(run())


def test_stopping_ends_what_is_being_answered_and_a_restart_keeps_the_port() -> None:
    """A stopped server refuses at once, and comes back where it was."""

    async def run() -> None:
        hanging = asyncio.Event()

        async def handle(request: HttpRequest) -> Response:
            if request.path == "/hang":
                hanging.set()
                await asyncio.Event().wait()
            return text("back")

        server = HttpServer(handle)
        await server.start()
        async with httpx2.AsyncClient(trust_env=False) as client:
            waiting = asyncio.create_task(client.get(f"{server.url}/hang"))
            await asyncio.wait_for(hanging.wait(), timeout=HANGS_S)
            await server.stop()
            with pytest.raises(httpx2.TransportError):
                await waiting
            with pytest.raises(httpx2.ConnectError):
                await client.get(server.url)
            await server.start()
            assert (await client.get(server.url)).text == "back"
            await server.stop()

    asyncio.run(run())


def test_a_handlers_fault_is_a_500_and_the_server_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A handler that breaks answers 500, says so in the log, and keeps the connection."""

    async def broken(request: HttpRequest) -> Response:
        if request.path == "/broken":
            raise RuntimeError("of its own")
        return text("fine")

    with serve(broken) as url:
        assert get(f"{url}/broken").status == 500
        assert get(url).body == b"fine"
    assert "cannot answer GET /broken" in caplog.text


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02", b"GET\r\n\r\n", b"x" * 100_000])
def test_garbage_is_refused(garbage: bytes) -> None:
    """What is no HTTP is answered 400 (or 431) and the connection is closed."""
    with serve(echo) as url:
        target = httpx2.URL(url)
        address = target.host, target.port or 0
        with socket.create_connection(address, timeout=HANGS_S) as connection:
            connection.sendall(garbage + b"\r\n\r\n")
            answer = connection.recv(1000)
        assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 431"))
