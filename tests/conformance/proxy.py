"""StoreProxy: stands between a coordinator and its store, so that the line can be cut, or fall silent."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

from .coordinators import StoreSpace


class StoreProxy:
    """Forwards TCP to the store of a space until cut."""

    def __init__(self, space: StoreSpace) -> None:
        self._space = space
        self._target = (space.environment["STORE_HOST"], int(space.environment["STORE_PORT"]))
        self._server: asyncio.Server | None = None
        self._port = 0
        self._lines: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()

    @property
    def space(self) -> StoreSpace:
        """The same store, reached through the proxy."""
        environment = {**self._space.environment, "STORE_HOST": "127.0.0.1", "STORE_PORT": str(self._port)}
        return replace(self._space, environment=environment)

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        self._flowing.set()

    def freeze(self) -> None:
        """Nothing comes through any more, and nobody is told: as when the store's machine is gone."""
        self._flowing.clear()

    def thaw(self) -> None:
        """New connections work again; what was on the way is lost."""
        self._abort()
        self._flowing.set()

    async def cut(self) -> None:
        """Breaks every connection and refuses new ones, until `open`."""
        self._server.close()
        self._abort()
        await asyncio.sleep(0)

    def _abort(self) -> None:
        for writer in list(self._lines):
            writer.transport.abort()

    async def _connect(self, reader, writer) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        self._lines |= {writer, far_writer}
        with suppress(OSError):
            await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer))
        self._lines -= {writer, far_writer}

    async def _copy(self, reader, writer) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        writer.close()
