# SPDX-License-Identifier: Apache-2.0
"""The pods' network: a bridge on this host, and a network namespace for each pod."""

import contextlib
import itertools
import os
import re
import socket
import subprocess
import threading
from dataclasses import dataclass

from parts.debian import find
from parts.process import PartError, guard


@dataclass(frozen=True, slots=True, kw_only=True)
class PodNetwork:
    """One pod's network namespace and its address on the bridge."""

    name: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outpost:
    """A place apart: what `command` begins reaches only one port, on `address`."""

    address: str
    command: tuple[str, ...]


class Network:
    """A bridge with addresses 10.88.NUMBER.0/24; the host is .1 and reaches every pod."""

    def __init__(self, number: int) -> None:
        self.address = f"10.88.{number}.1"
        self._prefix = f"10.88.{number}"
        self._bridge = f"lokeys{number}"
        self._number = number
        self._hosts = itertools.cycle(range(2, 255))
        self._taken: set[int] = set()
        self._lock = threading.Lock()
        self._relays: dict[tuple[str, int], Relay] = {}
        self._named: list[list[str]] = []

    def start(self) -> None:
        self._take_over()
        ip("link", "add", self._bridge, "type", "bridge")
        self._promise("link", "del", self._bridge)
        ip("address", "add", f"{self.address}/24", "dev", self._bridge)
        ip("link", "set", self._bridge, "up")

    def stop(self) -> None:
        for relay in self._relays.values():
            relay.close()
        for command in reversed(list(self._named)):
            self._keep(*command[1:])

    def add_pod(self) -> PodNetwork:
        """Make a namespace that reaches the bridge, and nothing beyond this host."""
        with self._lock:
            host = next(host for host in self._hosts if host not in self._taken)
            self._taken.add(host)
        pod = PodNetwork(name=f"{self._bridge}-{host}", address=f"{self._prefix}.{host}")
        link = f"lk{self._number}x{host}"
        self._join(pod.name, link, pod.address, self.address)
        ip("link", "set", link, "master", self._bridge)
        ip("link", "set", link, "up")
        return pod

    def remove_pod(self, pod: PodNetwork) -> None:
        host = int(pod.address.rpartition(".")[2])
        self._keep("link", "del", f"lk{self._number}x{host}")
        self._keep("netns", "del", pod.name)
        with self._lock:
            self._taken.discard(host)

    def add_outpost(self, port: int) -> Outpost:
        """Make a namespace from which one port of this host's loopback is all that answers."""
        name, prefix = f"{self._bridge}-out", f"10.89.{self._number}"
        link = f"lk{self._number}out"
        self._join(name, link, f"{prefix}.2", None)
        ip("address", "add", f"{prefix}.1/24", "dev", link)
        ip("link", "set", link, "up")
        self.relay(port, address=f"{prefix}.1")
        return Outpost(address=f"{prefix}.1", command=(ip_program(), "netns", "exec", name))

    def relay(self, port: int, *, address: str | None = None) -> str:
        """Make a port of this host's loopback answer under the bridge's address, too."""
        place = (address or self.address, port)
        with self._lock:
            if place not in self._relays:
                self._relays[place] = Relay(*place)
        return f"{place[0]}:{port}"

    def _take_over(self) -> None:
        """Remove what a run that was killed, its guard with it, has left of this number's.

        No living process has this number: the caller has reserved it.
        """
        ours = re.compile(rf"(lk{self._number}(x\d+|out|node)|{self._bridge})")
        links = [name for _, name in socket.if_nameindex() if ours.fullmatch(name)]
        listed = subprocess.run([ip_program(), "netns"], check=True, capture_output=True, text=True)
        names = [line.split()[0] for line in listed.stdout.splitlines()]
        left = [("link", name) for name in links]
        left += [("netns", name) for name in names if name.startswith(f"{self._bridge}-")]
        for kind, name in left:
            # A link may go with its other end, meanwhile.
            subprocess.run([ip_program(), kind, "del", name], check=False, capture_output=True)

    def _join(self, name: str, link: str, address: str, gateway: str | None) -> None:
        ip("netns", "add", name)
        self._promise("netns", "del", name)
        ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
        # By its own name, too: the kernel takes it away some time after its namespace has gone,
        # and the next pod of this number would find its name taken.
        self._promise("link", "del", link)
        ip("-n", name, "address", "add", f"{address}/24", "dev", "eth0")
        ip("-n", name, "link", "set", "eth0", "up")
        ip("-n", name, "link", "set", "lo", "up")
        if gateway:
            ip("-n", name, "route", "add", "default", "via", gateway)

    def _promise(self, *arguments: str) -> None:
        """Have it undone whatever happens."""
        command = [ip_program(), *arguments]
        self._named.append(command)
        guard().tell("run", command)

    def _keep(self, *arguments: str) -> None:
        """Undo it now."""
        command = [ip_program(), *arguments]
        if command in self._named:
            subprocess.run(command, check=False, capture_output=True)
            self._named.remove(command)
            guard().tell("gone", "run", command)


class Relay:
    """Passes connections to ADDRESS:PORT on to 127.0.0.1:PORT."""

    def __init__(self, address: str, port: int) -> None:
        self._port = port
        self._listener = socket.create_server((address, port))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return  # closed
            try:
                callee = socket.create_connection(("127.0.0.1", self._port), timeout=5)
            except OSError:
                caller.close()
                continue
            threading.Thread(target=splice, args=(caller, callee), daemon=True).start()


def splice(caller: socket.socket, callee: socket.socket) -> None:
    """Pass bytes both ways until both sides have ended."""
    callee.settimeout(None)
    with caller, callee:
        back = threading.Thread(target=pump, args=(callee, caller), daemon=True)
        back.start()
        pump(caller, callee)
        back.join()


def pump(source: socket.socket, target: socket.socket) -> None:
    """Copy bytes until the source ends, and say so to the target."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def ip_program() -> str:
    return find("ip") or "ip"


def ip(*arguments: str) -> None:
    """Change the network of this host, or say what did not work."""
    done = subprocess.run([ip_program(), *arguments], check=False, capture_output=True, text=True)
    if done.returncode:
        raise PartError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


def unavailable() -> str | None:
    """Say why pods cannot have networks of their own here; None when they can."""
    if os.geteuid() != 0:
        return "network and mount namespaces need root"
    name = f"lokeys-try-{os.getpid()}"
    try:
        ip("netns", "add", name)
        ip("netns", "del", name)
    except PartError as error:
        return str(error)
    return None
