"""The claims pipeline, loaded once: reading the weights takes longer than most tests."""

from __future__ import annotations

import pytest

from analysis.claims import Claims


@pytest.fixture(scope="session")
def claims() -> Claims:
    return Claims.load()
