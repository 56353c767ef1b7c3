"""A thousand synthetic sweeps with known truth: do the 95 % intervals of the corrected share hold it, and what naive ones do.

`python tests/benchmarks/extent.py [--sweeps N] [--seed S]`. Every sweep goes through the product's own steps: services with
a known state, flags with errors, a random sample coded by two coders with errors of their own, an adjudicator with fewer,
``settle``, ``extent``. Only pages and passages are left out: a service is one unit.
"""

from __future__ import annotations

import argparse
import platform
import random
import time
from collections.abc import Sequence
from importlib.metadata import version

from analysis.prevalence import Question, Reference, Surveyed, extent, share
from data.decisions import Decision, settle

CODE, LABEL = "D04", "D04 PROMO"
QUESTION = Question("code", CODE, "", frozenset({CODE}))
SETTINGS = {
    # name: (true share, sensitivity, specificity, services, coded in full)
    "common, good flags": (0.60, 0.92, 0.95, 400, 120),
    "half, fair flags": (0.45, 0.80, 0.90, 400, 120),
    "rare, good flags": (0.10, 0.90, 0.97, 400, 120),
    "common, loud flags": (0.30, 0.95, 0.80, 400, 120),
}
CODER_MISSES, CODER_INVENTS, ADJUDICATOR_ERRS = 0.06, 0.03, 0.02
Z = 1.959964


def one_sweep(setting: tuple[float, float, float, int, int], chance: random.Random) -> dict[str, tuple[float, float]]:
    """The intervals that each way of counting gives for one sweep."""
    truth_share, sensitivity, specificity, size, coded = setting
    truth = [chance.random() < truth_share for _ in range(size)]
    flagged = [chance.random() < (sensitivity if has else 1 - specificity) for has in truth]
    surveyed = [
        Surveyed(f"s{at}", f"s{at}", "", "reached", "reached", "", {CODE: 0.9} if mark else {})
        for at, mark in enumerate(flagged)
    ]
    chosen = chance.sample(range(size), coded)
    decisions: list[Decision] = []
    alone = 0
    for at in chosen:
        said = [_coded(truth[at], chance) for _ in range(2)]
        alone += said[0]
        decisions += [_decision(at, coder, has, "coder") for coder, has in zip("ab", said, strict=True)]
        if said[0] != said[1]:
            right = truth[at] if chance.random() >= ADJUDICATOR_ERRS else not truth[at]
            decisions.append(_decision(at, "z", right, "adjudicator"))
    settled = settle(decisions)
    found = extent(
        QUESTION, surveyed, truth={unit: {label.code for label in item.labels} for unit, item in settled.items()}
    )
    ways = {
        "corrected, own sample": found.adjusted,
        "corrected, outside": extent(QUESTION, surveyed, outside=_outside(setting, chance)).adjusted,
        "flags as they are": found.clusters,
        "one coder alone": share(alone, coded),
    }
    return {name: (way.low, way.high) for name, way in ways.items() if way.low is not None and way.high is not None}


def _outside(setting: tuple[float, float, float, int, int], chance: random.Random) -> Reference:
    """A reference from as many other services, half of them with it, that two coders and an adjudicator settled."""
    _, sensitivity, specificity, _, coded = setting
    half = coded // 2
    hits = sum(chance.random() < sensitivity for _ in range(half))
    quiet = sum(chance.random() < specificity for _ in range(half))
    return Reference(hits, half - hits, quiet, half - quiet)


def _coded(has: bool, chance: random.Random) -> bool:
    return chance.random() >= CODER_MISSES if has else chance.random() < CODER_INVENTS


def _decision(at: int, coder: str, has: bool, role: str) -> Decision:
    return Decision(
        f"D-{at}-{coder}", "", coder, f"s{at}", "passage", f"s{at}", "code", (LABEL,) if has else (), "", role
    )


def run(sweeps: int, seed: int) -> list[tuple[str, str, float, float, int]]:
    """Setting, way of counting, coverage of the true share, mean width, sweeps counted."""
    found = []
    for number, (name, setting) in enumerate(SETTINGS.items()):
        chance = random.Random(seed + number)
        each = sweeps // len(SETTINGS)
        held: dict[str, list[tuple[bool, float]]] = {}
        for _ in range(each):
            for way, (low, high) in one_sweep(setting, chance).items():
                held.setdefault(way, []).append((low <= setting[0] <= high, high - low))
        found += [(name, way, _mean([a for a, _ in v]), _mean([b for _, b in v]), len(v)) for way, v in held.items()]
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sweeps", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=20261123)
    given = parser.parse_args()
    began = time.perf_counter()
    found = run(given.sweeps, given.seed)
    print(f"Python {platform.python_version()}, statsmodels {version('statsmodels')}, seed {given.seed}")
    print(f"{'setting':<20} {'true':>5}  {'counted from':<22} {'covers':>7} {'width':>6} {'sweeps':>6}")
    for name, way, covers, width, count in found:
        print(f"{name:<20} {SETTINGS[name][0]:>5.2f}  {way:<22} {covers:>7.1%} {width:>6.3f} {count:>6}")
    for way in dict.fromkeys(row[1] for row in found):
        rows = [row for row in found if row[1] == way]
        covers = sum(row[2] * row[4] for row in rows) / sum(row[4] for row in rows)
        print(f"{'all':<20} {'':>5}  {way:<22} {covers:>7.1%} {'':>6} {sum(row[4] for row in rows):>6}")
    print(f"{time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
