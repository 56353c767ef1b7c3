"""The run environment as a record: what programs, at what versions, produced what is on file (FRE 902(13), SWGDE 4.3)."""

from __future__ import annotations

import functools
import platform
import sys
from importlib import metadata
from typing import Any

from data.canonical import canonical, sha256

_PARTS = (
    "plainview",
    "scrapy",
    "httpcore",
    "h11",
    "playwright",
    "ada-url",
    "protego",
    "tldextract",
    "selectolax",
    "spacy",
    "duckdb",
    "cryptography",
)


@functools.cache
def environment() -> dict[str, Any]:
    """Programs and versions of this process, as plain values. No host name, no path, no user: nothing about a person."""
    parts = {}
    for name in _PARTS:
        try:
            parts[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            parts[name] = "not installed"
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "byteorder": sys.byteorder,
        "parts": parts,
    }


def environment_id(record: dict[str, Any] | None = None) -> str:
    """The hash by which ledger and visits refer to an environment record."""
    return sha256(canonical(environment() if record is None else record))
