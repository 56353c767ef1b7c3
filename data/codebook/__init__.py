"""The codebook as data: codes, stances, word families, rules and clauses, read from the TOML files beside this module.

An analyst edits the TOML; nothing here knows any language beyond the markup of examples. The canonical hash of the
whole codebook is what a flag is bound to, so that a flag can always be traced to the words that raised it.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent

PAGE_ROLES: Final = (
    "home", "pricing", "faq", "terms", "privacy", "refund", "contact", "report",
    "affiliate", "blog", "listing", "ad", "forum", "news", "help", "other",
)  # fmt: skip
KINDS: Final = ("claim", "fact", "referral")
MINIMUM_EXAMPLES: Final = 6


class CodebookError(ValueError):
    """The codebook cannot be read; the message names the file and the entry."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One expected label of an example: ``text[start:end]`` carries ``code`` with ``stance``."""

    code: str
    stance: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Example:
    """A passage with its context and every label it should get; ``raw`` is the line as the analyst wrote it."""

    text: str
    heading: str
    list_intro: str
    page_role: str
    marks: tuple[Mark, ...]
    raw: str


@dataclass(frozen=True, slots=True)
class Rule:
    """Patterns that see one code. ``stance`` forces a stance; ``roles`` limits the page roles; ``weak`` asks the reader."""

    id: str
    code: str
    patterns: tuple[str, ...]
    unless: tuple[str, ...] = ()
    stance: str = ""
    roles: tuple[str, ...] = ()
    span: str = "match"
    weak: bool = False


@dataclass(frozen=True, slots=True)
class Code:
    """One entry of the codebook, as an attorney would read it."""

    id: str
    name: str
    title: str
    theory: str
    kind: str
    hooks: tuple[str, ...]
    definition: str
    confuser: str
    includes: tuple[str, ...]
    excludes: tuple[str, ...]
    positive: tuple[Example, ...]
    confusing: tuple[Example, ...]
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Stance:
    """One value of the stance axis; ``flag`` stances raise an analyst flag by default."""

    id: str
    flag: bool
    definition: str
    cues: tuple[str, ...] = ()
    list_cues: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Clause:
    """One unfair-clause type of the second layer; ``corpus`` is its label in the public corpus."""

    id: str
    corpus: str
    title: str
    definition: str


@dataclass(frozen=True, slots=True)
class Codebook:
    """Everything the claims pipeline takes from data."""

    codes: tuple[Code, ...]
    stances: tuple[Stance, ...]
    clauses: tuple[Clause, ...]
    families: dict[str, str]
    sha256: str

    def code(self, code_id: str) -> Code:
        """The code called ``code_id``; KeyError if there is none."""
        for code in self.codes:
            if code.id == code_id:
                return code
        raise KeyError(code_id)

    @property
    def code_ids(self) -> tuple[str, ...]:
        return tuple(code.id for code in self.codes)

    @property
    def stance_ids(self) -> tuple[str, ...]:
        return tuple(stance.id for stance in self.stances)

    @property
    def flag_stances(self) -> frozenset[str]:
        """Stances that raise an analyst flag by default."""
        return frozenset(stance.id for stance in self.stances if stance.flag)

    @property
    def referral_codes(self) -> frozenset[str]:
        """Codes that are masked, kept out of general lists and put in the referral queue."""
        return frozenset(code.id for code in self.codes if code.kind == "referral")

    def examples(self) -> Iterator[tuple[Code, Example]]:
        """Every example with the code it stands under, positive ones first."""
        for code in self.codes:
            for example in (*code.positive, *code.confusing):
                yield code, example


_OPEN: Final = re.compile(r"\{(?:(?P<code>[A-Z][0-9]{2})\.)?(?P<stance>[A-Z]{2,8})(?:\s|(?=\}))")


def read_example(raw: str, own_code: str = "") -> Example:
    """Parse ``role|heading|list intro| text`` where ``{CODE.STANCE words}`` marks a label.

    The prefix may be left out (role ``other``); ``{STANCE words}`` belongs to ``own_code``. Braces may nest.
    Raises CodebookError for an unknown role or a brace that is not closed.
    """
    role, heading, intro, body = "other", "", "", raw
    parts = raw.split("|", 3)
    if len(parts) == 4 and parts[0].strip() in PAGE_ROLES:
        role, heading, intro, body = parts[0].strip(), parts[1].strip(), parts[2].strip(), parts[3]
    body = body.strip()
    out: list[str] = []
    length = 0
    open_marks: list[tuple[str, str, int]] = []
    marks: list[Mark] = []
    at = 0
    while at < len(body):
        opening = _OPEN.match(body, at)
        if opening:
            open_marks.append((opening["code"] or own_code, opening["stance"], length))
            at = opening.end()
        elif body[at] == "}" and open_marks:
            code, stance, start = open_marks.pop()
            marks.append(Mark(code, stance, start, length))
            at += 1
        else:
            out.append(body[at])
            length += 1
            at += 1
    if open_marks:
        raise CodebookError(f"a brace is not closed in the example: {raw}")
    text = "".join(out)
    trimmed = []
    for mark in marks:
        words = text[mark.start : mark.end]
        left = len(words) - len(words.lstrip())
        right = len(words) - len(words.rstrip())
        trimmed.append(Mark(mark.code, mark.stance, mark.start + left, mark.end - right))
    return Example(text, heading, intro, role, tuple(sorted(trimmed, key=lambda m: (m.start, m.end, m.code))), raw)


def load_practice(folder: Path | None = None) -> tuple[Example, ...]:
    """The practice sentences the reader is trained on beside the examples, from ``practice/*.txt``.

    A line ``# D04`` sets the code that ``{STANCE words}`` belongs to, ``@role|heading|list intro`` the context of the
    lines that follow; any other line is an example, with a prefix of its own if it has one. Raises CodebookError naming
    file and line.
    """
    examples: list[Example] = []
    for file in sorted((folder or HERE / "practice").glob("*.txt")):
        own_code, context = "", "other|||"
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            line = line.strip()
            if not line:
                continue
            if line.startswith("# "):
                own_code, context = line[2:].strip(), "other|||"
                continue
            try:
                if not line.startswith("@"):
                    examples.append(read_example(context + line, own_code))
                elif line.count("|") >= 3:
                    examples.append(read_example(line[1:], own_code))
                else:
                    parts = line[1:].split("|")
                    if parts[0] not in PAGE_ROLES:
                        raise CodebookError(f"no page role '{parts[0]}'")
                    context = "|".join([*parts, "", "", ""][:3]) + "|"
            except CodebookError as error:
                raise CodebookError(f"{file.name}, line {number}: {error}") from error
    return tuple(examples)


def _entry_rules(code_id: str, rows: list[dict[str, Any]]) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            id=row["id"],
            code=code_id,
            patterns=tuple(row["patterns"]),
            unless=tuple(row.get("not", ())),
            stance=row.get("stance", ""),
            roles=tuple(row.get("roles", ())),
            span=row.get("span", "match"),
            weak=bool(row.get("weak", False)),
        )
        for row in rows
    )


def _entry_code(theory: str, row: dict[str, Any]) -> Code:
    return Code(
        id=row["id"],
        name=row["name"],
        title=row["title"],
        theory=theory,
        kind=row["kind"],
        hooks=tuple(row["hooks"]),
        definition=row["definition"],
        confuser=row["confuser"],
        includes=tuple(row["includes"]),
        excludes=tuple(row["excludes"]),
        positive=tuple(read_example(raw, row["id"]) for raw in row["positive"]),
        confusing=tuple(read_example(raw, row["id"]) for raw in row["confusing"]),
        rules=_entry_rules(row["id"], row.get("rule", [])),
    )


def load_codebook(path: Path | None = None) -> Codebook:
    """Read every ``*.toml`` of ``path`` (default: the codebook that travels with the package).

    ``sha256`` is taken over the canonical JSON of the content, so that comments and layout do not change it.
    Raises CodebookError naming the file for broken TOML, a missing field or a broken example.
    """
    if path is None:
        return _own_codebook()
    return _read(path)


@cache
def _own_codebook() -> Codebook:
    return _read(HERE)


def _read(folder: Path) -> Codebook:
    codes: list[Code] = []
    stances: list[Stance] = []
    clauses: list[Clause] = []
    families: dict[str, str] = {}
    files = sorted(folder.glob("*.toml"))
    if not files:
        raise CodebookError(f"no codebook files in {folder}")
    for file in files:
        try:
            content = tomllib.loads(file.read_text(encoding="utf-8"))
            families.update(content.get("families", {}))
            codes.extend(_entry_code(content["theory"], row) for row in content.get("code", []))
            stances.extend(
                Stance(
                    row["id"],
                    row["flag"],
                    row["definition"],
                    tuple(row.get("cues", ())),
                    tuple(row.get("list_cues", ())),
                )
                for row in content.get("stance", [])
            )
            clauses.extend(
                Clause(row["id"], row["corpus"], row["title"], row["definition"]) for row in content.get("clause", [])
            )
        except (tomllib.TOMLDecodeError, KeyError, CodebookError) as error:
            raise CodebookError(f"{file.name}: {error}") from error
    codes.sort(key=lambda code: "DRNUTME".index(code.id[0]) * 100 + int(code.id[1:]))
    canonical = json.dumps(
        {
            "codes": [asdict(code) for code in codes],
            "stances": [asdict(stance) for stance in stances],
            "clauses": [asdict(clause) for clause in clauses],
            "families": families,
        },
        sort_keys=True,
        ensure_ascii=False,
        separators=(",", ":"),
    )
    digest = hashlib.sha256(canonical.encode("utf-8")).hexdigest()
    return Codebook(tuple(codes), tuple(stances), tuple(clauses), families, digest)


def lint_codebook(codebook: Codebook, hook_ids: frozenset[str] | None = None) -> list[str]:
    """Every fault of the codebook as one sentence; an empty list means that it is sound.

    ``hook_ids`` are the ids of the law tables; with None, hooks are not checked.
    """
    faults: list[str] = []
    seen: set[str] = set()
    stances = set(codebook.stance_ids)
    rule_ids: set[str] = set()
    for code in codebook.codes:
        if code.id in seen:
            faults.append(f"{code.id}: defined twice")
        seen.add(code.id)
        if code.kind not in KINDS:
            faults.append(f"{code.id}: kind '{code.kind}' is none of {', '.join(KINDS)}")
        faults.extend(
            f"{code.id}: {name} is empty"
            for name in ("title", "definition", "confuser", "includes", "excludes", "hooks")
            if not getattr(code, name)
        )
        if hook_ids is not None:
            faults.extend(f"{code.id}: no law row '{hook}'" for hook in code.hooks if hook not in hook_ids)
        for name, examples in (("positive", code.positive), ("confusing", code.confusing)):
            if len(examples) < MINIMUM_EXAMPLES:
                faults.append(f"{code.id}: {len(examples)} {name} examples, at least {MINIMUM_EXAMPLES} are needed")
        faults.extend(
            f"{code.id}: positive example has no flag-raising label of the code: {example.raw}"
            for example in code.positive
            if not any(m.code == code.id and m.stance in codebook.flag_stances for m in example.marks)
        )
        faults.extend(
            f"{code.id}: confusing example raises the code: {example.raw}"
            for example in code.confusing
            if any(m.code == code.id and m.stance in codebook.flag_stances for m in example.marks)
            and not any(m.code == code.id and m.stance not in codebook.flag_stances for m in example.marks)
        )
        for rule in code.rules:
            if rule.id in rule_ids:
                faults.append(f"{rule.id}: rule id used twice")
            rule_ids.add(rule.id)
            if rule.stance and rule.stance not in stances:
                faults.append(f"{rule.id}: no stance '{rule.stance}'")
            faults.extend(f"{rule.id}: no page role '{role}'" for role in rule.roles if role not in PAGE_ROLES)
            faults.extend(
                f"{rule.id}: no word family '{name}'"
                for pattern in (*rule.patterns, *rule.unless)
                for name in re.findall(r"\{([a-z_]+)\}", pattern)
                if name not in codebook.families
            )
    texts: dict[tuple[str, str, str, str], str] = {}
    for code, example in codebook.examples():
        for mark in example.marks:
            if mark.code not in seen:
                faults.append(f"{code.id}: example names no known code '{mark.code}': {example.raw}")
            if mark.stance not in stances:
                faults.append(f"{code.id}: example names no known stance '{mark.stance}': {example.raw}")
            if not example.text[mark.start : mark.end].strip():
                faults.append(f"{code.id}: example marks nothing: {example.raw}")
        key = (example.text, example.heading, example.list_intro, example.page_role)
        if key in texts:
            faults.append(f"{code.id}: example stands twice (also under {texts[key]}): {example.raw}")
        texts[key] = code.id
    return faults
