"""Looks for canaries in everything below some folders: as they are, encoded, and inside gzip and zip."""

from __future__ import annotations

import base64
import io
import os
import threading
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self


def forms(mark: bytes) -> tuple[bytes, ...]:
    """*mark* raw, in hexadecimal of both cases, in base64 and base64url at each of the three shifts, escaped, as UTF-16."""
    found = [mark, mark.hex().encode(), mark.hex().upper().encode(), mark.decode().encode("utf-16-le")]
    for shift in range(3):
        found.append(base64.b64encode(bytes(shift) + mark)[4:-4])
        found.append(base64.urlsafe_b64encode(bytes(shift) + mark)[4:-4])
    found.append("".join(f"\\x{byte:02x}" for byte in mark).encode())
    found.append(", ".join(str(byte) for byte in mark).encode())
    found.append(",".join(str(byte) for byte in mark).encode())
    return tuple(dict.fromkeys(found))


def readings(data: bytes, depth: int = 0) -> Iterator[bytes]:
    """*data*, and what unpacks from it where it is gzip or zip."""
    yield data
    if depth > 3:
        return
    if data[:2] == b"\x1f\x8b":
        rest = data
        while rest[:2] == b"\x1f\x8b":
            unpacker = zlib.decompressobj(31)
            try:
                yield from readings(unpacker.decompress(rest), depth + 1)
            except zlib.error:
                return
            rest = unpacker.unused_data
    elif data[:4] == b"PK\x03\x04":
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for name in archive.namelist():
                    yield from readings(archive.read(name), depth + 1)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError):
            return


@dataclass
class Remains:
    """Scans *folders* for *marks* (name: bytes, each beginning with *prefix*); ``found`` holds (name, path) of each hit."""

    folders: tuple[Path, ...]
    marks: dict[str, bytes]
    prefix: bytes
    found: set[tuple[str, str]] = field(default_factory=set)
    files: int = 0
    bytes_read: int = 0
    _seen: dict[Path, tuple[int, int]] = field(default_factory=dict)
    _forms: list[tuple[str, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._forms = [(name, form) for name, mark in self.marks.items() for form in forms(mark)]

    def look(self) -> None:
        """Read every file that is new or changed since the last look."""
        for folder in self.folders:
            for place, _, names in os.walk(folder):
                for name in names:
                    self._look_at(Path(place, name))

    def _look_at(self, path: Path) -> None:
        try:
            if path.is_symlink() or not path.is_file():
                return
            state = path.stat()
            if self._seen.get(path) == (state.st_size, state.st_mtime_ns):
                return
            self._seen[path] = (state.st_size, state.st_mtime_ns)
            data = path.read_bytes()
        except OSError:
            return
        self.files += 1
        self.bytes_read += len(data)
        hints = forms(self.prefix)
        for reading in readings(data):
            # All canaries share a beginning, and most files hold none of its forms.
            if any(hint in reading for hint in hints):
                self.found |= {(name, str(path)) for name, form in self._forms if form in reading}


class Watch:
    """Looks again and again while a sweep runs, because a browser's files are gone when it ends."""

    def __init__(self, remains: Remains, seconds: float = 0.5) -> None:
        self._remains = remains
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._remains.look()

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            self._remains.look()
