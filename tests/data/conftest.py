"""Keys of its own for every test, and a small case to test on."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.case import Case
from data.seal import Key, make_key, make_seal
from tests.data.cases import small_case


@pytest.fixture(autouse=True)
def _keys_elsewhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
    monkeypatch.setenv("PLAINVIEW_ACTOR", "tester")


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """Three visits, taken in, with flags."""
    return small_case(tmp_path / "case")


@pytest.fixture
def key() -> Key:
    """A signing key without a passphrase."""
    return make_key()


@pytest.fixture
def sealed(case: Case, key: Key) -> Case:
    """The case, sealed twice, with an entry between."""
    make_seal(case, key)
    case.record("services.added", {"services": []})
    make_seal(case, key)
    return case
