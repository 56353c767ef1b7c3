"""A zip in one way only: files stored in the order of their names, no dates, no extras, nothing between.

The same files give the same bytes on every machine (a compressor's version would show), and the verifier can rebuild
every byte that is not a file's own, so that nothing hides between them.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path

from data.verify import zip_central, zip_end, zip_local

_BLOCK = 1 << 20


def write_zip(folder: Path, target: Path, top: str) -> None:
    """Write every file below *folder* to *target* as ``top/…`` and wait for the disk. Raises ``OSError``."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    directory, at = [], 0
    with target.open("xb") as out:
        for name in names:
            path, shown = folder / name, f"{top}/{name}".encode()
            crc, size = _checksum(path)
            head = zip_local(shown, crc, size)
            directory.append(zip_central(shown, crc, size, at))
            out.write(head)
            with path.open("rb") as file:
                while block := file.read(_BLOCK):
                    out.write(block)
            at += len(head) + size
        central = b"".join(directory)
        out.write(central + zip_end(len(names), len(central), at))
        out.flush()
        os.fsync(out.fileno())


def _checksum(path: Path) -> tuple[int, int]:
    crc, size = 0, 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            crc, size = zlib.crc32(block, crc), size + len(block)
    return crc, size
