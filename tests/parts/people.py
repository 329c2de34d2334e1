# SPDX-License-Identifier: Apache-2.0
"""Those who come to a gateway: an issuer of OpenID Connect, two CAs, and certificates of theirs."""

import base64
import json
import ssl
import subprocess
from pathlib import Path
from typing import Any

import httpx2

from lokeys.clock import utc_now
from parts.issuer import Issuer, public_key
from parts.process import free_ports

CLIENT = "the-gateway"
"""What the issuer calls the gateway."""


class People:
    """Keys, certificates and tokens in a folder of their own, until closed.

    `serving` is a certificate for the names of a gateway, which its issuer has, too; `user` and
    `stranger` are of people with one e-mail address, the second of a CA that nobody trusts.
    """

    def __init__(self, folder: Path, *, names: str) -> None:
        self.folder = folder
        for ca in ("ca", "other-ca"):
            self._openssl(
                *("req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "30"),
                *("-subj", f"/CN={ca}", "-keyout", f"{ca}.key", "-out", f"{ca}.crt"),
            )
        self._certificate("serving", names=names)
        self._certificate("user", names="email:writer@example.com", unit="/OU=writers")
        self._certificate("stranger", names="email:writer@example.com", ca="other-ca")
        self._openssl("genrsa", "-out", "signing.key", "2048")
        (self.port,) = free_ports(1)
        self.issuer = Issuer(self.port)

    def start(self, url: str = "") -> None:
        """Answer as the issuer; at another address of this host's, where one is given."""
        self.issuer.url = url or self.issuer.url
        names = ("signing.key", "serving.crt", "serving.key")
        signing, certificate, key = (self.folder / name for name in names)
        self.issuer.start(signing_key=signing, certificate=certificate, key=key)

    def close(self) -> None:
        self.issuer.close()

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()

    def token(self, **claims: Any) -> str:
        """Return a token of the issuer's, for the gateway."""
        key = self.folder / "signing.key"
        head = {"alg": "RS256", "kid": public_key(key)["kid"]}
        now = int(utc_now().timestamp())
        usual = {"iss": self.issuer.url, "aud": CLIENT, "sub": "1", "iat": now, "exp": now + 600}
        signed = ".".join(_encoded(json.dumps(each).encode()) for each in (head, usual | claims))
        words = ["openssl", "dgst", "-sha256", "-sign", str(key)]
        done = subprocess.run(words, input=signed.encode(), check=True, capture_output=True)
        return f"{signed}.{_encoded(done.stdout)}"

    def client(self, certificate: str | None = None) -> httpx2.Client:
        """Return a client that trusts the CA, whatever the address, and may have a certificate."""
        context = ssl.create_default_context(cafile=str(self.folder / "ca.crt"))
        context.check_hostname = False
        if certificate:
            own = self.folder / certificate
            context.load_cert_chain(own.with_suffix(".crt"), own.with_suffix(".key"))
        return httpx2.Client(verify=context, trust_env=False, timeout=10)

    def _certificate(self, name: str, *, names: str, unit: str = "", ca: str = "ca") -> None:
        self._openssl(
            *("req", "-nodes", "-newkey", "rsa:2048", "-subj", f"/CN={name}{unit}"),
            *("-addext", f"subjectAltName={names}", "-keyout", f"{name}.key"),
            *("-out", f"{name}.csr"),
        )
        self._openssl(
            *("x509", "-req", "-in", f"{name}.csr", "-copy_extensions", "copy", "-days", "30"),
            *("-CA", f"{ca}.crt", "-CAkey", f"{ca}.key", "-CAcreateserial", "-out", f"{name}.crt"),
        )

    def _openssl(self, *words: str) -> None:
        argv = ["openssl", *words]
        subprocess.run(argv, cwd=self.folder, check=True, capture_output=True, timeout=60)


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
