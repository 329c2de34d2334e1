# SPDX-License-Identifier: Apache-2.0
"""The cluster's DNS, as far as pods of tests ask it: Service names lead to addresses of pods.

A test may name hosts of the world outside, too: each leads where it says.
"""

import socket
import struct
import threading
from collections.abc import Callable

ADDRESS, INTERNET = 1, 1
ANSWERED, UNKNOWN = 0x8580, 0x8583
TTL_S = 1
DOMAIN = ["svc", "cluster", "local"]

Lookup = Callable[[str, str], list[str] | None]


class Dns:
    """Answers on ADDRESS:53 until it is closed.

    `lookup` takes a Service's name and namespace and returns addresses, None if there is none.
    """

    def __init__(self, address: str, lookup: Lookup) -> None:
        self.hosts: dict[str, str] = {}
        """Where host names of the world outside lead."""
        self._lookup = lookup
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 53))
        self._thread = threading.Thread(target=self._serve, name="dns", daemon=True)
        self._closing = False
        self._thread.start()

    def close(self) -> None:
        """Stop; a datagram to itself wakes it."""
        self._closing = True
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            query, caller = self._socket.recvfrom(512)
            if self._closing:
                return
            if len(query) > 12:
                self._socket.sendto(self._answer(query), caller)

    def _answer(self, query: bytes) -> bytes:
        labels, end = _question(query)
        kind = struct.unpack("!H", query[end : end + 2])[0]
        found = self._addresses([label.lower() for label in labels])
        flags = UNKNOWN if found is None else ANSWERED
        answers = found if found and kind == ADDRESS else []
        head = struct.pack(
            "!HHHHHH", struct.unpack("!H", query[:2])[0], flags, 1, len(answers), 0, 0
        )
        record = struct.pack("!HHHIH", 0xC00C, ADDRESS, INTERNET, TTL_S, 4)
        rows = b"".join(record + socket.inet_aton(address) for address in answers)
        return head + query[12 : end + 4] + rows

    def _addresses(self, labels: list[str]) -> list[str] | None:
        # SERVICE.NAMESPACE.svc, with or without the cluster's domain.
        if len(labels) in (3, 5) and labels[2:] == DOMAIN[: len(labels) - 2]:
            return self._lookup(labels[0], labels[1])
        address = self.hosts.get(".".join(labels))
        return None if address is None else [address]


def _question(query: bytes) -> tuple[list[str], int]:
    """Return the labels of the name that is asked for, and where they end."""
    labels, at = [], 12
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode())
        at += 1 + length
    return labels, at + 1
