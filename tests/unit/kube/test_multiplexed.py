# SPDX-License-Identifier: Apache-2.0
"""One HTTP/2 connection and its streams, against a server in memory."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import h2.config
import h2.connection
import h2.events
import h2.settings
import httpx2
import pytest

from lokeys.kube.multiplexed import _Connection
from unit.kube.virtual_time import run

REQUEST = httpx2.Request("GET", "https://api.test/watch")


class _Transport:
    def abort(self) -> None:
        """Close at once."""


class _Peer:
    """The server's side: what the client writes is read at once, and answered by the test."""

    transport = _Transport()

    def __init__(self, *, most_streams: int = 2) -> None:
        self.reader = asyncio.StreamReader()
        self.events: list[h2.events.Event] = []
        self.state = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.state.initiate_connection()
        most = h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS
        self.state.update_settings({most: most_streams})
        self.send()
        self.connection = _Connection(self.reader, cast("asyncio.StreamWriter", self), silence_s=30)

    def write(self, data: bytes) -> None:
        self.events += self.state.receive_data(data)

    def close(self) -> None:
        self.reader.feed_eof()

    def is_closing(self) -> bool:
        return False

    async def wait_closed(self) -> None:
        """Be closed already."""

    def send(self) -> None:
        """Hand over what the server's side has to say."""
        if data := self.state.data_to_send():
            self.reader.feed_data(data)

    async def opened(self) -> tuple[Any, int]:
        """Return a stream that the server has answered, and its number."""
        await self.connection.started.wait()
        stream = self.connection.open(REQUEST)
        requests = [e for e in self.events if isinstance(e, h2.events.RequestReceived)]
        number = requests[-1].stream_id
        assert number is not None
        self.state.send_headers(number, [(":status", "200")])
        self.send()
        assert (await stream.response()).status_code == 200
        return stream, number


def _heard(peer: _Peer, kind: type[h2.events.Event]) -> int:
    return sum(isinstance(event, kind) for event in peer.events)


def test_room_is_what_the_server_allows() -> None:
    """A connection is full at the server's limit, and a closed stream makes room again."""

    async def main() -> None:
        peer = _Peer(most_streams=2)
        first, _ = await peer.opened()
        await peer.opened()
        assert not peer.connection.has_room()
        await first.aclose()
        assert peer.connection.has_room()
        assert _heard(peer, h2.events.StreamReset) == 1
        await peer.connection.aclose()

    run(main())


def test_unread_stream_is_not_sent_more() -> None:
    """What nobody reads is not acknowledged, so that a stream's memory is bounded."""

    async def main() -> None:
        peer = _Peer()
        stream, number = await peer.opened()
        full = peer.state.local_flow_control_window(number)
        for _ in range(4):
            peer.state.send_data(number, b"x" * 16000)
        peer.send()
        await asyncio.sleep(1)
        assert peer.state.local_flow_control_window(number) == full - 64000
        chunks = aiter(stream)
        for _ in range(4):
            assert len(await anext(chunks)) == 16000
        assert peer.state.local_flow_control_window(number) > full - 64000
        await peer.connection.aclose()

    run(main())


def _goes_away(peer: _Peer, number: int) -> None:
    peer.state.close_connection(last_stream_id=number)
    peer.send()


def _resets(peer: _Peer, number: int) -> None:
    peer.state.reset_stream(number)
    peer.send()


def _hangs_up(peer: _Peer, _number: int) -> None:
    peer.reader.feed_eof()


def _babbles(peer: _Peer, _number: int) -> None:
    peer.reader.feed_data(b"\xff" * 100)


@pytest.mark.parametrize(
    "misfortune",
    [_resets, _hangs_up, _babbles],
    ids=["the stream is reset", "the server hangs up", "the server sends nonsense"],
)
def test_end_of_a_stream_is_an_http_error(misfortune: Callable[[_Peer, int], None]) -> None:
    """However a stream breaks, its reader gets an HTTP error, and may close it in peace."""

    async def main() -> None:
        peer = _Peer()
        stream, number = await peer.opened()
        misfortune(peer, number)
        with pytest.raises(httpx2.HTTPError):
            await anext(aiter(stream))
        await stream.aclose()
        await peer.connection.aclose()

    run(main())


def test_goodbye_takes_no_new_streams() -> None:
    """After a GOAWAY nothing new is sent that way, and what was open can be closed in peace."""

    async def main() -> None:
        peer = _Peer()
        stream, number = await peer.opened()
        _goes_away(peer, number)
        await asyncio.sleep(1)
        assert not peer.connection.has_room()
        await stream.aclose()
        await asyncio.sleep(1)
        assert peer.connection.closed
        await peer.connection.aclose()

    run(main())


def test_silence_is_broken_by_a_ping_and_then_ended() -> None:
    """A silent server is pinged; one that answers is kept, one that does not is given up."""

    async def main() -> None:
        peer = _Peer()
        stream, _ = await peer.opened()
        reading = asyncio.create_task(anext(aiter(stream)))
        await asyncio.sleep(31)
        assert _heard(peer, h2.events.PingReceived) == 1
        peer.send()  # the answer to the ping
        await asyncio.sleep(29)
        assert not reading.done()
        await asyncio.sleep(40)
        with pytest.raises(httpx2.ReadError):
            await reading
        assert peer.connection.closed

    run(main())
