"""Time as the records write it: UTC, milliseconds, ending in Z."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """The time now, e.g. ``2026-11-23T18:30:00.123Z``; never local time, whatever ``TZ`` says."""
    return stamp(datetime.now(UTC))


def stamp(moment: datetime) -> str:
    """*moment* (aware) in the records' form. Raises ``ValueError`` for a naive time: it has no meaning on record."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone has no place in a record")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse(text: str) -> datetime:
    """The aware moment that a record's time string names. Raises ``ValueError`` where it does not end in Z."""
    if not text.endswith("Z"):
        raise ValueError(f"a recorded time ends in Z: {text!r}")
    return datetime.fromisoformat(text[:-1]).replace(tzinfo=UTC)
