# SPDX-License-Identifier: Apache-2.0
"""The node's HTTPS endpoint, which the API server calls for logs and port-forward."""

import contextlib
import select
import socket
import ssl
import subprocess
import threading
import time
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Event, Ping, Request

from lokeys.clock import utc_now
from parts.kubelet.container import Container

SUBPROTOCOL = "v4.channel.k8s.io"
FOLLOW_S = 0.2


class Pods(Protocol):
    """What the endpoint must know of the node."""

    address: str

    def container(self, namespace: str, pod: str, container: str) -> Container | None: ...

    def pod_address(self, namespace: str, pod: str) -> str | None: ...


class Server:
    """Listens on the node's address until it is closed."""

    def __init__(self, pods: Pods, folder: Path) -> None:
        self._server = ThreadingHTTPServer((pods.address, 0), _handler(pods))
        self._server.daemon_threads = True
        # A handler that still follows a log must not hold up the end.
        self._server.block_on_close = False
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*_certificate(folder))
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.2,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate of our own: the API server looks at none unless told to."""
    certificate, key = folder / "kubelet.crt", folder / "kubelet.key"
    request = ["req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "30", "-subj", "/CN=node"]
    command = ["openssl", *request, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def _handler(pods: Pods) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(url.query).items()}
            match url.path.strip("/").split("/"):
                case ["containerLogs", namespace, pod, name]:
                    send_logs(self, pods.container(namespace, pod, name), query)
                case ["portForward", *_] if "*/*" not in self.headers.get("Accept", "*/*"):
                    self.send_error(406, "this answers with no JSON")
                case ["portForward", namespace, pod, *_]:
                    address = pods.pod_address(namespace, pod)
                    if address is None:
                        self.send_error(404, "no such pod here")
                    else:
                        PortForward(self, address, int(query["port"])).run()
                case _:
                    self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Say nothing: tests look at what comes back."""

    return Handler


def send_logs(
    handler: BaseHTTPRequestHandler, container: Container | None, query: dict[str, str]
) -> None:
    """Answer as a kubelet does to `kubectl logs`."""
    run = container.run if container else None
    if container and query.get("previous") == "true":
        run = container.previous
    if run is None or container is None:
        handler.send_error(400, "the container has no log here yet")
        return
    handler.send_response(200)
    handler.send_header("Content-Type", "text/plain")
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.close_connection = True
    with contextlib.suppress(OSError):
        sent = run.log.stat().st_size if run.log.exists() else 0
        text = run.log.read_bytes()[:sent] if sent else b""
        handler.wfile.write(chosen(text.splitlines(keepends=True), query))
        while query.get("follow") == "true":
            over = run.finished is not None
            with run.log.open("rb") as log:
                log.seek(sent)
                news = log.read()
            sent += len(news)
            handler.wfile.write(
                chosen(news.splitlines(keepends=True), {"timestamps": query.get("timestamps", "")})
            )
            if over:
                return
            time.sleep(FOLLOW_S)


def chosen(lines: list[bytes], query: dict[str, str]) -> bytes:
    """Return the lines that were asked for; each begins with the time of its arrival."""
    since = None
    if "sinceSeconds" in query:
        since = utc_now() - timedelta(seconds=int(query["sinceSeconds"]))
    elif "sinceTime" in query:
        since = datetime.fromisoformat(query["sinceTime"])
    if since is not None:
        lines = [line for line in lines if _arrived(line) >= since]
    if "tailLines" in query:
        lines = lines[len(lines) - min(int(query["tailLines"]), len(lines)) :]
    if query.get("timestamps") != "true":
        lines = [line.partition(b" ")[2] for line in lines]
    text = b"".join(lines)
    return text[: int(query["limitBytes"])] if "limitBytes" in query else text


def _arrived(line: bytes) -> datetime:
    return datetime.fromisoformat(line.partition(b" ")[0].decode())


class PortForward:
    """One websocket to one port of a pod: channel 0 is data, channel 1 is for errors."""

    def __init__(self, handler: BaseHTTPRequestHandler, address: str, port: int) -> None:
        self._handler = handler
        self._address = (address, port)
        self._ws = WSConnection(ConnectionType.SERVER)
        self._at_start, self._channel = True, 0

    def run(self) -> None:
        """Serve it until either side ends."""
        handler = self._handler
        handler.close_connection = True
        headers = [(name.encode(), value.encode()) for name, value in handler.headers.items()]
        self._ws.initiate_upgrade_connection(headers, handler.path)
        offered = [each.subprotocols for each in self._ws.events() if isinstance(each, Request)]
        if not offered or SUBPROTOCOL not in offered[0]:
            handler.send_error(400, f"this node speaks only {SUBPROTOCOL}")
            return
        self._send(AcceptConnection(subprotocol=SUBPROTOCOL))
        number = self._address[1].to_bytes(2, "little")
        for channel in (0, 1):
            self._say(channel, number)
        try:
            pod = socket.create_connection(self._address, timeout=5)
        except OSError as error:
            self._say(1, f"error forwarding port {self._address[1]} to pod: {error}".encode())
            self._send(CloseConnection(code=1000))
            return
        with pod, contextlib.suppress(OSError):
            self._pass_on(pod)

    def _pass_on(self, pod: socket.socket) -> None:
        """Carry bytes both ways; in one thread, for TLS is not to be read and written in two."""
        caller = self._handler.connection
        assert isinstance(caller, ssl.SSLSocket)
        while True:
            ready = [caller] if caller.pending() else select.select([caller, pod], [], [])[0]
            if pod in ready:
                data = pod.recv(32768)
                if not data:
                    self._send(CloseConnection(code=1000))
                    return
                self._say(0, data)
            if caller in ready:
                data = caller.recv(65536)
                self._ws.receive_data(data or None)
                if not all(self._take(event, pod) for event in self._ws.events()):
                    return

    def _take(self, event: Event, pod: socket.socket) -> bool:
        """Handle one event; False when the caller has gone."""
        if isinstance(event, BytesMessage):
            message = bytes(event.data)
            if self._at_start:
                self._channel, message = message[0], message[1:]
            self._at_start = event.message_finished
            if self._channel == 0:
                pod.sendall(message)
        elif isinstance(event, Ping):
            self._send(event.response())
        return not isinstance(event, CloseConnection)

    def _say(self, channel: int, data: bytes) -> None:
        self._send(BytesMessage(data=bytes([channel]) + data))

    def _send(self, event: Event) -> None:
        self._handler.connection.sendall(self._ws.send(event))
