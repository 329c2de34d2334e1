# SPDX-License-Identifier: Apache-2.0
"""Credentials from an exec plugin (`client.authentication.k8s.io`, v1 and v1beta1).

The plugin may answer with a bearer token or a client certificate. It gets the request's details,
and is called again shortly before its answer expires.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import IO, Any

import httpx2
import msgspec

from lokeys.clock import utc_now
from lokeys.errors import BadInput, Forbidden
from lokeys.kube.kubeconfig import ClusterConfig
from lokeys.kube.kubeconfig_fields import carryable

PLUGIN_TIMEOUT_S = 300.0
"""A plugin may open a browser and wait for a person."""
UNATTENDED_TIMEOUT_S = 60.0
"""If nobody is at a terminal."""
MAX_ANSWER_BYTES = 1024 * 1024
EXPIRES_SOON = timedelta(seconds=10)

_GROUP = "client.authentication.k8s.io"
_VERSIONS = (f"{_GROUP}/v1", f"{_GROUP}/v1beta1")
_CLUSTER_FIELDS = (
    "server",
    "tls-server-name",
    "insecure-skip-tls-verify",
    "certificate-authority-data",
    "proxy-url",
)


class ExecAuth(httpx2.Auth):
    """Asks the plugin when its last answer is missing, expiring or refused with 401."""

    def __init__(
        self,
        config: ClusterConfig,
        *,
        on_certificate: Callable[[bytes, bytes], None],
        clock: Callable[[], datetime] = utc_now,
        limit_s: float | None = None,
    ) -> None:
        """`limit_s` is how long the plugin may take; by default it depends on who may be there."""
        self._config = config
        self._plugin: Mapping[str, Any] = config.user["exec"]
        self._on_certificate = on_certificate
        self._clock = clock
        self._limit_s = limit_s or (PLUGIN_TIMEOUT_S if _attended() else UNATTENDED_TIMEOUT_S)
        self._bearer: str | None = None
        self._expires: datetime | None = None
        self._answers = 0
        self._asking = asyncio.Lock()
        self._check()

    def _check(self) -> None:
        version, command = self._plugin.get("apiVersion"), self._plugin.get("command")
        if version not in _VERSIONS:
            known = ", ".join(_VERSIONS)
            raise self._fault(f"exec plugin has apiVersion `{version}`; known are {known}")
        if not command or not isinstance(command, str):
            raise self._fault("exec plugin has no command")

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Send with the current credentials; if refused, once more with fresh ones."""
        seen = await self.ready()
        self._dress(request)
        response = yield request
        if response.status_code == httpx2.codes.UNAUTHORIZED:
            await self.ready(refused=seen)
            self._dress(request)
            yield request

    def _dress(self, request: httpx2.Request) -> None:
        if self._bearer:
            request.headers["Authorization"] = self._bearer

    def _expiring(self) -> bool:
        return self._expires is not None and self._expires - EXPIRES_SOON <= self._clock()

    async def ready(self, *, refused: int | None = None) -> int:
        """Get credentials, and return the number of the answer with them.

        The plugin is called once for all waiting requests. `refused` is the number of an answer
        whose credentials were refused: if it is still the last one, the plugin is called again.
        """
        async with self._asking:
            if not self._answers or self._expiring() or self._answers == refused:
                self._take(await self._ask())
                self._answers += 1
            return self._answers

    def _take(self, status: Mapping[str, Any]) -> None:
        token = status.get("token")
        certificate, key = status.get("clientCertificateData"), status.get("clientKeyData")
        if not token and not (certificate and key):
            raise self._fault("exec plugin answered with neither a token nor a client certificate")
        if token and not (isinstance(token, str) and carryable(token)):
            raise self._fault("exec plugin answered with a token that no HTTP header can carry")
        self._bearer = f"Bearer {token}" if token else None
        self._expires = self._moment(status.get("expirationTimestamp"))
        if certificate and key:
            self._on_certificate(str(certificate).encode(), str(key).encode())

    def _moment(self, text: object) -> datetime | None:
        if not text:
            return None
        try:
            return datetime.fromisoformat(str(text))
        except ValueError:
            raise self._fault("exec plugin answered with a malformed expirationTimestamp") from None

    async def _ask(self) -> Mapping[str, Any]:
        output = await self._run()
        try:
            answer = msgspec.json.decode(output)
        except msgspec.DecodeError:
            answer = None
        if not isinstance(answer, dict) or answer.get("kind") != "ExecCredential":
            raise self._fault("exec plugin answered with no ExecCredential")
        if answer.get("apiVersion") != self._plugin["apiVersion"]:
            raise self._fault("exec plugin answered in another apiVersion than it was asked in")
        status = answer.get("status")
        return status if isinstance(status, dict) else {}

    async def _run(self) -> bytes:
        apart = not _attended()
        process = self._started(apart=apart)
        code: int | None = None
        try:
            async with asyncio.timeout(self._limit_s):
                output = await _bounded(process.stdout)
                if len(output) > MAX_ANSWER_BYTES:
                    raise self._fault(f"exec plugin answered with over {MAX_ANSWER_BYTES} bytes")
                code = await asyncio.to_thread(process.wait)
        except TimeoutError:
            raise self._fault(f"exec plugin gave no answer in {self._limit_s:g} s") from None
        finally:
            if apart and code is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # its children, too
            process.kill()  # harmless if it has ended
            process.wait()
        if code:
            command_name = self._plugin["command"]
            raise Forbidden(f"exec plugin `{command_name}` ended with exit code {code}")
        return output

    def _started(self, *, apart: bool) -> subprocess.Popen[bytes]:
        # Not asyncio's: that one waits for the end of a pipe which a plugin, or a child that it
        # leaves behind, may keep open forever, and finds a plugin gone that Ctrl-C ended, too.
        try:
            return subprocess.Popen(  # noqa: S603 - the kubeconfig's own command, as kubectl runs it
                [self._plugin["command"], *(self._plugin.get("args") or [])],
                bufsize=0,
                env=self._environment(),
                stdin=None if self._interactive() else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                # A plugin that may need a person stays in the terminal's own process group.
                process_group=0 if apart else None,
            )
        except OSError as exc:
            hint = self._plugin.get("installHint")
            raise self._fault(f"exec plugin cannot be started: {exc.strerror}", hint=hint) from exc

    def _environment(self) -> dict[str, str]:
        extra = {entry["name"]: entry.get("value", "") for entry in self._plugin.get("env") or ()}
        return {**os.environ, **extra, "KUBERNETES_EXEC_INFO": self._information()}

    def _information(self) -> str:
        """Return the plugin's input: the version, whether a person is here, the cluster."""
        spec: dict[str, Any] = {"interactive": self._interactive()}
        if self._plugin.get("provideClusterInfo"):
            entry = self._config.cluster
            spec["cluster"] = {name: entry[name] for name in _CLUSTER_FIELDS if name in entry}
        information = {
            "apiVersion": self._plugin["apiVersion"],
            "kind": "ExecCredential",
            "spec": spec,
        }
        return msgspec.json.encode(information).decode()

    def _interactive(self) -> bool:
        if self._plugin.get("interactiveMode") == "Never":
            return False
        return sys.stdin is not None and sys.stdin.isatty()

    def _fault(self, message: str, *, hint: str | None = None) -> BadInput:
        named = f"{message} (`{self._plugin.get('command')}`)"
        return BadInput(named, place=self._config.origin, hint=hint)


def _attended() -> bool:
    """Tell whether a person may be here for whom the plugin can wait."""
    return any(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


async def _bounded(pipe: IO[bytes] | None) -> bytes:
    """Return the pipe's content, to its end or one piece beyond the limit; close it."""
    stream = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), pipe
    )
    output = bytearray()
    try:
        while len(output) <= MAX_ANSWER_BYTES and (chunk := await stream.read(64 * 1024)):
            output += chunk
    finally:
        transport.close()
    return bytes(output)
