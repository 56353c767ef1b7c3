"""The extent: shares of services with an indicator, with denominators, intervals, and correction for imperfect flags.

Intervals of plain shares are Wilson's, or Clopper and Pearson's exact ones below 40 units (``statsmodels``). The corrected
share is Rogan and Gladen's (Am J Epidemiol 1978;107:71-76); its interval, which carries the error of sensitivity and
specificity, is Lang and Reiczigel's (Prev Vet Med 2014;113:13-22). No package on PyPI has that one, so it stands here and
is tested against the published example.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

EXACT_BELOW: Final = 40
LEVEL: Final = 0.95
FEW_REFERENCE: Final = 10
NO_REFERENCE: Final = "no service was coded in full; draw some with: plainview review sample --what services"
THRESHOLDS: Final = (0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its interval. ``effective`` is the number of units after the design effect."""

    numerator: float
    denominator: float
    value: float | None
    low: float | None
    high: float | None
    method: str
    design_effect: float = 1.0

    @property
    def effective(self) -> float:
        """The number of independent units that would say as much."""
        return self.denominator / self.design_effect if self.design_effect else self.denominator


@dataclass(frozen=True, slots=True)
class Reference:
    """How the machine did against people on units that people settled: counts of the four cells."""

    true_positive: int
    false_negative: int
    true_negative: int
    false_positive: int

    @property
    def positives(self) -> int:
        """Units that people found to have it."""
        return self.true_positive + self.false_negative

    @property
    def negatives(self) -> int:
        """Units that people found not to have it."""
        return self.true_negative + self.false_positive

    @property
    def sensitivity(self) -> float | None:
        """Share of the positives that the machine flagged."""
        return self.true_positive / self.positives if self.positives else None

    @property
    def specificity(self) -> float | None:
        """Share of the negatives that the machine left alone."""
        return self.true_negative / self.negatives if self.negatives else None


@dataclass(frozen=True, slots=True)
class Adjusted:
    """A share corrected for sensitivity and specificity; ``value`` is None where it cannot be, and ``why`` says why."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reference: Reference | None = None
    why: str = ""
    warnings: tuple[str, ...] = ()


def share(numerator: float, denominator: float, *, design_effect: float = 1.0, level: float = LEVEL) -> Share:
    """*numerator* of *denominator* with Wilson's interval, or the exact one for fewer than 40 effective units."""
    from statsmodels.stats.proportion import proportion_confint

    if denominator <= 0:
        return Share(numerator, denominator, None, None, None, "none: nothing was reached")
    count, size = numerator / design_effect, denominator / design_effect
    exact = size < EXACT_BELOW
    low, high = proportion_confint(count, size, alpha=1 - level, method="beta" if exact else "wilson")
    low, high = float(low), float(high)
    return Share(
        numerator,
        denominator,
        numerator / denominator,
        0.0 if numerator <= 0 or math.isnan(low) else max(0.0, low),
        1.0 if numerator >= denominator or math.isnan(high) else min(1.0, high),
        "Clopper-Pearson" if exact else "Wilson",
        design_effect,
    )


def weighted_share(strata: Mapping[str, tuple[float, int, int]], *, level: float = LEVEL) -> Share:
    """A share over strata given as name to (size in the frame, with it, reached); every unit weighs frame/reached.

    The design effect is Kish's for unequal weights, n times the sum of squared weights over the squared sum (Survey
    Sampling 1965, 11.7). A stratum of which nothing was reached cannot speak and is left out of the weights.
    """
    reached = {name: item for name, item in strata.items() if item[2] > 0}
    size = sum(item[2] for item in reached.values())
    frame = sum(item[0] for item in reached.values())
    if not size or not frame:
        return share(0, 0)
    value = sum(weight / frame * with_it / count for weight, with_it, count in reached.values())
    weights = [(weight / count, count) for weight, _, count in reached.values()]
    effect = size * sum(w * w * n for w, n in weights) / sum(w * n for w, n in weights) ** 2
    found = share(value * size, size, design_effect=effect, level=level)
    return Share(value * size, size, value, found.low, found.high, found.method, effect)


def cluster_effect(clusters: Iterable[tuple[int, int]]) -> float:
    """The design effect of counting addresses that belong together, from (with it, addresses) of every cluster.

    Variance of the ratio estimate over clusters (Cochran, Sampling Techniques, 3rd ed., 6.4) over that of independent
    addresses; 1 where it cannot be estimated.
    """
    items = [item for item in clusters if item[1] > 0]
    total = sum(size for _, size in items)
    if len(items) < 2 or not total:
        return 1.0
    value = sum(with_it for with_it, _ in items) / total
    if value in (0.0, 1.0):
        return total / len(items)
    spread = sum((with_it - value * size) ** 2 for with_it, size in items)
    variance = len(items) / (len(items) - 1) * spread / total**2
    return max(variance / (value * (1 - value) / total), 1e-6)


def rogan_gladen(apparent: float, sensitivity: float, specificity: float) -> float:
    """The true share behind an apparent one, unclipped. Raises ``ValueError`` where the flags are no better than chance."""
    youden = sensitivity + specificity - 1
    if youden <= 0:
        raise ValueError("sensitivity and specificity add up to one or less")
    return (apparent + specificity - 1) / youden


def adjust(
    apparent: float, effective: float, reference: Reference, *, level: float = LEVEL, clip: bool = True
) -> Adjusted:
    """The corrected share with Lang and Reiczigel's interval, for a *reference* that is no part of the sweep.

    *apparent* is the flagged share among *effective* units; *reference* the settled units that sensitivity and
    specificity come from, of an earlier sweep or a gold set. Values outside 0 to 1 are clipped, and a warning says so.
    """
    from scipy.stats import norm

    if not reference.positives or not reference.negatives:
        missing = "with" if not reference.positives else "without"
        return Adjusted(None, reference=reference, why=f"no settled unit {missing} it: the flags cannot be judged")
    if effective <= 0:
        return Adjusted(None, reference=reference, why="nothing was reached")
    sensitivity, specificity = reference.sensitivity or 0.0, reference.specificity or 0.0
    try:
        value = rogan_gladen(apparent, sensitivity, specificity)
    except ValueError as error:
        return Adjusted(None, reference=reference, why=str(error))
    z = float(norm.ppf(0.5 + level / 2))
    n_se, n_sp, n = reference.positives + 2, reference.negatives + 2, effective + z * z
    se, sp = (reference.true_positive + 1) / n_se, (reference.true_negative + 1) / n_sp
    p = (effective * apparent + z * z / 2) / n
    middle = (p + sp - 1) / (se + sp - 1)
    shift = 2 * z * z * (middle * se * (1 - se) / n_se - (1 - middle) * sp * (1 - sp) / n_sp)
    variance = p * (1 - p) / n + middle**2 * se * (1 - se) / n_se + (1 - middle) ** 2 * sp * (1 - sp) / n_sp
    half = z * math.sqrt(variance) / (se + sp - 1)
    low, high = middle + shift - half, middle + shift + half
    warnings = []
    if value < 0:
        warnings.append("fewer were flagged than false alarms alone would give: shown as 0; review every flag instead")
    if value > 1:
        warnings.append("more were flagged than the sensitivity allows: shown as 1")
    if min(reference.positives, reference.negatives) < FEW_REFERENCE:
        warnings.append(f"fewer than {FEW_REFERENCE} settled units on one side: the correction is unsure")
    if clip:
        value, low, high = (min(1.0, max(0.0, item)) for item in (value, low, high))
    return Adjusted(value, low, high, reference, "", tuple(warnings))


def adjust_within(apparent: float, effective: float, reference: Reference, *, level: float = LEVEL) -> Adjusted:
    """The corrected share where the settled units are a random part of the sweep itself (double sampling).

    Rogan and Gladen's share with sensitivity and specificity estimated from settled and unsettled units together, which is
    Tenenbein's (J Am Stat Assoc 1970;65:1350-61). His variance is that of 1 / ((1 - K) / settled + K / all) units of
    which each were known for certain, K being the squared correlation of flag and truth; the interval is Wilson's for so
    many units. Lang and Reiczigel's would count the settled units twice over and be far too wide (benchmarks/extent.py).
    """
    from statsmodels.stats.proportion import proportion_confint

    flagged, plain = (
        reference.true_positive + reference.false_positive,
        reference.true_negative + reference.false_negative,
    )
    size = flagged + plain
    if effective <= 0 or not size:
        return Adjusted(None, reference=reference, why="nothing was reached or nothing was settled")
    if (not flagged and apparent > 0) or (not plain and apparent < 1):
        missing = "flagged" if not flagged else "unflagged"
        return Adjusted(None, reference=reference, why=f"no {missing} service was coded in full")
    hits = reference.true_positive / flagged if flagged else 0.0
    missed = reference.false_negative / plain if plain else 0.0
    value = apparent * hits + (1 - apparent) * missed
    # One more of each kind, as Lang and Reiczigel do: a small sample without an error is no proof that there are none.
    hits, missed = (reference.true_positive + 1) / (flagged + 2), (reference.false_negative + 1) / (plain + 2)
    q = (effective * apparent + 1) / (effective + 2)
    p = q * hits + (1 - q) * missed
    k = min(1.0, q * (1 - q) * (hits - missed) ** 2 / (p * (1 - p)))
    units = 1 / ((1 - k) / min(size, effective) + k / effective)
    low, high = proportion_confint(value * units, units, alpha=1 - level, method="wilson")
    warnings = []
    if min(reference.positives, reference.negatives) < FEW_REFERENCE:
        warnings.append(f"fewer than {FEW_REFERENCE} settled units on one side: the correction is unsure")
    return Adjusted(value, max(0.0, float(low)), min(1.0, float(high)), reference, "", tuple(warnings))


# --- a sweep


@dataclass(frozen=True, slots=True)
class Surveyed:
    """One service of a sweep: how it was found, what came of the visit, and the best confidence a code was flagged with.

    ``addresses`` maps each entry host to its own codes and confidences. ``reached`` is ``reached | partly | no``.
    """

    service: str
    cluster: str
    stratum: str
    reached: str
    outcome: str
    reason: str
    codes: Mapping[str, float] = field(default_factory=dict)
    addresses: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def counts(self) -> bool:
        """Whether it was read and so stands in the denominator."""
        return self.reached != "no"


@dataclass(frozen=True, slots=True)
class Question:
    """What is counted: a unit has it where at least ``least`` of ``codes`` were flagged."""

    level: str
    name: str
    title: str
    codes: frozenset[str]
    least: int = 1

    def met(self, codes: Mapping[str, float], threshold: float) -> bool:
        """Whether flags with these confidences meet it at *threshold*."""
        return sum(1 for code in self.codes if codes.get(code, -1.0) >= threshold) >= self.least

    def met_by(self, codes: Collection[str]) -> bool:
        """Whether these codes, as people settled them, meet it."""
        return len(self.codes & set(codes)) >= self.least


@dataclass(frozen=True, slots=True)
class Extent:
    """The answer to one question: shares by cluster, by service and by address, as flagged, as reviewed and as corrected."""

    question: Question
    clusters: Share
    weighted: Share
    services: Share
    addresses: Share
    confirmed: int
    """Clusters with at least one flag that a person confirmed."""
    unreviewed: int
    """Flagged clusters without any decided flag; the reviewed share lies between confirmed and confirmed + unreviewed."""
    adjusted: Adjusted
    by_threshold: tuple[tuple[float, Share], ...]


def extent(
    question: Question,
    surveyed: Sequence[Surveyed],
    *,
    threshold: float = 0.0,
    truth: Mapping[str, Collection[str]] | None = None,
    confirmed: Mapping[str, Collection[str]] | None = None,
    decided: Mapping[str, Collection[str]] | None = None,
    frame: Mapping[str, float] | None = None,
    outside: Reference | None = None,
) -> Extent:
    """Answer *question* for a sweep.

    *truth* maps a fully coded service to the codes people settled for it (the reference for sensitivity and specificity);
    *confirmed* and *decided* map a service to codes of which a flag was confirmed, or decided at all. *frame* gives the
    size of each stratum, else the listed clusters count. *outside* is a reference from other services than this sweep's.
    """
    read = [item for item in surveyed if item.counts]
    by_cluster: dict[str, list[Surveyed]] = {}
    for item in read:
        by_cluster.setdefault(item.cluster, []).append(item)

    def flagged(items: Iterable[Surveyed], at: float) -> bool:
        best: dict[str, float] = {}
        for item in items:
            for code, confidence in item.codes.items():
                best[code] = max(best.get(code, 0.0), confidence)
        return question.met(best, at)

    marks = {name: flagged(items, threshold) for name, items in by_cluster.items()}
    plain = share(sum(marks.values()), len(marks))
    weighted = weighted_share(_strata(surveyed, by_cluster, marks, frame))
    hosts = [
        [question.met(codes, threshold) for item in items for codes in item.addresses.values()]
        for items in by_cluster.values()
    ]
    effect = cluster_effect((sum(items), len(items)) for items in hosts)
    confirmed, decided = confirmed or {}, decided or {}
    yes = {name for name, items in by_cluster.items() if question.met_by(_joined(confirmed, items))}
    seen = {name for name, items in by_cluster.items() if question.codes & _joined(decided, items)}
    reference = compare(question, [item for item in read if item.service in (truth or {})], truth or {}, threshold)
    if weighted.value is None:
        adjusted = Adjusted(None, why="nothing was reached")
    elif outside is not None:
        adjusted = adjust(weighted.value, weighted.effective, outside)
    elif truth:
        adjusted = adjust_within(weighted.value, weighted.effective, reference)
    else:
        adjusted = Adjusted(None, why=NO_REFERENCE)
    return Extent(
        question=question,
        clusters=plain,
        weighted=weighted,
        services=share(sum(question.met(item.codes, threshold) for item in read), len(read)),
        addresses=share(sum(map(sum, hosts)), sum(map(len, hosts)), design_effect=max(1.0, effect)),
        confirmed=len(yes),
        unreviewed=sum(1 for name, has in marks.items() if has and name not in seen),
        adjusted=adjusted,
        by_threshold=tuple(
            (at, share(sum(flagged(items, at) for items in by_cluster.values()), len(by_cluster))) for at in THRESHOLDS
        ),
    )


def _joined(codes: Mapping[str, Collection[str]], items: Iterable[Surveyed]) -> set[str]:
    return {code for item in items for code in codes.get(item.service, ())}


def _strata(
    surveyed: Sequence[Surveyed],
    by_cluster: Mapping[str, Sequence[Surveyed]],
    marks: Mapping[str, bool],
    frame: Mapping[str, float] | None,
) -> dict[str, tuple[float, int, int]]:
    """Stratum to (size, with it, reached); a cluster belongs to the stratum of its first service."""
    of_cluster: dict[str, str] = {}
    for item in sorted(surveyed, key=lambda item: item.service):
        of_cluster.setdefault(item.cluster, item.stratum)
    listed = Counter(of_cluster.values())
    found: dict[str, tuple[float, int, int]] = {}
    for stratum, count in listed.items():
        here = [name for name in by_cluster if of_cluster[name] == stratum]
        size = float((frame or {}).get(stratum, count))
        found[stratum] = (size, sum(marks[name] for name in here), len(here))
    return found


def compare(
    question: Question, surveyed: Iterable[Surveyed], truth: Mapping[str, Collection[str]], threshold: float = 0.0
) -> Reference:
    """The machine against what people settled, on the services in *truth*."""
    cells: Counter[tuple[bool, bool]] = Counter(
        (question.met_by(truth[item.service]), question.met(item.codes, threshold)) for item in surveyed
    )
    return Reference(cells[True, True], cells[True, False], cells[False, False], cells[False, True])


# --- who was not reached


@dataclass(frozen=True, slots=True)
class NonResponse:
    """One row of the table that says what became of every service on the list."""

    group: str
    outcome: str
    services: int
    reason: str


def non_response(surveyed: Sequence[Surveyed], excluded: Mapping[str, str] | None = None) -> list[NonResponse]:
    """Listed = excluded + tried; tried = reached + partly + not reached, the latter by outcome. Rows add up."""
    rows = [NonResponse("listed", "", len(surveyed) + len(excluded or {}), "on the list when the sweep began")]
    rows += [
        NonResponse("excluded", "", count, reason)
        for reason, count in sorted(Counter((excluded or {}).values()).items())
    ]
    rows.append(NonResponse("tried", "", len(surveyed), "a visit was made"))
    for group, sentence in (
        ("reached", "the entry page was read"),
        ("partly", "the entry page was walled off, other pages were read"),
    ):
        rows.append(NonResponse(group, "", sum(1 for item in surveyed if item.reached == group), sentence))
    missed = Counter(item.outcome for item in surveyed if item.reached == "no")
    reasons = {item.outcome: item.reason for item in surveyed if item.reached == "no"}
    rows += [NonResponse("not reached", name, count, reasons[name]) for name, count in sorted(missed.items())]
    return rows


# --- from sweep to sweep


@dataclass(frozen=True, slots=True)
class Trend:
    """One question at two sweeps, over the clusters that were read in both."""

    question: Question
    before: Share
    after: Share
    appeared: int
    disappeared: int
    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None


def trend(
    question: Question, before: Sequence[Surveyed], after: Sequence[Surveyed], *, threshold: float = 0.0
) -> Trend:
    """The change between two sweeps. The test is McNemar's exact one; the interval that of Bonett and Price (2012).

    Bonett and Price add one pair to each kind of change before the usual interval of a mean of paired differences; so
    does this, and ``statsmodels`` computes the interval.
    """
    from statsmodels.stats.contingency_tables import mcnemar
    from statsmodels.stats.weightstats import DescrStatsW

    old, new = (_cluster_marks(question, items, threshold) for items in (before, after))
    both = sorted(old.keys() & new.keys())
    pairs = [(old[name], new[name]) for name in both]
    came = sum(1 for a, b in pairs if b and not a)
    went = sum(1 for a, b in pairs if a and not b)
    first, second = share(sum(a for a, _ in pairs), len(pairs)), share(sum(b for _, b in pairs), len(pairs))
    if not pairs:
        return Trend(question, first, second, 0, 0, None, None, None, None)
    differences = [int(b) - int(a) for a, b in pairs]
    low, high = DescrStatsW([*differences, 1, -1]).zconfint_mean(alpha=1 - LEVEL)
    stay = len(pairs) - came - went
    p_value = float(mcnemar([[stay, came], [went, 0]], exact=True).pvalue) if came + went else 1.0
    return Trend(
        question, first, second, came, went, sum(differences) / len(pairs), max(-1.0, float(low)), min(1.0, float(high)), p_value
    )  # fmt: skip


def _cluster_marks(question: Question, surveyed: Iterable[Surveyed], threshold: float) -> dict[str, bool]:
    best: dict[str, dict[str, float]] = {}
    for item in surveyed:
        if item.counts:
            codes = best.setdefault(item.cluster, {})
            for code, confidence in item.codes.items():
                codes[code] = max(codes.get(code, 0.0), confidence)
    return {name: question.met(codes, threshold) for name, codes in best.items()}
