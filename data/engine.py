"""Where work runs: a pool of processes on this machine, or (``data/cluster.py``) a Ray cluster.

A task is a function ``task(item, tell)``: it works on one item and tells what came of it, message by message. Items are
independent and may be worked on twice, so that one whose worker died is simply given to another. Items are taken from
their iterator only when a worker is free: a sweep of any length waits outside of memory.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

Tell = Callable[[object], None]
Task = Callable[[Any, Tell], None]

RETRIES = 2
"""How often an item is given to another worker when its worker died."""


@dataclass(frozen=True, slots=True)
class Done:
    """The item is done; nothing more comes of it."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The item's worker ended before the item was done. ``again``: it is given to another."""

    reason: str
    again: bool


@dataclass(frozen=True, slots=True)
class Fault:
    """The task raised; trying again would raise again. ``trace`` is for the person who mends it."""

    reason: str
    trace: str


class EngineMissing(Exception):
    """The engine asked for is not installed or cannot be reached; the message says what to do."""


class WorkFailed(Exception):
    """A piece of work could not be done on any worker."""


class Engine(Protocol):
    """What runs tasks."""

    @property
    def places(self) -> int:
        """How many items can be worked on at a time."""

    @property
    def shares_disk(self) -> bool:
        """Whether every worker sees this machine's files."""

    def run(
        self, task: Task, items: Iterable[Any], *, retries: int = RETRIES, window: int = 0
    ) -> Iterator[tuple[int, object]]:
        """Work on *items*; yield the item's number with each message, ``Done``, ``Lost`` or ``Fault``, as they come.

        With *window*, no item is begun that lies further than so many behind the oldest that is not done. Closing the
        iterator ends the workers.
        """

    def close(self) -> None:
        """Let go of the workers."""


def in_order(engine: Engine, task: Task, items: Iterable[Any]) -> Iterator[Any]:
    """What *task* tells of each item (one message an item), in the order of the items.

    At most a few items a worker are under way or wait for their turn. Raises ``WorkFailed``.
    """
    waiting: dict[int, Any] = {}
    due = 0
    window = 2 * engine.places + 2
    events = engine.run(task, items, window=window)
    try:
        for number, message in events:
            match message:
                case Done():
                    pass
                case Fault():
                    raise WorkFailed(f"{message.reason}\n{message.trace}")
                case Lost():
                    if not message.again:
                        raise WorkFailed(f"the work was begun {RETRIES + 1} times and lost each time: {message.reason}")
                case _:
                    waiting.setdefault(number, message)
            while due in waiting:
                yield waiting.pop(due)
                due += 1
    finally:
        events.close()  # type: ignore[attr-defined]


class Book:
    """Which items are out, which come next, and how often each was tried."""

    def __init__(self, items: Iterable[Any], retries: int, window: int) -> None:
        self._items = iter(items)
        self._retries, self._window = retries, window
        self._again: deque[int] = deque()
        self._out: dict[int, Any] = {}
        self._tries: Counter[int] = Counter()
        self._given = 0
        self.exhausted = False

    def next(self) -> tuple[int, Any] | None:
        """The next item with its number, or None where none may be begun now."""
        if self._again:
            number = self._again.popleft()
            return number, self._out[number]
        if self.exhausted or (self._window and self._out and self._given - min(self._out) >= self._window):
            return None
        for item in self._items:
            number, self._given = self._given, self._given + 1
            self._out[number] = item
            return number, item
        self.exhausted = True
        return None

    def done(self, number: int) -> None:
        """The item needs no worker any more."""
        self._out.pop(number, None)
        self._tries.pop(number, None)

    def lost(self, number: int) -> bool:
        """The item's worker died: whether it is given to another."""
        self._tries[number] += 1
        if self._tries[number] > self._retries:
            self.done(number)
            return False
        self._again.append(number)
        return True


class Here:
    """No worker at all: one item after the other in this process, for what is over before a worker would have started."""

    @property
    def places(self) -> int:
        return 1

    @property
    def shares_disk(self) -> bool:
        return True

    def run(
        self, task: Task, items: Iterable[Any], *, retries: int = RETRIES, window: int = 0
    ) -> Iterator[tuple[int, object]]:
        """As ``Engine.run``; what the task raises is raised here."""
        for number, item in enumerate(items):
            told: list[object] = []
            task(item, told.append)
            yield from ((number, message) for message in (*told, Done()))

    def close(self) -> None:
        """Nothing to let go of."""


@dataclass(slots=True)
class _Process:
    process: Any
    connection: Connection
    item: int | None = None


@dataclass(slots=True)
class Local:
    """A pool of processes on this machine."""

    processes: int = 1
    _pool: list[_Process] = field(default_factory=list)

    @property
    def places(self) -> int:
        return self.processes

    @property
    def shares_disk(self) -> bool:
        return True

    def run(
        self, task: Task, items: Iterable[Any], *, retries: int = RETRIES, window: int = 0
    ) -> Iterator[tuple[int, object]]:
        """As ``Engine.run``; a worker is started when there is an item for it, and ended with the run."""
        book = Book(items, retries, window)
        try:
            while True:
                self._give(task, book)
                if not any(worker.item is not None for worker in self._pool):
                    return
                yield from self._hear(book)
        finally:
            self.close()

    def pids(self) -> list[int]:
        """The processes that are running."""
        return [worker.process.pid for worker in self._pool if worker.process.pid]

    def _give(self, task: Task, book: Book) -> None:
        while True:
            free = next((worker for worker in self._pool if worker.item is None), None)
            if free is None and len(self._pool) >= self.processes:
                return
            parcel = book.next()
            if parcel is None:
                return
            if free is None:
                free = self._start(task)
            free.item = parcel[0]
            with contextlib.suppress(OSError):  # a worker that died meanwhile is heard of by its closed pipe
                free.connection.send(parcel[1:])

    def _start(self, task: Task) -> _Process:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        name = f"plainview-worker-{len(self._pool)}"
        process = context.Process(target=_serve, args=(task, theirs), name=name, daemon=True)
        process.start()
        theirs.close()
        worker = _Process(process, ours)
        self._pool.append(worker)
        return worker

    def _hear(self, book: Book) -> Iterator[tuple[int, object]]:
        ready = wait([worker.connection for worker in self._pool if worker.item is not None], timeout=1.0)
        for worker in [worker for worker in self._pool if worker.connection in ready]:
            number = worker.item
            assert number is not None
            try:
                message = worker.connection.recv()
            except (EOFError, OSError):
                worker.process.join(10)
                worker.connection.close()
                self._pool.remove(worker)
                reason = f"its worker process ended (exit code {worker.process.exitcode})"
                yield number, Lost(reason, book.lost(number))
                continue
            if isinstance(message, Done | Fault):
                worker.item = None
                book.done(number)
            yield number, message

    def close(self) -> None:
        """End the workers. What they wrote stays."""
        for worker in self._pool:
            worker.connection.close()
            worker.process.terminate()
        for worker in self._pool:
            worker.process.join(5)
            if worker.process.is_alive():
                worker.process.kill()
        self._pool.clear()


def _serve(task: Task, connection: Connection) -> None:
    """Inside a worker process: one item after the other, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.disable(logging.CRITICAL)
    threading.Thread(target=_die_with_parent, args=(os.getppid(),), daemon=True).start()
    with contextlib.suppress(EOFError):
        while True:
            (item,) = connection.recv()
            connection.send(worked(task, item, connection.send))


def worked(task: Task, item: Any, tell: Tell) -> Done | Fault:
    """Run *task* on *item*; what it raises becomes a ``Fault``."""
    try:
        task(item, tell)
    except Exception as error:
        return Fault(f"{type(error).__name__}: {error}", traceback.format_exc())
    return Done()


def _die_with_parent(parent: int) -> None:
    """A worker whose parent was killed has nobody to report to: it ends, and what it wrote is taken up later."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def opened(name: str, processes: int, address: str = "") -> Engine:
    """The engine called *name*: ``local`` or ``ray``. Raises ``EngineMissing``."""
    if name == "ray":
        from data.cluster import Cluster

        return Cluster(address)
    return Local(processes)
