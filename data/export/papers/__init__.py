"""The texts that go with an export: templates beside this file, and the facts of a case that fill them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from string import Template
from typing import Any

from data.case import CaseFacts
from data.export.selection import Line, Selection
from data.standing import seal_state_after


@dataclass(frozen=True, slots=True)
class Facts:
    """What the texts are filled with, all of it from the ledger and the evidence in the export."""

    case: CaseFacts
    name: str
    version: str
    lines: list[Line]
    head: str
    visits: list[dict[str, Any]]
    visits_in_case: int
    attempts: int
    conversions: int
    first: str
    last: str
    files: int
    exhibits: int
    selection: Selection

    @property
    def seal(self) -> dict[str, Any] | None:
        """The last ``seal.made`` in the export's ledger."""
        return next((line.body for line in reversed(self.lines) if line.event == "seal.made"), None)

    @property
    def unsealed(self) -> str:
        """Why the state that is exported is not sealed; empty where it is."""
        place = max((index for index, line in enumerate(self.lines) if line.event == "seal.made"), default=-1)
        return seal_state_after(self.seal, [line.event for line in self.lines[place + 1 :]]).reason


def readme(facts: Facts) -> str:
    """The page a paralegal starts with."""
    seal = facts.seal
    openssl = ""
    for stamp in (seal or {}).get("timestamps", []):
        if stamp.get("file"):
            roots = [f"data/{name}" for name in seal["files"] if name.endswith(".pem")] if seal else []
            ca = roots[0] if len(roots) == 1 else "AUTHORITY-ROOT.pem"
            openssl += (
                f"\n   openssl ts -verify -data data/{seal['file'] if seal else ''} -in data/{stamp['file']} \\\n"
                f"       -CAfile {ca}\n"
                "                                             the time stamp; take the authority's certificate from the\n"
                "                                             authority itself rather than from this folder\n"
            )
    title = f"Case file: {facts.case.title or facts.name}"
    return _filled(
        "readme.txt",
        facts,
        title=title,
        rule="=" * len(title),
        contents=f"{len(facts.visits)} visit(s), {facts.attempts} attempt(s), {facts.exhibits} exhibit(s)"
        + ("" if facts.selection.whole else "; a selection, see data/export.json"),
        openssl=openssl,
    )


def certification(facts: Facts) -> str:
    """The draft for the person who certifies."""
    environments = []
    for line in facts.lines:
        if line.event == "environment.recorded":
            record = line.body["record"]
            parts = ", ".join(f"{name} {version}" for name, version in sorted(record["parts"].items()))
            environments.append(
                f"      {line.body['id'][:16]}  Python {record['python']} on {record['system']}: {parts}"
            )
    resumed = [visit["visit"] for visit in facts.visits if visit["resumed"]]
    torn = sum(1 for line in facts.lines if line.event == "ledger.torn_line")
    interruptions = []
    if resumed:
        interruptions.append(f"visits taken up again after an interruption: {', '.join(resumed)}")
    if torn:
        interruptions.append(f"{torn} unfinished ledger line(s), taken off and recorded")
    left = facts.visits_in_case - len(facts.visits)
    return _filled(
        "certification.txt",
        facts,
        operators=", ".join(facts.case.operators) or "______",
        legal_basis=facts.case.legal_basis or "______",
        visits=str(len(facts.visits)),
        attempts=str(facts.attempts),
        conversions=str(facts.conversions),
        first=facts.first or "______",
        last=facts.last or "______",
        files=str(facts.files),
        left_out=f"{left} more visit(s) of the case are not in it." if left else "No visit of the case was left out.",
        environments="\n".join(environments) or "      (none on record)",
        interruptions="; ".join(interruptions) or "none",
        clock="; warnings about the clock are on the ledger" if _clock_warnings(facts) else "",
    )


def not_proven(facts: Facts) -> str:
    """What the material does not show."""
    warnings = _clock_warnings(facts)
    seal = facts.seal
    return _filled(
        "not-proven.txt",
        facts,
        stamp_sentence=(
            f"A time stamp says that the sealed ledger existed at {seal['timestamps'][0]['time']}."
            if seal and seal["state"] == "stamped"
            else "No outside authority has stamped this state of the case."
        ),
        clock_sentence=(
            f"{warnings} entries carry a warning that the clock had been set back."
            if warnings
            else "No entry carries a warning that the clock had been set back."
        ),
        seal_sentence=(
            f"THIS EXPORT IS OF AN UNSEALED STATE: {facts.unsealed}."
            if facts.unsealed
            else "This export is of a sealed state."
        ),
        selection_sentence=(
            "No visit of the case was left out of this export."
            if len(facts.visits) == facts.visits_in_case
            else f"This export holds {len(facts.visits)} of the {facts.visits_in_case} visits of the case; what was left "
            "out might bear on what is here."
        ),
    )


def _clock_warnings(facts: Facts) -> int:
    return sum(1 for line in facts.lines if line.body.get("clock_warning"))


def _filled(name: str, facts: Facts, **more: str) -> str:
    seal = facts.seal
    common = {
        "title": facts.case.title or facts.name,
        "matter": facts.case.matter or "______",
        "authority": facts.case.authority or "______",
        "custodian": facts.case.custodian or "______",
        "version": facts.version,
        "count": str(len(facts.lines)),
        "head": facts.head,
        "date": facts.lines[-1].values["at"][:10] if facts.lines else "______",
        "key": seal["key"] if seal else "(unsealed)",
        "sealed_head": seal["head"] if seal else facts.head,
        "seal": (f"UNSEALED: {facts.unsealed}. " if facts.unsealed else "")
        + (f"Seal {seal['seal']} signs the first {seal['count']} entries of the ledger" if seal else ""),
        "stamp": _stamp_line(seal),
    }
    text = resources.files("data.export.papers").joinpath(name).read_text(encoding="utf-8")
    return Template(text).substitute({**common, **more})


def _stamp_line(seal: dict[str, Any] | None) -> str:
    if seal is None:
        return "none"
    if seal["state"] == "stamped":
        return "; ".join(f"{item['time']} by {item['authority']}" for item in seal["timestamps"])
    return f"failed: {seal['reason']}" if seal["state"] == "failed" else "not requested"
