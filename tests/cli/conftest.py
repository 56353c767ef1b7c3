"""The tour, run once for all tests that look at what it leaves."""

from __future__ import annotations

import fcntl
import json
import subprocess
from pathlib import Path

import pytest

from cli.exits import Exit
from tests.cli.run_plainview import plainview


@pytest.fixture(scope="session")
def tour(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """One run of ``plainview demo``: the case it leaves and what it said. Test processes share it; nobody changes it."""
    shared = tmp_path_factory.getbasetemp() if worker_id == "master" else tmp_path_factory.getbasetemp().parent
    root, said = shared / "tour" / "case", shared / "tour.json"
    with (shared / "tour.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.exists():
            done = plainview("demo", str(root), timeout=580)
            said.write_text(json.dumps([done.returncode, done.stdout, done.stderr]), encoding="utf-8")
    code, stdout, stderr = json.loads(said.read_text(encoding="utf-8"))
    assert code == Exit.DONE, stderr
    return root, subprocess.CompletedProcess(["demo"], code, stdout, stderr)
