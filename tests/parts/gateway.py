# SPDX-License-Identifier: Apache-2.0
"""The pod of a rendered gateway, run on this host: its init container, then its gateway.

Everything is as it was rendered, but for what a host has otherwise: folders in the place of
volumes, free ports in the place of the pod's own, and the addresses of Loki.
"""

import re
import subprocess
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2

from parts.process import Process, free_ports, wait_for

Json = dict[str, Any]
PUBLIC, STATUS, OK = 8080, 8081, 200
_FOLDERS = re.compile(r"/(etc/lokistack-gateway|var/run/(lokistack-gateway|tls|ca))(?=[/\s]|$)")
_SERVES_STATUS = "tls.internal.server.cert-file"
"""Without this flag a gateway's status port speaks plain HTTP."""
_FLAG = re.compile(r"^ +-([a-z][-.a-z]*)", re.MULTILINE)


def flags_of(program: Path) -> frozenset[str]:
    """Return the names of all flags that a program in Go knows."""
    done = subprocess.run(
        [program, "--help"], check=False, capture_output=True, text=True, timeout=20
    )
    return frozenset(_FLAG.findall(done.stdout + done.stderr))


class Loki:
    """Takes lines and answers queries in Loki's place; `seen` are the requests, with the tenant."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str | None]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        seen = self.seen

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(self) -> None:
                self._answer(200, b'{"status":"success","data":[]}')

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self._answer(204, b"")

            def _answer(self, status: int, body: bytes) -> None:
                path = self.path.partition("?")[0]
                seen.append((self.command, path, self.headers.get("X-Scope-OrgID")))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
                """Say nothing."""

        return Handler


class GatewayPod:
    """Runs a rendered gateway with `program` as its image; `given` are the user's own objects.

    `older` is what a program demands beside that does not know all arguments of today.
    """

    def __init__(
        self,
        program: Path,
        rendered: Sequence[Json],
        *,
        given: Sequence[Json],
        loki: Loki,
        folder: Path,
        older: Sequence[str] = (),
    ) -> None:
        (deployment,) = (
            each
            for each in rendered
            if each["kind"] == "Deployment" and each["metadata"]["name"].endswith("-gateway")
        )
        self._spec = deployment["spec"]["template"]["spec"]
        self._objects = {(e["kind"], e["metadata"]["name"]): e for e in (*rendered, *given)}
        self._program = program
        self._folder = folder
        self._loki = loki
        self._older = older
        self.port, self.status_port = free_ports(2)
        self.log = folder / "gateway.log"
        self.unknown: set[str] = set()
        """The arguments that this program is too old, or too young, to know."""
        self._process: Process | None = None

    def start(self) -> None:
        """Run the init containers to their end, then the gateway until it is ready."""
        self._make_volumes()
        for container in self._spec.get("initContainers", ()):
            words = [*container["command"], *container["args"]]
            done = subprocess.run(
                [self._here(word) for word in words],
                env={},
                check=False,
                capture_output=True,
                text=True,
                timeout=20,
            )
            assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done.stderr
        (container,) = self._spec["containers"]
        arguments = [self._here(each) for each in container["args"]]
        known = flags_of(self._program)
        self.unknown = {name for name in map(_name, arguments) if name not in known}
        kept = [each for each in arguments if _name(each) in known]
        kept += self._older if self.unknown else ()
        self._process = Process([self._program, *kept], log=self.log, env={})
        wait_for(lambda: self.probe("readinessProbe"), "the gateway is ready", timeout_s=20)

    def probe(self, name: str) -> bool:
        """Look as the kubelet does; raise with the log where the gateway has ended."""
        assert self._process is not None
        assert self._process.running, self.log.read_text()
        look = self._spec["containers"][0][name]["httpGet"]
        scheme = "http" if _SERVES_STATUS in self.unknown else look["scheme"].lower()
        url = f"{scheme}://127.0.0.1:{self.status_port}{look['path']}"
        try:
            # A kubelet believes every certificate.
            return httpx2.get(url, verify=False, trust_env=False, timeout=5).status_code == OK
        except httpx2.TransportError:
            return False

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()

    @property
    def tenants(self) -> str:
        """Return the list of tenants as the gateway reads it."""
        (container,) = self._spec["containers"]
        (file,) = (e for e in container["args"] if e.startswith("--tenants.config="))
        return Path(self._here(file).partition("=")[2]).read_text()

    def _make_volumes(self) -> None:
        for volume in self._spec["volumes"]:
            folder = self._folder / "volumes" / volume["name"]
            folder.mkdir(parents=True)
            for kind, word in (("ConfigMap", "configMap"), ("Secret", "secret")):
                source = volume.get(word)
                if source:
                    name = source.get("name") or source["secretName"]
                    for key, text in _data(self._objects[kind, name]).items():
                        (folder / key).write_text(self._with_paths(text))
        for container in (*self._spec.get("initContainers", ()), *self._spec["containers"]):
            for mount in container["volumeMounts"]:
                place = Path(self._with_paths(mount["mountPath"]))
                place.parent.mkdir(parents=True, exist_ok=True)
                if not place.is_symlink():
                    place.symlink_to(self._folder / "volumes" / mount["name"])

    def _with_paths(self, text: str) -> str:
        """Return a text with the gateway's folders led into this test's."""
        return _FOLDERS.sub(lambda found: f"{self._folder}/root{found[0]}", text)

    def _here(self, word: str) -> str:
        """Return a word of a container's command, with what a host has otherwise put in."""
        word = self._with_paths(word)
        word = re.sub(r"http://[-a-z0-9.]+\.svc\.cluster\.local:\d+", self._loki.url, word)
        for port, own in ((PUBLIC, self.port), (STATUS, self.status_port)):
            word = re.sub(rf"(=|localhost|0\.0\.0\.0):{port}$", rf"\g<1>:{own}", word)
        return word.replace("=:", "=127.0.0.1:")


def _name(argument: str) -> str:
    return argument.removeprefix("--").partition("=")[0]


def _data(manifest: Json) -> dict[str, str]:
    found: dict[str, str] = manifest.get("stringData") or manifest.get("data") or {}
    return found
