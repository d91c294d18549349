"""A TCP proxy whose links break on demand.

| mode         | what a client of the proxy sees                                                                   |
|--------------|---------------------------------------------------------------------------------------------------|
| `pass`       | its server                                                                                        |
| `refuse`     | new connections are refused; existing ones live on                                                |
| `reset`      | existing connections are reset, new ones too as soon as they are made                             |
| `black-hole` | connections stand and can be made, and nothing that is sent arrives, in neither direction         |
| `slow`       | every piece takes `delay` seconds longer, in each direction                                       |
| `half-close` | the server's side ends (FIN), while what the client sends still arrives                           |

What a black hole swallowed is gone for ever, so its connections are reset when the mode changes: a real network would
send lost segments again, and a byte stream with a hole would test nothing but parsers.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from contextlib import suppress
from typing import Self

MODES = ("pass", "refuse", "reset", "black-hole", "slow", "half-close")
PIECE = 65536


class _Pair:
    """One client's connection and the server's that belongs to it."""

    def __init__(self, proxy: Proxy, client: asyncio.StreamWriter) -> None:
        self._proxy, self.client = proxy, client
        self.server: asyncio.StreamWriter | None = None
        self.swallowed = self.ended = False

    async def run(self, reader: asyncio.StreamReader) -> None:
        while self._proxy.mode == "black-hole":
            # Also the connection to the server is lost in the hole: it is made when the hole is gone.
            with suppress(TimeoutError):
                if not await asyncio.wait_for(reader.read(PIECE), 0.1):
                    return
                self.swallowed = True
        if self.swallowed or self._proxy.mode == "reset":
            self.reset()
            return
        server_reader, self.server = await asyncio.open_connection(*self._proxy.target)
        if self._proxy.mode == "half-close":
            self.end_answers()
        # A side that ends in good order still hears the other one out; a reset ends both.
        await asyncio.gather(self._pump(reader, self.server), self._pump(server_reader, self.client, answers=True))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False) -> None:
        while piece := await reader.read(PIECE):
            if self._proxy.mode == "slow":
                await asyncio.sleep(self._proxy.delay)
            if self._proxy.mode == "black-hole":
                self.swallowed = True
            elif not (answers and self.ended):
                writer.write(piece)
                await writer.drain()
        if self._proxy.mode != "black-hole" and not (answers and self.ended) and writer.can_write_eof():
            writer.write_eof()

    def end_answers(self) -> None:
        self.ended = True
        with suppress(OSError):
            self.client.write_eof()

    def reset(self) -> None:
        for writer in (self.client, self.server):
            if writer is not None:
                with suppress(OSError):
                    # Closing with a linger time of zero sends RST instead of FIN.
                    linger = struct.pack("ii", 1, 0)
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()


class Proxy:
    """Listens on `port` of the loopback address and forwards to `target`, as `set` says. A context manager."""

    def __init__(self, host: str, port: int) -> None:
        self.target = host, port
        self.mode, self.delay = "pass", 0.0
        self.port = 0
        self._pairs: set[_Pair] = set()
        self._listener: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy to {port}", daemon=True)
        self._thread.start()
        self._do(self._listen())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def set(self, mode: str, *, delay: float = 0.2) -> None:
        """Change the mode of this link at once, for the connections that exist as well."""
        if mode not in MODES:
            raise ValueError(f"a link can {', '.join(MODES)}, not {mode}")
        self._do(self._change(mode, delay))

    def connections(self) -> int:
        """How many there are at present."""
        return len(self._pairs)

    def close(self) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _do(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)  # type: ignore[arg-type]

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = await asyncio.start_server(self._accept, "127.0.0.1", self.port, backlog=512)
            self.port = self._listener.sockets[0].getsockname()[1]

    async def _refuse(self) -> None:
        if self._listener is not None:
            # Only the listening socket: asyncio's wait_closed would wait for the connections that are to live on.
            self._listener.close()
            self._listener = None
            await asyncio.sleep(0)

    async def _change(self, mode: str, delay: float) -> None:
        self.mode, self.delay = mode, delay
        if mode == "refuse":
            await self._refuse()
        else:
            await self._listen()
        for pair in list(self._pairs):
            if mode == "reset" or (pair.swallowed and mode != "black-hole"):
                pair.reset()
            elif mode == "half-close":
                pair.end_answers()

    async def _end(self) -> None:
        await self._refuse()
        for pair in list(self._pairs):
            pair.reset()
        await asyncio.sleep(0)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pair = _Pair(self, writer)
        self._pairs.add(pair)
        try:
            await pair.run(reader)
        except (OSError, asyncio.IncompleteReadError):
            pair.reset()
        finally:
            self._pairs.discard(pair)
            for each in (pair.client, pair.server):
                if each is not None:
                    each.close()
