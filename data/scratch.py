"""A worker's own folder on local disk, for as long as it works; what a killed worker left is removed by the next one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from data.disk import remove_tree

_PREFIX = "plainview-scratch-"


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """An empty folder, removed at the end. ``TMPDIR`` says where."""
    _clear()
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getuid()}-"))
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
    finally:
        remove_tree(folder)
        os.close(lock)


def _clear() -> None:
    """Remove the folders of this user that nobody holds: their workers are dead, and what they wrote is made again."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}{os.getuid()}-*"):
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            continue
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A folder that was made a moment ago and is not locked yet is left alone.
            if folder.stat().st_mtime < time.time() - 60:
                remove_tree(folder)
        os.close(lock)
