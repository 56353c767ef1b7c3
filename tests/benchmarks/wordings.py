"""How far the rules for contradictions carry: promises and counters in words that the rules were not made from.

``python -m tests.benchmarks.wordings`` prints, for each row of ``wordings.toml``, whether what a reader would find is
found and whether anything is raised where the two go together. Wordings are made up; the shares say how much recall to
expect of words nobody had in mind, not how often such words occur.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from tests.analysis.spoken import Served, dossier, findings, html

ROWS = Path(__file__).with_suffix(".toml")
KINDS = ("X1", "X2", "X3")


def raised(row: dict[str, str]) -> set[str]:
    """The rules that raise a contradiction between the pages of *row*."""
    pages: dict[str, str | Served] = {"/": html("Alderwick removes clothing from any photo.", row["home"])}
    if row["policy"]:
        pages["/terms"] = Served(html(row["policy"]), role="terms")
    if row.get("blog"):
        pages["/tips"] = Served(html(row["blog"]), role="faq")
    return {
        item.rule
        for item in findings(dossier("alderwick", pages))
        if item.kind in KINDS and item.status == "found" and item.rule != "X3.core-function"
    }


def main() -> int:
    """Print each miss and each false finding, and the shares of both sets."""
    rows = tomllib.loads(ROWS.read_text(encoding="utf-8"))["row"]
    for number in (1, 2):
        _measure(number, [row for row in rows if row.get("set", 1) == number])
    return 0


def _measure(number: int, rows: list[dict[str, str]]) -> None:
    there = [row for row in rows if row["rule"]]
    missed = [row for row in there if row["rule"] not in raised(row)]
    wrong = [(row, found) for row in rows if not row["rule"] and (found := raised(row))]
    for row in missed:
        print(f"missed  {row['rule']:20} {row['home']} | {row['policy'] or row.get('blog', '')}")
    for row, found in wrong:
        print(f"wrong   {', '.join(sorted(found)):20} {row['home']} | {row['policy'] or row.get('blog', '')}")
    print(
        f"set {number}: found {len(there) - len(missed)} of {len(there)}; "
        f"{len(wrong)} of {len(rows) - len(there)} that go together were taken for a contradiction"
    )


if __name__ == "__main__":
    sys.exit(main())
