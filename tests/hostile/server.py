"""A loopback server that says whatever it is told to, byte for byte, and counts what it could send.

It runs on a thread with a loop of its own, so that a client which blocks does not slow what it is measured by. Media is
sent in steps, head first: a client that hangs up between two steps has not been sent the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

PATIENCE = 1.0
"""Seconds that a step waits for the client to hang up before the next is sent."""

FIRST_READ = 8192
"""Bytes of a media body that are sent at once; the rest follows only if the client still listens."""


@dataclass(frozen=True)
class Answer:
    """What is sent for one path. ``media`` names the vector whose bytes are counted."""

    body: bytes = b""
    content_type: str = "text/html; charset=utf-8"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    media: str = ""
    chunked: bool = False
    before: bytes = b""
    raw: bytes = b""

    def head(self) -> bytes:
        """The status line and headers."""
        lines = [f"HTTP/1.1 {self.status} Answer"]
        if self.content_type:
            lines.append(f"Content-Type: {self.content_type}")
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.chunked:
            lines.append("Transfer-Encoding: chunked")
        elif not any(name.lower() == "content-length" for name, _ in self.headers):
            lines.append(f"Content-Length: {len(self.body)}")
        lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


Wild = Callable[["Asked", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""A handler that does with the connection what it likes."""


@dataclass(frozen=True)
class Asked:
    """One request as it came: ``target`` is the raw request target, ``headers`` have lower-case names."""

    host: str
    method: str
    target: str
    headers: dict[str, str]

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


Site = Callable[[Asked], "Answer | Wild | None"]

NOT_FOUND = Answer(b"There is no such page.", "text/plain", 404)


@dataclass
class Server:
    """Listens on each of ``hosts`` (addresses in 127.0.0.0/8) on one port; ``site`` decides on each answer."""

    site: Site
    hosts: tuple[str, ...] = ("127.0.0.1",)
    tls: ssl.SSLContext | None = None
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)
    most_at_once: int = 0
    _now: int = 0
    _loop: asyncio.AbstractEventLoop = field(init=False)
    _thread: threading.Thread = field(init=False)
    _servers: list[asyncio.Server] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda loop, context: None)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def origin(self, number: int = 0) -> str:
        """``http://127.0.7.1:41234`` of the host with that number."""
        return f"{'https' if self.tls else 'http'}://{self.hosts[number]}:{self.port}"

    def paths(self, host: str = "") -> list[str]:
        """The targets asked for, in order."""
        return [item.target for item in self.asked if not host or item.host == host]

    async def _listen(self) -> None:
        for host in self.hosts:
            server = await asyncio.start_server(self._serve, host, self.port, ssl=self.tls, limit=2**20)
            self._servers.append(server)
            self.port = server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ssl.SSLError):
                asked = await _read_request(reader, writer)
                self.asked.append(asked)
                answer = self.site(asked) or NOT_FOUND
                if isinstance(answer, Answer):
                    await self._answer(answer, asked, reader, writer)
                else:
                    await answer(asked, reader, writer)
        finally:
            self._now -= 1
            with contextlib.suppress(Exception):
                writer.close()

    async def _answer(
        self, answer: Answer, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if not answer.media:
            body = b"" if asked.method == "HEAD" else answer.body
            if answer.chunked:
                body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
            writer.write(answer.before + (answer.raw or answer.head() + body))
            await writer.drain()
            return
        self.hits[answer.media] += 1
        writer.write(answer.before + answer.head())
        await writer.drain()
        start = answer.body
        for piece in (start[:FIRST_READ], start[FIRST_READ:]):
            if not piece or await hung_up(reader, PATIENCE):
                return
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if answer.chunked else piece)
            await writer.drain()
            self.sent[answer.media] += len(piece)
        if answer.chunked:
            writer.write(b"0\r\n\r\n")


async def hung_up(reader: asyncio.StreamReader, seconds: float) -> bool:
    """Whether the client closes the connection within *seconds*."""
    try:
        return await asyncio.wait_for(reader.read(1), seconds) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


async def _read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *rest = head.split("\r\n")
    method, target, _ = line.split(" ", 2)
    headers = {name.lower(): value for name, _, value in (item.partition(": ") for item in rest if item)}
    return Asked(writer.get_extra_info("sockname")[0], method, target, headers)


def closed_port() -> int:
    """A loopback port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
