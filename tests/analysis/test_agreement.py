"""Agreement: the published worked examples to the printed digits, and what a run over decisions says and warns of."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from analysis.agreement import agreement, cohens_kappa, krippendorffs_alpha, mean_kappa, measure, percent_agreement
from analysis.recall import Judged, judged, quality
from data.case import Case
from data.decisions import Decision, decisions, export_lines, make_decision, record
from data.sampling import SampleError, What, draw_sample, samples
from data.store import reading
from data.units import find_units
from tests.data.reviewed import PLAIN, PROMISE, Said, reviewable_case

MISSED = Said("Nothing you upload is ever kept.")


def ratings(*coders: object) -> dict[str, dict[str, object]]:
    """One row a coder, as the papers print them; a dot is a missing value."""
    rows = [list(row) for row in coders]  # type: ignore[call-overload]
    return {
        f"u{at}": {f"c{coder}": value for coder, value in enumerate(column) if value not in (".", None)}
        for at, column in enumerate(zip(*rows, strict=True))
    }


def table(rows: list[list[int]]) -> list[tuple[int, int]]:
    return [(a, b) for a, row in enumerate(rows) for b, count in enumerate(row) for _ in range(count)]


def test_alpha_of_krippendorffs_binary_example_is_095() -> None:
    """Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), A: binary data, two observers, no missing data."""
    found = krippendorffs_alpha(ratings("0100000010", "1110010000"))
    assert found is not None
    assert f"{found:.3f}" == "0.095"


def test_alpha_of_krippendorffs_nominal_example_is_692() -> None:
    """The same paper, B: nominal data, two observers, no missing data."""
    found = krippendorffs_alpha(ratings("aabbdcccedda", "babbbccceddd"))
    assert found is not None
    assert f"{found:.3f}" == "0.692"


def test_alpha_of_krippendorffs_example_with_four_observers_and_missing_data_is_743() -> None:
    """The same paper, C: nominal data, any number of observers, missing data."""
    found = krippendorffs_alpha(ratings("123321412...", "1233224125.3", ".3332342251.", "12332441251."))
    assert found is not None
    assert f"{found:.3f}" == "0.743"


def test_kappa_of_the_diagnoses_in_fleiss_is_68() -> None:
    """Fleiss, Statistical Methods for Rates and Proportions (2nd ed. 1981), table 13.1: 100 subjects, kappa = .68."""
    found = cohens_kappa(table([[75, 1, 4], [5, 4, 1], [0, 0, 10]]))
    assert found is not None
    assert f"{found:.2f}" == "0.68"


def test_kappa_of_viera_and_garrett_is_57() -> None:
    """Viera and Garrett, Understanding Interobserver Agreement (Fam Med 2005;37:360-3): 15, 5, 10, 70; kappa = 0.57."""
    found = cohens_kappa(table([[15, 5], [10, 70]]))
    assert found is not None
    assert f"{found:.2f}" == "0.57"


def test_kappa_and_alpha_are_not_defined_where_only_one_value_occurs_and_say_so() -> None:
    same = ratings("0000000000", "0000000000")
    assert mean_kappa(same) is None
    assert krippendorffs_alpha(same) is None
    found = measure("code", "D04", same, positive="1", draws=50)
    assert (found.percent.value, found.kappa.value, found.alpha.value) == (1.0, None, None)
    assert found.kappa.why == "only one value occurs"
    assert any("nobody used it" in warning for warning in found.warnings)


def test_percent_agreement_weighs_every_unit_alike_however_many_coded_it() -> None:
    assert percent_agreement({"a": {"1": 1, "2": 1, "3": 0}, "b": {"1": 1, "2": 1}}) == pytest.approx((1 / 3 + 1) / 2)


def test_intervals_are_the_same_for_the_same_seed_and_hold_the_figure() -> None:
    chance = random.Random(3)
    truth = [chance.random() < 0.3 for _ in range(200)]
    rows = ["".join(str(int(has != (chance.random() < 0.1))) for has in truth) for _ in range(2)]
    one, two = (measure("code", "x", ratings(*rows), positive="1", draws=300, seed=9) for _ in range(2))
    assert one == two
    other = measure("code", "x", ratings(*rows), positive="1", draws=300, seed=10)
    assert other.alpha.value == one.alpha.value
    assert other.alpha.low != one.alpha.low
    for measured in (one.percent, one.kappa, one.alpha):
        assert measured.low is not None and measured.value is not None and measured.high is not None
        assert measured.low < measured.value < measured.high
        assert measured.high - measured.low < 0.35


def test_few_units_rare_codes_and_low_alpha_are_warned_of() -> None:
    few = measure("code", "x", ratings("1000000000", "0100000000"), positive="1", draws=20)
    said = " ".join(few.warnings)
    assert "fewer than 100 units" in said
    assert "rare in the sample" in said
    assert "draw no conclusion" in said


def decision(coder: str, unit: str, verdict: str, *labels: str, machine: str = "D04 PROMO") -> Decision:
    return make_decision(
        coder=coder, unit=unit, kind="flag", service="s", verdict=verdict, labels=labels, machine=machine
    )


def test_unsure_is_missing_and_an_adjudication_is_no_coding() -> None:
    made = [
        decision("ana", "R-1", "confirm"),
        decision("ben", "R-1", "unsure"),
        decision("ana", "R-2", "confirm"),
        decision("ben", "R-2", "reject"),
    ]
    found = {(item.level, item.name): item for item in agreement(made, draws=0)}
    assert found["code", "D04"].units == 1
    assert found["raises", "any flag"].percent.value == 0.0


def test_stance_is_compared_where_both_named_the_code() -> None:
    made = [
        decision("ana", "R-1", "confirm"),
        decision("ben", "R-1", "correct", "D04 DISCLAIM"),
        decision("ana", "R-2", "confirm"),
        decision("ben", "R-2", "confirm"),
        decision("ana", "R-3", "confirm"),
        decision("ben", "R-3", "reject"),
    ]
    found = {(item.level, item.name): item for item in agreement(made, draws=0)}
    assert found["stances", "all"].units == 2
    assert found["stances", "all"].percent.value == 0.5
    assert found["code", "D04"].percent.value == pytest.approx(2 / 3)


@pytest.fixture
def coded(tmp_path: Path) -> Case:
    """A case whose two coders disagree here and there."""
    case = reviewable_case(tmp_path / "case", {1: [PROMISE]})
    chance = random.Random(4)
    for at in range(60):
        for coder in ("ana", "ben"):
            draw = chance.random()
            machine = "D04 PROMO" if at % 3 else "D02 PROMO"
            if draw < 0.6:
                record(case, decision(coder, f"R-{at}", "confirm", machine=machine))
            elif draw < 0.8:
                record(case, decision(coder, f"R-{at}", "reject", machine=machine))
            elif draw < 0.9:
                record(case, decision(coder, f"R-{at}", "correct", "N01 PROMO", machine=machine))
            else:
                record(case, decision(coder, f"R-{at}", "unsure", machine=machine))
    return case


def test_a_short_script_of_its_own_finds_the_same_figures_in_the_exported_decisions(
    coded: Case, tmp_path: Path
) -> None:
    file = tmp_path / "decisions.jsonl"
    file.write_text("\n".join(export_lines(coded)) + "\n", encoding="utf-8")
    script = Path(__file__).with_name("agreement_by_hand.py")
    done = subprocess.run([sys.executable, "-I", str(script), str(file)], capture_output=True, text=True, check=True)
    by_hand = {line.split()[0]: [float(part) for part in line.split()[1:]] for line in done.stdout.splitlines()}
    ours = {item.name: item for item in agreement(decisions(coded), draws=0) if item.level == "code"}
    assert set(by_hand) == set(ours) == {"D02", "D04", "N01"}
    for code, (units, kappa, alpha) in by_hand.items():
        assert ours[code].units == units
        assert ours[code].kappa.value == pytest.approx(kappa, abs=1e-12)
        assert ours[code].alpha.value == pytest.approx(alpha, abs=1e-12)


# --- the machine against people


def test_recall_weighs_every_stratum_by_what_was_not_drawn_from_it() -> None:
    """100 flagged passages and 900 others, 20 drawn from each: 16 of the flagged stand, 1 of the others was missed."""
    here, gone = frozenset({"D04"}), frozenset[str]()
    found = [Judged("flagged", here, here)] * 16 + [Judged("flagged", here, gone)] * 4
    found += [Judged("no flag", gone, here)] + [Judged("no flag", gone, gone)] * 19
    line = next(item for item in quality(found, {"flagged": 100, "no flag": 900}, draws=200) if item.code == "D04")
    assert line.precision == pytest.approx(0.8)
    assert line.recall == pytest.approx(80 / (80 + 45))
    assert line.recall_low is not None and line.recall_high is not None
    assert line.recall_low < 80 / 125 < line.recall_high


def test_what_the_flags_miss_is_seen_only_in_a_sample_of_passages(tmp_path: Path) -> None:
    case = reviewable_case(tmp_path / "case", {number: [PROMISE, MISSED, PLAIN] for number in range(1, 6)})
    with reading(case) as connection:
        draw_sample(case, connection, what=What.PASSAGES, size=15, seed=1, coders=("ana",))
        draw_sample(case, connection, what=What.FLAGS, size=5, seed=1, coders=("ana",))
        sample = samples(case)["S-001"]
        for name, unit in find_units(connection, [item.unit for item in sample.assigned()]).items():
            labels = () if unit.passage == PLAIN.text else ("D04 PROMO",)
            made = make_decision(
                coder="ana", unit=name, kind="passage", service=unit.service, verdict="code", labels=labels
            )
            record(case, made)
    with reading(case) as connection:
        found = judged(connection, sample, decisions(case))
        with pytest.raises(SampleError, match="recall needs one of passages"):
            judged(connection, samples(case)["S-002"], decisions(case))
    line = next(item for item in quality(found, {"flagged": 5, "no flag": 10}, draws=0) if item.code == "D04")
    assert (line.precision, line.recall) == (1.0, 0.5)
