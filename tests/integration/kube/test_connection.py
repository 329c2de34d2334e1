# SPDX-License-Identifier: Apache-2.0
"""Ways to a server: client certificates, no HTTP/2, a proxy, a graceful goodbye."""

import asyncio
import json
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from integration.kube.connecting import config_map, connect, until
from lokeys.kube.client import Api
from lokeys.kube.informer import InformerSet, Pace, Scope
from lokeys.kube.kubeconfig import load
from lokeys.kube.resources import CONFIG_MAP
from parts.kubernetes import Kubernetes

EVENT = {"type": "ADDED", "object": {"metadata": {"name": "a", "resourceVersion": "2"}}}
V1 = "client.authentication.k8s.io/v1"
Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def _certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a self-signed certificate for 127.0.0.1 by this common name."""
    request = ["req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "2"]
    names = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
    _openssl(folder, *request, *names, "-keyout", f"{name}.key", "-out", f"{name}.crt")
    return folder / f"{name}.crt", folder / f"{name}.key"


@asynccontextmanager
async def _tls_server(folder: Path, seen: list[str], trusted: list[Path]) -> AsyncIterator[str]:
    """Run an HTTP/1.1 server that lets in these client certificates, and `old` just once."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*_certificate(folder, "server"))
    context.verify_mode = ssl.CERT_REQUIRED
    for path in trusted:
        context.load_verify_locations(path)
    accepted: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(writer)
        subject = writer.get_extra_info("peercert")["subject"]
        user = dict(pair for part in subject for pair in part)["commonName"]
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                seen.append(user)
                refused = user == "old" and seen.count("old") > 1
                watching = b"watch=true" in head
                body = b"{}" if refused else json.dumps(EVENT).encode() + b"\n"
                if not watching:
                    body = b'{"metadata": {"name": "a"}}'
                code = b"401 Unauthorized" if refused else b"200 OK"
                length = f"Content-Length: {len(body)}\r\n\r\n".encode()
                writer.write(b"HTTP/1.1 " + code + b"\r\n" + length + body)
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await _abort(accepted)


async def _abort(writers: list[asyncio.StreamWriter]) -> None:
    for writer in writers:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


def _kubeconfig(folder: Path, server: str, **user: Any) -> str:
    cluster = {"server": server, "certificate-authority": "server.crt"}
    content = {
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "k", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "k",
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(content))
    return str(path)


def test_plugin_certificate_is_renewed_on_refusal(tmp_path: Path) -> None:
    """A plugin's client certificate is used, and a refused one is replaced on new connections.

    The server speaks no HTTP/2: watches fall back to HTTP/1.1.
    """
    pairs = [_certificate(tmp_path, name) for name in ("old", "new")]
    for number, (certificate, key) in enumerate(pairs, start=1):
        status = {
            "clientCertificateData": certificate.read_text(),
            "clientKeyData": key.read_text(),
        }
        answer = {"apiVersion": V1, "kind": "ExecCredential", "status": status}
        (tmp_path / f"answer-{number}").write_text(json.dumps(answer))
    script = (
        "import os; n = 2 if os.path.exists('asked') else 1; open('asked', 'w').close(); "
        "print(open(f'answer-{n}').read())"
    )
    code = f"import os; os.chdir({str(tmp_path)!r}); {script}"
    plugin = {"apiVersion": V1, "command": sys.executable, "args": ["-c", code]}

    async def main() -> None:
        seen: list[str] = []
        async with _tls_server(tmp_path, seen, [pair[0] for pair in pairs]) as server:
            config = load(kubeconfig=_kubeconfig(tmp_path, server, exec=plugin))
            async with Api(config) as api:
                await api.get(CONFIG_MAP, "a", namespace="ns")
                assert seen == ["old"]
                await api.get(CONFIG_MAP, "a", namespace="ns")
                assert seen == ["old", "old", "new"]
                events = [event async for event in api.watch(CONFIG_MAP, resource_version="1")]
                assert [event.type for event in events] == ["ADDED"]
                assert seen[-1] == "new"

    asyncio.run(main())


def test_calls_and_watches_pass_through_a_proxy(
    kubernetes: Kubernetes, namespace: str, tmp_path: Path
) -> None:
    """What the kubeconfig names as proxy-url carries calls and watches."""
    tunnels: list[bytes] = []
    writers: list[asyncio.StreamWriter] = []

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        tunnels.append(head.split(b" ")[1])
        host, _, port = tunnels[-1].decode().partition(":")
        up_reader, up_writer = await asyncio.open_connection(host, int(port))
        writers.extend((writer, up_writer))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(pipe(reader, up_writer), pipe(up_reader, writer))

    async def main() -> None:
        server = await asyncio.start_server(proxy, "127.0.0.1", 0)
        content = yaml.safe_load(kubernetes.kubeconfig.read_text())
        port = server.sockets[0].getsockname()[1]
        content["clusters"][0]["cluster"]["proxy-url"] = f"http://127.0.0.1:{port}"
        path = tmp_path / "config"
        path.write_text(yaml.safe_dump(content))
        async with connect(kubernetes, kubeconfig=path) as api:
            made = await api.create(CONFIG_MAP, config_map("a", namespace))
            assert len(tunnels) == 1
            since = made["metadata"]["resourceVersion"]
            await api.delete(CONFIG_MAP, "a", namespace=namespace)
            only = "metadata.name=a"
            watch = api.watch(CONFIG_MAP, resource_version=since, namespace=namespace, fields=only)
            assert (await anext(watch)).type == "DELETED"
            await watch.aclose()
            assert len(tunnels) == 2
        assert {tunnel.decode() for tunnel in tunnels} == {kubernetes.server.split("//")[1]}
        server.close()
        await _abort(writers)

    asyncio.run(main())


def test_graceful_goodbye_is_followed(kubernetes: Kubernetes, namespace: str) -> None:
    """A server that shuts down in order sends its watches away; they come back by themselves."""

    async def main() -> None:
        pace = Pace(first_delay_s=0.05, max_delay_s=0.5)
        async with connect(kubernetes) as api, InformerSet(api, pace=pace) as informers:
            scope = Scope.one(CONFIG_MAP, "late", namespace=namespace)
            informer = informers.subscribe(scope, lambda _old, _new: None).informer
            await informer.synced.wait()
            await asyncio.to_thread(kubernetes.restart_api_server)
            await api.create(CONFIG_MAP, config_map("late", namespace))
            await until(lambda: len(informer) == 1)

    asyncio.run(main())
