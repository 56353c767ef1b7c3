"""One spelling for every record, so that a hash of it means something.

RFC 8785 (JSON Canonicalization Scheme) for the values the house writes: strings, integers, booleans, null, lists and
objects with string keys. Floats are refused: their shortest form is the one thing in RFC 8785 that the standard library
does not give, and no record needs one (durations are milliseconds, shares are made later).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def canonical(value: Any) -> bytes:
    """The RFC 8785 bytes of *value*.

    Raises ``TypeError`` for a float or a key that is not ASCII (sorting by code point equals RFC 8785's sorting by
    UTF-16 unit only there), ``UnicodeEncodeError`` for a lone surrogate.
    """
    _check(value)
    return _encode(value).encode("utf-8")


def _check(value: Any) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str) or not key.isascii():
                raise TypeError(f"a record's key must be an ASCII string, not {key!r}")
            _check(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _check(item)
    elif isinstance(value, float):
        raise TypeError("a record holds no floats")


def sha256(data: bytes) -> str:
    """Lower-case hex SHA-256 of *data* (FIPS 180-4)."""
    return hashlib.sha256(data).hexdigest()


def genesis(name: str) -> str:
    """What the first line of a chain names as the line before it: the hash of the chain's own name."""
    return sha256(f"plainview chain {name}".encode())
