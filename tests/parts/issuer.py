# SPDX-License-Identifier: Apache-2.0
"""The issuer of a cluster's service account tokens, as the world outside sees it.

Serves the discovery document and the keys at the issuer's URL, over TLS. Ceph wants a certificate
beside each key (x5c), which the API server's own page of keys does not carry.
"""

import base64
import hashlib
import json
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
DISCOVERY = "/.well-known/openid-configuration"
KEYS = "/openid/v1/jwks"


class Issuer:
    """Answers at `url` for tokens that `signing_key` signs, until it is closed.

    While `answers` is False, it is as if nobody were there.
    """

    def __init__(self, port: int) -> None:
        self.url = f"https://{HOST}:{port}"
        self.answers = True
        self._port = port
        self._server: ThreadingHTTPServer | None = None

    def start(self, *, signing_key: Path, certificate: Path, key: Path) -> None:
        """Serve the public half of `signing_key`; `certificate` and `key` are the server's own."""
        pages = {DISCOVERY: self._discovery(), KEYS: {"keys": [public_key(signing_key)]}}
        server = ThreadingHTTPServer((HOST, self._port), _handler(self, pages))
        server.daemon_threads = True
        server.block_on_close = False
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        threading.Thread(target=server.serve_forever, args=(0.2,), daemon=True).start()
        self._server = server

    def close(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()

    def _discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "jwks_uri": self.url + KEYS,
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }


def public_key(signing_key: Path) -> dict[str, Any]:
    """Return the public half of an RSA key as a JSON Web Key, with a certificate of it."""
    public = _openssl("rsa", "-in", str(signing_key), "-pubout", "-outform", "DER")
    modulus = _openssl("rsa", "-in", str(signing_key), "-noout", "-modulus").decode()
    subject = ["-subj", "/CN=service account tokens", "-days", "30", "-outform", "DER"]
    certificate = _openssl("req", "-x509", "-new", "-key", str(signing_key), *subject)
    return {
        "kty": "RSA",
        "use": "sig",
        "alg": "RS256",
        # The API server names its keys so, too.
        "kid": _encoded(hashlib.sha256(public).digest()),
        "n": _encoded(bytes.fromhex(modulus.strip().partition("=")[2])),
        "e": _encoded((65537).to_bytes(3, "big")),
        "x5c": [base64.b64encode(certificate).decode()],
    }


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _openssl(*arguments: str) -> bytes:
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True).stdout


def _handler(issuer: Issuer, pages: dict[str, dict[str, Any]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Speaks HTTP/1.0: a connection that stays open would outlive `answers`."""

        timeout = 10

        def do_GET(self) -> None:
            if not issuer.answers:
                return
            page = pages.get(self.path)
            body = json.dumps(page or {"error": "not found"}).encode()
            self.send_response(200 if page else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Say nothing."""

    return Handler
