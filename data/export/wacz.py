"""WACZ 1.1.1 of the evidence, with honest record types."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def write_wacz(data: Path, visits: Sequence[str]) -> None:
    """Write ``evidence.wacz`` below *data*."""
    raise NotImplementedError
