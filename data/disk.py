"""Writing so that a crash or a full disk leaves what was there before, or what was meant: nothing between."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path


def write_whole(descriptor: int, data: bytes) -> None:
    """Write all of *data*. One write normally does it; a nearly full disk takes a part, and then says why not more."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk: a file's own fsync does not promise its name (fsync(2))."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_file(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Write a whole file so that a reader, and a crash, see the old one or the new one. Raises ``OSError``."""
    new = path.with_name(path.name + ".new")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        try:
            write_whole(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        new.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_tree(folder: Path) -> None:
    """Wait until every file and name below *folder* is on the disk."""
    for base, _, names in os.walk(folder):
        for name in names:
            descriptor = os.open(Path(base, name), os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_folder(Path(base))


def remove_tree(folder: Path) -> None:
    """Remove a folder that was never finished; whatever of it cannot be removed stays where it is."""
    shutil.rmtree(folder, ignore_errors=True)
