# SPDX-License-Identifier: Apache-2.0
"""One container of a pod: a host process that is started, probed, restarted and ended."""

import contextlib
import http.client
import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from lokeys.clock import utc_now
from parts.api import Json
from parts.kubelet.manifest import NotYetError
from parts.process import Process

LONGEST_BACKOFF_S = 30.0
END_SHOWS_FOR = timedelta(seconds=0.5)


def timestamp(moment: datetime) -> str:
    """Return a moment as Kubernetes writes it, in whole seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class Probe:
    """A readiness or liveness probe's memory: `passing` is None until it has decided."""

    def __init__(self, spec: Json, container: Json, address: str) -> None:
        self.passing: bool | None = None
        self._spec = spec
        self._ports = {
            port.get("name"): port["containerPort"] for port in container.get("ports", [])
        }
        self._address = address
        self._due = time.monotonic() + spec.get("initialDelaySeconds", 0)
        self._in_a_row = 0
        self._last: bool | None = None

    def step(self) -> str | None:
        """Look when it is time to; return what a failed look has to say."""
        if time.monotonic() < self._due:
            return None
        self._due = time.monotonic() + self._spec.get("periodSeconds", 10)
        problem = self._look()
        good = problem is None
        self._in_a_row = self._in_a_row + 1 if good is self._last else 1
        self._last = good
        name = "successThreshold" if good else "failureThreshold"
        if self._in_a_row >= self._spec.get(name, 1 if good else 3):
            self.passing = good
        return problem

    def _look(self) -> str | None:
        timeout_s = self._spec.get("timeoutSeconds", 1)
        try:
            if "httpGet" in self._spec:
                return self._get(self._spec["httpGet"], timeout_s)
            if "tcpSocket" in self._spec:
                address = (self._address, self._port(self._spec["tcpSocket"]["port"]))
                socket.create_connection(address, timeout_s).close()
        except (OSError, http.client.HTTPException) as error:
            return f"Get failed: {error}"
        return None

    def _get(self, wanted: Json, timeout_s: float) -> str | None:
        address = (self._address, self._port(wanted["port"]))
        if wanted.get("scheme") == "HTTPS":
            context = ssl._create_unverified_context()
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                *address, timeout=timeout_s, context=context
            )
        else:
            connection = http.client.HTTPConnection(*address, timeout=timeout_s)
        with contextlib.closing(connection):
            connection.request("GET", wanted.get("path", "/"))
            status = connection.getresponse().status
        return None if 200 <= status < 400 else f"HTTP probe failed with statuscode: {status}"

    def _port(self, port: int | str) -> int:
        return port if isinstance(port, int) else int(self._ports[port])


@dataclass(slots=True, kw_only=True)
class Run:
    """One life of a container's process, and the log of it."""

    process: Process
    started: datetime
    log: Path
    finished: datetime | None = None
    probes: dict[str, Probe] = field(default_factory=dict)

    @property
    def has_just_ended(self) -> bool:
        """Whether its end is still to be told, before the wait for its next life."""
        return self.finished is not None and utc_now() - self.finished < END_SHOWS_FOR

    def terminated(self) -> Json:
        """Return how it ended, as a container status has it."""
        code = self.process.exit_code or 0
        shown = 128 - code if code < 0 else code
        return {
            "exitCode": shown,
            "reason": "Completed" if shown == 0 else "Error",
            "startedAt": timestamp(self.started),
            "finishedAt": timestamp(self.finished or self.started),
            "containerID": f"process://{self.process.pid}",
        }


Launch = Callable[[Json, Path], Process]
Say = Callable[[str, str, str], None]


class Container:
    """A container from its manifest to its status.

    `launch` starts its process with a log; `say` makes an event of a type, reason and message.
    """

    def __init__(
        self,
        spec: Json,
        *,
        policy: str,
        address: str,
        folder: Path,
        launch: Launch,
        say: Say,
        image: str,
    ) -> None:
        self.name: str = spec["name"]
        self.backoff_s = 1.0
        self.run: Run | None = None
        self.previous: Run | None = None
        self.restarts = 0
        self.stopping = False
        self._spec = spec
        self._policy = policy
        self._address = address
        self._folder = folder
        self._launch = launch
        self._say = say
        self._image = image
        self._waiting = ("ContainerCreating", "")
        self._due = 0.0

    @property
    def running(self) -> bool:
        return self.run is not None and self.run.finished is None

    @property
    def ready(self) -> bool:
        if self.run is None or not self.running:
            return False
        probe = self.run.probes.get("readinessProbe")
        return probe is None or probe.passing is True

    @property
    def finished_for_good(self) -> bool:
        """Whether it has ended and its pod's policy starts it no more."""
        if self.run is None or self.run.finished is None:
            return False
        failed = self.run.process.exit_code != 0
        return self._policy == "Never" or (self._policy == "OnFailure" and not failed)

    @property
    def succeeded(self) -> bool:
        return self.finished_for_good and self.run is not None and self.run.process.exit_code == 0

    def step(self) -> None:
        """Do what is due: start, look, note its end, start again."""
        self.notice_end()
        if self.running:
            self._probe()
        elif not self.finished_for_good and time.monotonic() >= self._due:
            self._start()

    def notice_end(self) -> None:
        """See whether the process has ended, and when to start it again."""
        if self.run is None or self.run.finished is not None or self.run.process.running:
            return
        self.run.finished = utc_now()
        self.run.process.kill()  # whatever it left behind in its group
        # The first restart is at once, each later one twice as late as the one before.
        if not self.finished_for_good:
            self.previous = self.run
        delay = 0.0 if self.restarts == 0 else self.backoff_s * 2 ** (self.restarts - 1)
        self._due = time.monotonic() + min(delay, LONGEST_BACKOFF_S)
        self._waiting = ("CrashLoopBackOff", "restarting")
        if delay and not (self.finished_for_good or self.stopping):
            message = f"back-off {delay:.0f}s restarting failed container={self.name}"
            self._waiting = ("CrashLoopBackOff", message)
            self._say("Warning", "BackOff", f"Back-off restarting failed container {self.name}")

    def stop(self) -> None:
        """Tell the container's first process to end, and start it no more."""
        self.stopping = True
        if self.run is not None and self.running:
            self._say("Normal", "Killing", f"Stopping container {self.name}")
            with contextlib.suppress(ProcessLookupError):
                self.run.process.signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it and all that it started."""
        if self.run is not None and self.running:
            self.run.process.kill()
            self.run.finished = utc_now()

    def status(self) -> Json:
        """Return its container status."""
        result: Json = {
            "name": self.name,
            "image": self._image,
            "imageID": "",
            "ready": self.ready,
            "started": self.running,
            "restartCount": self.restarts,
            "state": self._state(),
            "lastState": {"terminated": self.previous.terminated()} if self.previous else {},
        }
        if self.run:
            result["containerID"] = f"process://{self.run.process.pid}"
        return result

    def _state(self) -> Json:
        if self.run is not None and self.running:
            return {"running": {"startedAt": timestamp(self.run.started)}}
        if self.run is not None and (
            self.stopping or self.finished_for_good or self.run.has_just_ended
        ):
            return {"terminated": self.run.terminated()}
        reason, message = self._waiting
        return {"waiting": {"reason": reason, **({"message": message} if message else {})}}

    def _start(self) -> None:
        number = self.restarts + (self.run is not None)
        log = self._folder / f"{self.name}.{number}.log"
        try:
            process = self._launch(self._spec, log)
        except NotYetError as error:
            if self._waiting != (error.reason, str(error)):
                self._say("Warning", "Failed", f"Error: {error}")
            self._waiting = (error.reason, str(error))
            self._due = time.monotonic() + 0.5
            return
        self.restarts = number
        self.run = Run(process=process, started=utc_now(), log=log)
        for kind in ("readinessProbe", "livenessProbe"):
            if kind in self._spec:
                self.run.probes[kind] = Probe(self._spec[kind], self._spec, self._address)
        self._say("Normal", "Started", f"Started container {self.name}")

    def _probe(self) -> None:
        assert self.run is not None
        for kind, probe in self.run.probes.items():
            problem = probe.step()
            if problem:
                word = kind.removesuffix("Probe").capitalize()
                self._say("Warning", "Unhealthy", f"{word} probe failed: {problem}")
        liveness = self.run.probes.get("livenessProbe")
        if liveness is not None and liveness.passing is False:
            message = f"Container {self.name} failed liveness probe, will be restarted"
            self._say("Normal", "Killing", message)
            self.run.process.stop(grace_s=1)


def keep_log(source: int, log: Path) -> None:
    """Write each line that arrives at a pipe into a file, with the time of its arrival."""

    def write() -> None:
        with os.fdopen(source, "rb") as lines, log.open("ab", buffering=0) as target:
            for line in lines:
                moment = utc_now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
                target.write(f"{moment} ".encode() + line.rstrip(b"\n") + b"\n")

    threading.Thread(target=write, daemon=True).start()
