"""What this process reaches for on the network, whoever in it does so: seen by Python's own audit events."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_listening: list[set[str]] = []


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if not _listening:
        return
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
        for names in _listening:
            names.add(name)
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        for names in _listening:
            names.add(str(arguments[1][0]))


sys.addaudithook(_hear)


@contextmanager
def reach() -> Iterator[set[str]]:
    """Every host that is looked up or connected to while this runs, by name or number."""
    names: set[str] = set()
    _listening.append(names)
    try:
        yield names
    finally:
        _listening.remove(names)
