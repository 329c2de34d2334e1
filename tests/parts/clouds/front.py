# SPDX-License-Identifier: Apache-2.0
"""Where the clouds' host names lead in tests: one address, TLS under a CA of ours.

pod ──DNS of the node──▶ front ──by name──▶ Entra and Google (stand-ins), Azurite, fake-gcs-server
"""

import asyncio
import fnmatch
import ssl
import subprocess
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import httpx2

from lokeys.http_server import HttpRequest, HttpServer, Listen, Response, json
from parts.clouds.entra import Entra
from parts.clouds.google import Google

PORT = 443
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "content-length"}
Answer = Callable[[str, HttpRequest], Awaitable[Response]]


class Front:
    """Answers for host names (patterns) at an address of this host, until it is closed."""

    def __init__(self, address: str, names: Mapping[str, Answer], folder: Path) -> None:
        self.address = address
        self.names = names
        self.seen: list[str] = []
        """Each request: host, method and path."""
        self.ca_file, certificate, key = certificates(folder, list(names))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.certificate, self.key = certificate, key
        self._server = HttpServer(self._answer, Listen(host=address, port=PORT, tls=context))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._server.start(), self._loop).result(10)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._server.stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _answer(self, request: HttpRequest) -> Response:
        host = request.headers.get("host", "").partition(":")[0]
        self.seen.append(f"{host} {request.method} {request.path}")
        for pattern, answer in self.names.items():
            if fnmatch.fnmatch(host, pattern):
                return await answer(host, request)
        return json({"error": "nobody of this name is here"}, status=421)


def passed_to(backend: str, *, host: str = "") -> Answer:
    """Return what passes requests on, with all their headers, and answers as they come.

    `host` replaces the name that was asked for, where nobody signed it.
    """

    async def answer(_: str, request: HttpRequest) -> Response:
        kept = {
            name: value for name, value in request.headers.items() if name not in HOP_BY_HOP
        } | {"content-length": str(len(request.body))}
        if host:
            kept["host"] = host
        async with (
            httpx2.AsyncClient(verify=False, trust_env=False, timeout=30) as client,
            client.stream(
                request.method, backend + request.target, headers=kept, content=request.body
            ) as reply,
        ):
            body = b"".join([part async for part in reply.aiter_raw()])
            headers = {name: text for name, text in reply.headers.items() if name not in HOP_BY_HOP}
            if request.method == "HEAD" and "content-length" in reply.headers:
                headers["content-length"] = reply.headers["content-length"]
            return Response(status=reply.status_code, headers=headers, body=body)

    return answer


def azure_store(entra: Entra, backend: str) -> Answer:
    """Return Azurite behind a door: it reads tokens, but believes whoever signed them."""
    inner = passed_to(backend)

    async def answer(host: str, request: HttpRequest) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme == "Bearer" and token not in entra.given:
            return json({"error": "InvalidAuthenticationInfo"}, status=401)
        return await inner(host, request)

    return answer


def google_store(google: Google, backend: str, accounts: Mapping[str, Sequence[str]]) -> Answer:
    """Return fake-gcs-server behind a door; `accounts` are those that may use each bucket."""
    inner = passed_to(backend)

    async def answer(host: str, request: HttpRequest) -> Response:
        account = google.whose(request.headers.get("authorization", "").removeprefix("Bearer "))
        if account is None:
            return json({"error": {"code": 401, "message": "Invalid Credentials"}}, status=401)
        bucket = _bucket(request.path)
        if account not in accounts.get(bucket, ()):
            return json({"error": {"code": 403, "message": "Forbidden"}}, status=403)
        return await inner(host, request)

    return answer


def _bucket(path: str) -> str:
    """Return the bucket that a request is about: /BUCKET/OBJECT, or …/b/BUCKET/…."""
    words = path.strip("/").split("/")
    return words[words.index("b") + 1] if "b" in words[:4] else words[0]


def certificates(folder: Path, names: Sequence[str]) -> tuple[Path, Path, Path]:
    """Make a CA and a certificate for these names; return CA, certificate and key."""
    ca, ca_key, request, leaf, key, extra = (
        folder / name for name in ("ca.crt", "ca.key", "leaf.csr", "leaf.crt", "leaf.key", "ext")
    )
    new = ("req", "-nodes", "-newkey", "rsa:2048", "-subj")
    _openssl(*new, "/CN=clouds of tests", "-x509", "-days", "30", "-keyout", ca_key, "-out", ca)
    _openssl(*new, "/CN=clouds", "-keyout", key, "-out", request)
    extra.write_text(f"subjectAltName={','.join(f'DNS:{name}' for name in names)}\n")
    signer = ("-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "30", "-extfile", extra)
    _openssl("x509", "-req", "-in", request, "-out", leaf, *signer)
    return ca, leaf, key


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
