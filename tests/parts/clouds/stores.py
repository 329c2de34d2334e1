# SPDX-License-Identifier: Apache-2.0
"""Stores that speak like Azure's and Google's: real programs, on this host's loopback.

Azurite checks the signatures of account keys itself; fake-gcs-server believes everybody, so that
its door is `parts.clouds.front`.
"""

import os
import secrets
from base64 import b64encode
from pathlib import Path

import httpx2

from parts import packages
from parts.debian import find
from parts.process import Folder, PartError, Process, free_ports, wait_for

HOST = "127.0.0.1"


class Azurite:
    """Azure's blob storage, with accounts that tests make."""

    def __init__(self, *, account: str, certificate: Path, key: Path) -> None:
        self._folder = Folder("azurite")
        (self.port,) = free_ports(1)
        self.url = f"https://{HOST}:{self.port}"
        self.account = account
        self.account_key = b64encode(secrets.token_bytes(64)).decode()
        self._files = (certificate, key)
        self._process: Process | None = None

    def start(self) -> None:
        program, node = packages.azurite(), find("node")
        if program is None or node is None:
            raise PartError("azurite is not installed here: run `make parts`")
        certificate, key = map(str, self._files)
        argv = [
            *(node, program, "--blobHost", HOST, "--blobPort", self.port, "--inMemoryPersistence"),
            *("--cert", certificate, "--key", key, "--oauth", "basic"),
            *("--skipApiVersionCheck", "--disableTelemetry"),
        ]
        variables = os.environ | {"AZURITE_ACCOUNTS": f"{self.account}:{self.account_key}"}
        log = self._folder.path / "azurite.log"
        self._process = Process(argv, log=log, env=variables, cwd=self._folder.path)
        wait_for(
            lambda: answers(self.url), "Azurite answers", timeout_s=120, processes=[self._process]
        )

    def stop(self) -> None:
        if self._process:
            self._process.kill()
        self._folder.remove()


class FakeGcs:
    """Google's storage, without anybody at its door."""

    def __init__(self) -> None:
        self._folder = Folder("fake-gcs")
        (self.port,) = free_ports(1)
        self.url = f"http://{HOST}:{self.port}"
        self._process: Process | None = None

    def start(self) -> None:
        program = packages.fake_gcs()
        if program is None:
            raise PartError("fake-gcs-server is not installed here: run `make parts`")
        public = ("-public-host", "storage.googleapis.com")
        argv = [
            *(program, "-scheme", "http", "-host", HOST, "-port", self.port, "-backend", "memory"),
            *(*public, "-external-url", "https://storage.googleapis.com"),
        ]
        log = self._folder.path / "fake-gcs.log"
        self._process = Process(argv, log=log, cwd=self._folder.path)
        wait_for(lambda: answers(self.url), "fake-gcs-server answers", processes=[self._process])

    def make_bucket(self, name: str) -> None:
        path = f"{self.url}/storage/v1/b"
        answer = httpx2.post(path, json={"name": name}, trust_env=False, timeout=5)
        assert answer.is_success, answer.text

    def objects(self, bucket: str) -> list[str]:
        """Return the names of a bucket's objects."""
        answer = httpx2.get(f"{self.url}/storage/v1/b/{bucket}/o", trust_env=False, timeout=5)
        return [each["name"] for each in answer.json().get("items", ())]

    def stop(self) -> None:
        if self._process:
            self._process.kill()
        self._folder.remove()


def answers(url: str) -> bool:
    """Tell whether somebody answers, whatever it is."""
    try:
        httpx2.get(url, verify=False, trust_env=False, timeout=2)
    except httpx2.TransportError:
        return False
    return True
