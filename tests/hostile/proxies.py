"""Two small real proxies on loopback, HTTP (CONNECT and absolute-form) and SOCKS5, which say where they were sent."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit


@dataclass
class Proxy:
    """``targets`` holds ``host:port`` of each connection that was asked for."""

    scheme: str
    port: int = 0
    targets: list[str] = field(default_factory=list)
    _loop: asyncio.AbstractEventLoop = field(init=False)
    _thread: threading.Thread = field(init=False)

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda loop, context: None)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _listen(self) -> None:
        serve = self._socks if self.scheme == "socks5" else self._http
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            _, count = await reader.readexactly(2)
            methods = await reader.readexactly(count)
            writer.write(bytes((5, 2 if 2 in methods else 0)))
            if 2 in methods:
                _, length = await reader.readexactly(2)
                await reader.readexactly(length)
                await reader.readexactly((await reader.readexactly(1))[0])
                writer.write(b"\x01\x00")
            _, _, _, kind = await reader.readexactly(4)
            if kind == 3:
                host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
            else:
                host = ".".join(str(byte) for byte in await reader.readexactly(4 if kind == 1 else 16))
            port = int.from_bytes(await reader.readexactly(2), "big")
            upstream = await self._connect(host, port)
            writer.write(b"\x05%c\x00\x01\x00\x00\x00\x00\x00\x00" % (0 if upstream else 4))
            await _pump(reader, writer, upstream)
        writer.close()

    async def _http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            method, target, rest = head.split(b" ", 2)
            parts = urlsplit(b"//" + target if method == b"CONNECT" else target)
            upstream = await self._connect((parts.hostname or b"").decode(), parts.port or 80)
            if upstream is None:
                writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            elif method == b"CONNECT":
                writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            else:
                upstream[1].write(method + b" " + (parts.path or b"/") + b" " + rest)
            await _pump(reader, writer, upstream)
        writer.close()

    async def _connect(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        self.targets.append(f"{host}:{port}")
        if not host.startswith("127."):
            return None
        return await asyncio.open_connection(host, port)


async def _pump(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    upstream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None,
) -> None:
    await writer.drain()
    if upstream is None:
        return

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
            sink.write_eof()

    await asyncio.gather(copy(reader, upstream[1]), copy(upstream[0], writer))
    upstream[1].close()
