# SPDX-License-Identifier: Apache-2.0
"""An object store that takes every key, and every pod's Loki, on one port; it counts what it gets.

Run as `python -m bench.stub PORT`. It parses nothing that it need not, so that it is not what is
measured. A metrics page has the size and the lines of an idle single binary's.
"""

import asyncio
import json
import sys
import time

LISTING = (
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><KeyCount>0</KeyCount>'
    b"</ListBucketResult>"
)
SERIES_OF_OTHERS = 1_790
"""An idle Loki's page has 1,800 lines and 158 kB (3.7.8, single binary)."""


def metrics_page() -> bytes:
    """Return a page of which lokeys wants four lines."""
    others = [
        f'loki_request_duration_seconds_bucket{{method="GET",route="r{number % 40}",'
        f'status_code="200",ws="false",le="{number}"}} {number}'
        for number in range(SERIES_OF_OTHERS)
    ]
    wanted = [
        'loki_objstore_bucket_transport_requests_total{method="PUT",status_code="200"} 7',
        "loki_ingester_chunks_flush_failures_total 0",
        "loki_ingester_memory_chunks 12",
        f"process_start_time_seconds {time.time() - 60}",  # noqa: TID251 - a process's own clock
    ]
    return "\n".join([*others[:900], *wanted, *others[900:], ""]).encode()


class Stub(asyncio.Protocol):
    """One connection."""

    counts: dict[str, int] = {"list": 0, "metrics": 0, "other": 0}  # noqa: RUF012 - of all
    objects: dict[bytes, bytes] = {}  # noqa: RUF012 - of all
    page = metrics_page()

    def __init__(self) -> None:
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._held += data
        while (end := self._held.find(b"\r\n\r\n")) >= 0:
            head = self._held[:end]
            length = _length(head)
            if len(self._held) < end + 4 + length:
                return
            body = self._held[end + 4 : end + 4 + length]
            self._held = self._held[end + 4 + length :]
            method, target, _ = head.split(b" ", 2)
            self._answer(method, target, body)

    def _answer(self, method: bytes, target: bytes, body: bytes) -> None:
        status, answer = b"200 OK", b""
        if target == b"/metrics":
            self.counts["metrics"] += 1
            answer = self.page
        elif target == b"/counts":
            answer = json.dumps(self.counts).encode()
        elif method == b"GET" and b"list-type=2" in target:
            self.counts["list"] += 1
            answer = LISTING
        else:
            self.counts["other"] += 1
            if method == b"PUT":
                self.objects[target] = body
            answer = self.objects.get(target, b"") if method == b"GET" else b""
        head = b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n" % (status, len(answer))
        self._transport.write(head + answer)


def _length(head: bytes) -> int:
    at = head.lower().find(b"content-length:")
    return int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


async def serve(port: int) -> None:
    """Serve until killed."""
    # Every address of this host: each pod has one of its own in 127/8.
    server = await asyncio.get_running_loop().create_server(Stub, "0.0.0.0", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
