"""Progress of long work on stderr: bars on a terminal, nothing when piped."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING

from cli.terminal import err, harmless

if TYPE_CHECKING:
    from rich.progress import TaskID


class Bars:
    """Named bars that vanish when the work is done. Without a terminal every call does nothing."""

    def __init__(self, text: str) -> None:
        self._progress = None
        if sys.stderr.isatty():
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            self._progress = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TextColumn("{task.fields[note]}", markup=False),
                TimeElapsedColumn(),
                console=err(),
                transient=True,
            )
        self._text = text
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Bars:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def show(self, name: str, done: int, total: int | None, note: str = "") -> None:
        """Set a bar; it appears the first time it is named."""
        if self._progress is None:
            return
        task = self._tasks.get(name)
        if task is None:
            task = self._tasks[name] = self._progress.add_task(harmless(name), total=total, note="")
        self._progress.update(task, completed=done, total=total, note=harmless(note))

    def drop(self, name: str) -> None:
        """Take a bar away."""
        task = self._tasks.pop(name, None)
        if self._progress is not None and task is not None:
            self._progress.remove_task(task)
