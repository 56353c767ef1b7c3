"""Real pages, terms and documentation: no contradiction is raised that a person would not grant; here that is none at all."""

from __future__ import annotations

import gzip
import html as markup
import json
import os
from collections import defaultdict
from pathlib import Path

import pytest

from analysis.dossier import Dossier
from tests.analysis.spoken import Served, dossier, findings, html
from tests.real_input import real_site, shared

KINDS = ("X1", "X2", "X3", "X4", "observation", "mirror", "defect", "profile", "redirect")


def raised(of: Dossier) -> list[tuple[str, list[str]]]:
    """Findings other than absences, with their quotes."""
    return [
        (finding.rule, [side.quote[:160] for side in finding.sides])
        for finding in findings(of)
        if finding.kind in KINDS and finding.status == "found"
    ]


def test_real_product_and_service_pages_contradict_nothing() -> None:
    pages = sorted((shared("webpages") / "html").glob("*.gz"))
    assert len(pages) > 150
    found = [
        (path.name, item)
        for path in pages
        for item in raised(dossier("page", {"/": gzip.decompress(path.read_bytes()).decode("utf-8", "replace")}))
    ]
    assert found == []


def test_real_terms_of_service_contradict_nothing() -> None:
    contracts: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for name in ("train", "dev"):
        with (shared("unfair_tos") / f"{name}.jsonl").open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                contracts[row["contract"]].append((row["n"], row["text"]))
    assert len(contracts) > 30
    found = []
    for name, clauses in sorted(contracts.items()):
        page = html(*(markup.escape(text.replace(" ,", ",").replace(" .", ".")) for _, text in sorted(clauses)))
        found += [(name, item) for item in raised(dossier("terms", {"/terms": Served(page, role="terms")}))]
    assert found == []


@pytest.mark.slow
def test_the_manual_of_a_database_contradicts_nothing() -> None:
    root = real_site("sqlite")
    pages: dict[str, str | Served] = {}
    for folder, _, files in os.walk(root):
        for name in sorted(files):
            if name.endswith(".html"):
                path = Path(folder) / name
                pages[f"/{path.relative_to(root)}"] = path.read_text(encoding="utf-8", errors="replace")
    assert len(pages) > 700
    assert raised(dossier("manual", pages)) == []
