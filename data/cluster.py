"""The same work on a Ray cluster: one that is reached by its address, or one of this machine's own.

Ray only carries tasks to workers and messages back. Its own retries are off: a task that is run again tells other messages
than the first time, and Ray would go on counting where the first one ended. ``Book`` retries instead, as for the local pool.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import queue
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

from data.engine import RETRIES, Book, Done, EngineMissing, Fault, Lost, Task, worked

# Nothing is reported to anybody, and no page is served.
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DISABLE_IMPORT_WARNING": "1"}
_STORE_BYTES = 512 << 20
_COUNT_EVERY = 5.0
# Ray sets this for tasks that ask for one core; a process that was given none of it would start a thread a core.
_ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")


class Cluster:
    """A Ray cluster; *address* as ``ray.init`` has it (``host:port``, ``auto``, ``ray://…``), empty for this machine alone."""

    def __init__(self, address: str = "") -> None:
        os.environ.update({name: os.environ.get(name, value) for name, value in _QUIET.items()})
        try:
            import ray
        except ImportError as error:
            raise EngineMissing(
                "--engine ray needs Ray, which is not installed. Install it on this machine and on every node with: "
                "pip install 'plainview[ray]'"
            ) from error
        self._ray: Any = ray
        self._mine = not ray.is_initialized()
        here: dict[str, Any] = {} if address else {"include_dashboard": False, "object_store_memory": _STORE_BYTES}
        if self._mine:
            try:
                ray.init(address=address or "local", log_to_driver=False, logging_level=logging.ERROR, **here)
            except (ConnectionError, RuntimeError, ValueError, OSError, TimeoutError) as error:
                raise EngineMissing(
                    f"no Ray cluster answers at {address or 'this machine'} ({str(error).splitlines()[0][:200]}). Start one "
                    "with: ray start --head, and name it with --address HOST:6379"
                ) from error
        self._alone = not address
        self._work = ray.remote(num_cpus=1, max_retries=0, scheduling_strategy="SPREAD")(_work)
        self._running: dict[Any, int] = {}
        self._counted, self._places = 0.0, 1

    @property
    def places(self) -> int:
        """The cores of the nodes that are up; asked for again every few seconds."""
        if time.monotonic() - self._counted > _COUNT_EVERY:
            self._places = max(1, int(self._ray.cluster_resources().get("CPU", 1)))
            self._counted = time.monotonic()
        return self._places

    @property
    def shares_disk(self) -> bool:
        return self._alone

    def run(
        self, task: Task, items: Iterable[Any], *, retries: int = RETRIES, window: int = 0
    ) -> Iterator[tuple[int, object]]:
        """As ``Engine.run``; an item whose node or worker died is given to another."""
        book = Book(items, retries, window)
        try:
            while True:
                while len(self._running) < self.places and (parcel := book.next()) is not None:
                    number, item = parcel
                    # Pickled here: a worker must not read the task's module before its threads are set.
                    self._running[self._work.remote(pickle.dumps((task, item)))] = number
                if not self._running:
                    return
                ready, _ = self._ray.wait(list(self._running), num_returns=1, timeout=1.0)
                for messages in ready:
                    yield from self._hear(messages, book)
        finally:
            self._end()

    def _hear(self, messages: Any, book: Book) -> Iterator[tuple[int, object]]:
        number = self._running[messages]
        try:
            message = self._ray.get(next(messages))
        except self._ray.exceptions.RayTaskError as error:
            # The worker could not even begin: plainview is not installed there, or in another version.
            message = Fault(f"{type(error.cause).__name__}: {error.cause}", str(error))
        except (StopIteration, self._ray.exceptions.RayError) as error:
            del self._running[messages]
            reason = str(error).strip().splitlines() or ["it ended without a word"]
            yield number, Lost(f"its worker was lost: {reason[0][:200]}", book.lost(number))
            return
        if isinstance(message, Done | Fault):
            self._running.pop(messages, None)
            book.done(number)
        yield number, message

    def _end(self) -> None:
        for messages in self._running:
            with contextlib.suppress(Exception):
                self._ray.cancel(messages, force=True)
        self._running.clear()

    def close(self) -> None:
        """Cancel what runs and let go of the cluster; one that was started for this run ends."""
        self._end()
        if self._mine and self._ray.is_initialized():
            self._ray.shutdown()


def _work(parcel: bytes) -> Iterator[object]:
    """On a worker: the task on a thread of its own, its messages one by one."""
    for name in _ONE_THREAD:
        os.environ[name] = "1"
    task, item = pickle.loads(parcel)  # noqa: S301 - made by this program on the machine that asked
    told: queue.SimpleQueue[object] = queue.SimpleQueue()
    threading.Thread(target=lambda: told.put(worked(task, item, told.put)), daemon=True).start()
    while True:
        message = told.get()
        yield message
        if isinstance(message, Done | Fault):
            return
