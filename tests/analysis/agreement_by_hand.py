"""Kappa and alpha from exported decisions with nothing but the standard library: `python agreement_by_hand.py FILE.jsonl`.

Independent of the product on purpose: it reads the file that `plainview review export` writes, and the two formulas as the
papers print them (Cohen 1960; Krippendorff 2011, nominal data). Prints one line a code: code, units, kappa, alpha.
"""

# ruff: noqa: T201 - its figures are what it is for
import itertools
import json
import sys
from collections import Counter, defaultdict
from pathlib import Path


def last_answers(path: str) -> dict[str, dict[str, set[str]]]:
    """Unit to coder to the codes that the coder's last decision gives it; unsure and withdrawn ones are no answers."""
    last: dict[tuple[str, str], dict] = {}
    with Path(path).open(encoding="utf-8") as lines:
        next(lines)
        for line in lines:
            made = json.loads(line)["decision"]
            key = (made["unit"], made["coder"])
            if made["role"] == "coder" and (key not in last or made["at"] >= last[key]["at"]):
                last[key] = made
    answers: dict[str, dict[str, set[str]]] = defaultdict(dict)
    for (unit, coder), made in last.items():
        if made["verdict"] not in ("unsure", "withdrawn"):
            answers[unit][coder] = {label.split()[0] for label in made["labels"]}
    return {unit: coders for unit, coders in answers.items() if len(coders) > 1}


def kappa(pairs: list[tuple[bool, bool]]) -> float | None:
    """(observed - expected) / (1 - expected)."""
    size = len(pairs)
    observed = sum(a == b for a, b in pairs) / size
    first, second = sum(a for a, _ in pairs) / size, sum(b for _, b in pairs) / size
    expected = first * second + (1 - first) * (1 - second)
    return (observed - expected) / (1 - expected) if expected < 1 else None


def alpha(units: list[list[bool]]) -> float | None:
    """1 - observed disagreement / expected disagreement, from the coincidence matrix."""
    matrix: Counter[tuple[bool, bool]] = Counter()
    for values in units:
        for a, b in itertools.permutations(values, 2):
            matrix[a, b] += 1 / (len(values) - 1)
    total = sum(matrix.values())
    sums = {value: sum(count for (a, _), count in matrix.items() if a == value) for value in (True, False)}
    expected = 2 * sums[True] * sums[False] / (total - 1)
    return 1 - (matrix[True, False] + matrix[False, True]) / expected if expected else None


def main(path: str) -> None:
    answers = last_answers(path)
    for code in sorted({code for coders in answers.values() for codes in coders.values() for code in codes}):
        units = [[code in codes for _, codes in sorted(coders.items())] for coders in answers.values()]
        pairs = [(values[0], values[1]) for values in units]
        print(code, len(units), kappa(pairs), alpha(units))


if __name__ == "__main__":
    main(sys.argv[1])
