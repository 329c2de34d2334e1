# SPDX-License-Identifier: Apache-2.0
"""Passes connections on: `python relay.py PORT HOST:PORT`, run as a pod in front of a part."""

import asyncio
import contextlib
import sys


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy bytes until the reader's side ends, and say so to the other."""
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


async def main(port: int, host: str, target: int) -> None:
    """Serve until the pod ends."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(host, target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))
        far_writer.close()
        writer.close()

    server = await asyncio.start_server(serve, "0.0.0.0", port)
    await server.serve_forever()


if __name__ == "__main__":
    address, _, number = sys.argv[2].rpartition(":")
    asyncio.run(main(int(sys.argv[1]), address, int(number)))
