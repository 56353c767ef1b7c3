"""Making ``case.duckdb`` again from evidence and ledger: the index is a convenience, the evidence is the record."""

from __future__ import annotations

from data.case import Case
from data.store import make_again


def rebuild(case: Case) -> None:
    """Replace the index by one made from nothing but evidence and ledger; what was there stays until it is whole.

    The analysis is not evidence and is run again by the caller. Raises ``OSError`` where the disk is full; the old index
    is left as it was.
    """
    make_again(case)
