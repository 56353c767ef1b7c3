"""The CASE/UCO graph, as the standard's own checker reads it (offline: the ontology comes with it)."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from data.case import Case
from data.export import make_export


def test_every_visit_and_exhibit_is_in_the_graph_with_its_hash(case: Case) -> None:
    made = make_export(case)
    graph = json.loads((made.path / "data" / "case.jsonld").read_text())["@graph"]
    kinds = [node["@type"] for node in graph]
    assert kinds.count("case-investigation:InvestigativeAction") == made.visits == 3
    assert kinds.count("uco-observable:ObservableObject") == made.exhibits
    text = json.dumps(graph)
    for line in (made.path / "data" / "exhibits" / "exhibits.jsonl").read_text().splitlines():
        assert json.loads(line)["stored_sha256"].upper() in text
    assert "http://service-" not in text


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("case_validate", path=Path(sys.executable).parent) is None, reason="case-utils is not here"
)
def test_case_validate_accepts_the_graph(case: Case) -> None:
    made = make_export(case)
    done = subprocess.run(
        [Path(sys.executable).parent / "case_validate", made.path / "data" / "case.jsonld"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Conforms: True" in done.stdout
    assert "not member of the vocabulary" not in done.stdout
    assert "not in the ontology" not in done.stderr
