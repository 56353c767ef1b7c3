"""A case: one investigation, one folder, opened under a stated authority (design section 5)."""

from __future__ import annotations

import difflib
import ipaddress
import json
import os
import re
import tomllib
from dataclasses import dataclass, field, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from data import environment as env
from data.canonical import sha256
from data.ledger import Event, Ledger
from data.records import Service

CASE_FILE = "case.toml"
CASE_VARIABLE = "PLAINVIEW_CASE"
_FOLDERS = ("evidence", "spool", "seals", "exports")


class CaseError(Exception):
    """Something about the case folder or its settings is wrong; the message says what to do."""


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """``[case]``: who looks, at what, under which authority."""

    title: str = ""
    matter: str = ""
    authority: str = ""
    legal_basis: str = ""
    operators: tuple[str, ...] = ()
    custodian: str = ""
    referral_officer: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """``[policy]``: how a visit behaves. Defaults are those of a careful visitor."""

    page_budget: int = 40
    delay_seconds: float = 1.0
    concurrency_per_host: int = 1
    visits_at_once: int = 4
    render: str = "auto"
    user_agent: str = ""
    contact: str = ""
    accept_language: str = "en-US,en;q=0.8"
    profile_b_accept_language: str = "de-DE,de;q=0.8"
    profiles: bool = True
    obey_robots: bool = True
    robots_authority: str = ""
    allow_private: tuple[str, ...] = ()
    proxy: str = ""
    max_body_bytes: int = 10_000_000
    timeout_seconds: float = 30.0
    page_seconds: float = 60.0
    visit_minutes: float = 60.0
    max_redirects: int = 10
    render_pages: int = 10

    def networks(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        """``allow_private`` as networks."""
        return tuple(ipaddress.ip_network(item) for item in self.allow_private)


# Looking through a long ledger for every entry would make a sweep's cost grow with its square.
_environments_recorded: set[tuple[str, str]] = set()


@dataclass(frozen=True, slots=True)
class TimestampAuthority:
    """One of ``[[seal.timestamp_authorities]]``: where RFC 3161 requests go, and the root certificate it must lead to."""

    url: str = ""
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class SealSettings:
    """``[seal]``: with which key the case is sealed, and who stamps the time."""

    key: str = "plainview"
    timestamp_authorities: tuple[TimestampAuthority, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """An opened case folder."""

    root: Path
    facts: CaseFacts = field(default_factory=CaseFacts)
    policy: Policy = field(default_factory=Policy)
    seal: SealSettings = field(default_factory=SealSettings)

    @property
    def ledger(self) -> Ledger:
        """The case's ledger."""
        return Ledger(self.root / "ledger.jsonl")

    @property
    def index(self) -> Path:
        """``case.duckdb``: the rebuildable index."""
        return self.root / "case.duckdb"

    @property
    def evidence(self) -> Path:
        """Where closed visits lie."""
        return self.root / "evidence"

    @property
    def spool(self) -> Path:
        """Where running visits lie."""
        return self.root / "spool"

    @property
    def seals(self) -> Path:
        """Where seals lie."""
        return self.root / "seals"

    @property
    def exports(self) -> Path:
        """Where exports and reports are put by default."""
        return self.root / "exports"

    def record(self, event: str, body: dict[str, Any]) -> Event:
        """Put an event on the ledger. The environment it was done in is put there once, and so are the settings whenever
        ``case.toml`` is not as the ledger last saw it."""
        if event == "case.opened":
            body = {**body, "case_toml_sha256": sha256((self.root / CASE_FILE).read_bytes())}
        identity = self.note(opening=event == "case.opened")
        return self.ledger.append(event, body, environment=identity)

    def note(self, *, opening: bool = False) -> str:
        """Put environment and settings on the ledger where it does not hold them as they are; the environment's id."""
        identity = env.environment_id()
        seen = self._seen()
        if identity not in seen.environments:
            self.ledger.append(
                "environment.recorded", {"id": identity, "record": env.environment()}, environment=identity
            )
            seen.environments.add(identity)
        settings = sha256((self.root / CASE_FILE).read_bytes())
        if settings != seen.settings and not opening:
            changed = {"case": _plain(self.facts), "policy": _plain(self.policy), "case_toml_sha256": settings}
            self.ledger.append("case.settings", changed, environment=identity)
        seen.settings = settings
        return identity

    def _seen(self) -> _Seen:
        """What the ledger holds of environments and settings; read once a process and ledger file."""
        try:
            facts = self.ledger.path.stat()
        except FileNotFoundError:
            return _Seen()
        key = (facts.st_dev, facts.st_ino)
        if key not in _SEEN:
            seen = _Seen()
            for entry in self.ledger.events("environment.recorded", "case.opened", "case.settings"):
                if entry.event == "environment.recorded":
                    seen.environments.add(entry.body["id"])
                seen.settings = entry.body.get("case_toml_sha256", seen.settings)
            _SEEN[key] = seen
        return _SEEN[key]

    def services(self) -> dict[str, Service]:
        """Every service on the list, by name, in the order added; the ledger is the list."""
        found: dict[str, Service] = {}
        for entry in self.ledger.events("services.added", "services.removed"):
            if entry.event == "services.removed":
                for name in entry.body["services"]:
                    found.pop(name, None)
                continue
            for row in entry.body["services"]:
                new = Service.from_json(row)
                old = found.get(new.service)
                found[new.service] = old.joined(new) if old is not None else new
        return found


@dataclass(slots=True)
class _Seen:
    environments: set[str] = field(default_factory=set)
    settings: str = ""


_SEEN: dict[tuple[int, int], _Seen] = {}


def find_case(given: str | Path | None = None) -> Path:
    """The case folder: *given*, else ``PLAINVIEW_CASE``, else the nearest folder upwards that holds ``case.toml``.

    Raises ``CaseError`` where there is none.
    """
    named = str(given) if given else os.environ.get(CASE_VARIABLE, "")
    if named:
        path = Path(named).expanduser()
        if not (path / CASE_FILE).is_file():
            raise CaseError(f"{path} is not a case: it has no {CASE_FILE}. Make one with: plainview init {path}")
        return path
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / CASE_FILE).is_file():
            return folder
    raise CaseError(
        "This folder is not inside a case. Go to one, name one with --case FOLDER or PLAINVIEW_CASE, "
        "or make one with: plainview init FOLDER"
    )


def open_case(path: Path) -> Case:
    """Read ``case.toml``. Raises ``CaseError`` for bad TOML, an unknown key (naming the nearest) or a bad value."""
    file = path / CASE_FILE
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CaseError(f"{path} is not a case: it has no {CASE_FILE}. Make one with: plainview init {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise CaseError(f"{file} cannot be read: {error}") from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CaseError(
            f"{file} is not valid TOML: {error}. Mend that line and try again; nothing was changed."
        ) from error
    _known(values, {"case", "policy", "seal"}, file, "")
    facts = _table(CaseFacts, values.get("case", {}), file, "case")
    policy = _table(Policy, values.get("policy", {}), file, "policy")
    _check_policy(policy, file)
    return Case(root=path, facts=facts, policy=policy, seal=_seal_settings(values.get("seal", {}), file))


def make_case(path: Path, facts: CaseFacts, policy_lines: str = "") -> Case:
    """Create the case folder *path*; its ledger's first line says who opened it under which authority.

    *policy_lines* is TOML put under ``[policy]``. Raises ``CaseError`` if there is one already, or the folder holds
    other things.
    """
    if (path / CASE_FILE).exists():
        raise CaseError(f"{path} already is a case. Open it with --case {path}, or choose another folder.")
    if path.exists() and any(path.iterdir()):
        raise CaseError(f"{path} is not empty. Choose a new or empty folder for the case; nothing was changed.")
    path.mkdir(parents=True, exist_ok=True)
    for name in _FOLDERS:
        (path / name).mkdir(exist_ok=True)
    (path / CASE_FILE).write_text(_case_toml(facts, policy_lines), encoding="utf-8")
    case = open_case(path)
    case.record("case.opened", {"case": _plain(facts), "policy": _plain(case.policy)})
    return case


def policy_record(policy: Policy) -> dict[str, Any]:
    """The policy as plain values without floats, for a visit's record: seconds become milliseconds."""
    return _plain(policy)


def _plain(value: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for item in fields(value):
        content = getattr(value, item.name)
        if isinstance(content, float):
            name = item.name.replace("_seconds", "_ms").replace("_minutes", "_ms")
            plain[name] = int(content * (60_000 if item.name.endswith("_minutes") else 1000))
        else:
            plain[item.name] = list(content) if isinstance(content, tuple) else content
    return plain


def _known(values: dict[str, Any], known: set[str], file: Path, table: str) -> None:
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(key, sorted(known), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" Known are: {', '.join(sorted(known))}."
            where = f"in [{table}]" if table else "at the top"
            raise CaseError(f"{file}: unknown key {key!r} {where}.{hint}")


_T = TypeVar("_T", CaseFacts, Policy, TimestampAuthority, SealSettings)


def _table(kind: type[_T], values: Any, file: Path, table: str) -> _T:
    if not isinstance(values, dict):
        raise CaseError(f"{file}: [{table}] must be a table of settings.")
    types = {item.name: str(item.type) for item in fields(kind)}
    _known(values, set(types), file, table)
    read = {key: _value(types[key], value, f"{file}: [{table}] {key}") for key, value in values.items()}
    return kind(**read)


def _value(kind: str, value: Any, where: str) -> Any:
    match kind:
        case "int" if isinstance(value, int) and not isinstance(value, bool):
            return value
        case "float" if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        case "bool" if isinstance(value, bool):
            return value
        case "str" if isinstance(value, str):
            return value
        case _ if kind.startswith("tuple") and isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
    wanted = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "text in quotes"}
    raise CaseError(f"{where} must be {wanted.get(kind, 'a list of texts in quotes')}, not {value!r}.")


def _seal_settings(values: Any, file: Path) -> SealSettings:
    """``[seal]`` and its list of authorities. Raises ``CaseError``."""
    if not isinstance(values, dict):
        raise CaseError(f"{file}: [seal] must be a table of settings.")
    listed = values.get("timestamp_authorities", [])
    if not isinstance(listed, list):
        raise CaseError(f"{file}: write each authority under a line [[seal.timestamp_authorities]].")
    authorities = tuple(_table(TimestampAuthority, item, file, "[seal.timestamp_authorities]") for item in listed)
    for item in authorities:
        if not re.fullmatch(r"https?://[^\s/@]+(/\S*)?", item.url):
            raise CaseError(f"{file}: a time-stamp authority's url must look like https://host/path, not {item.url!r}.")
        if not item.ca_file:
            raise CaseError(
                f"{file}: the authority {item.url} needs ca_file, its root certificate (PEM) as you obtained it: without "
                "it no stamp can be checked, and an unchecked stamp is never taken."
            )
    rest = {key: value for key, value in values.items() if key != "timestamp_authorities"}
    _known(values, {"key", "timestamp_authorities"}, file, "seal")
    settings = _table(SealSettings, rest, file, "seal")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", settings.key):
        raise CaseError(f"{file}: [seal] key must be a plain name, not {settings.key!r}.")
    return replace(settings, timestamp_authorities=authorities)


_RANGES: dict[str, tuple[float, float]] = {
    "page_budget": (0, 10_000_000),
    "delay_seconds": (0, 3600),
    "concurrency_per_host": (1, 64),
    "visits_at_once": (1, 256),
    "max_body_bytes": (1024, 1_000_000_000),
    "timeout_seconds": (0.1, 3600),
    "page_seconds": (0.1, 3600),
    "visit_minutes": (0.01, 10_080),
    "max_redirects": (0, 100),
    "render_pages": (0, 1_000_000),
}


def _check_policy(policy: Policy, file: Path) -> None:
    for name, (low, high) in _RANGES.items():
        if not low <= getattr(policy, name) <= high:
            raise CaseError(f"{file}: [policy] {name} must lie between {low:g} and {high:g}.")
    if policy.render not in ("auto", "never", "always"):
        raise CaseError(f'{file}: [policy] render must be "auto", "never" or "always", not {policy.render!r}.')
    for item in policy.allow_private:
        try:
            ipaddress.ip_network(item)
        except ValueError as error:
            raise CaseError(f'{file}: [policy] allow_private: {error}. Write ranges such as "127.0.0.0/8".') from None
    if not policy.obey_robots and not policy.robots_authority.strip():
        raise CaseError(
            f"{file}: [policy] obey_robots = false needs robots_authority: the authority under which robots.txt may be "
            "passed over. It goes on record with every visit."
        )
    if policy.proxy and not re.fullmatch(r"(https?|socks5h?)://[^\s/]+/?", policy.proxy):
        raise CaseError(f"{file}: [policy] proxy must look like http://host:port or socks5://host:port.")


def settings_meaning() -> dict[str, dict[str, str]]:
    """What every setting of ``case.toml`` means, one sentence each, by table."""
    text = resources.files("data").joinpath("settings.toml").read_text(encoding="utf-8")
    meaning: dict[str, dict[str, str]] = tomllib.loads(text)
    return meaning


def _case_toml(facts: CaseFacts, policy_lines: str) -> str:
    meaning = settings_meaning()
    lines = ["# A Plainview case. Unknown keys are errors. See docs/reference/case-file.md", "", "[case]"]
    lines += [f"{item.name} = {_toml(getattr(facts, item.name))}" for item in fields(facts)]
    lines += ["", "[policy]", *([policy_lines.strip()] if policy_lines.strip() else [])]
    lines.append("# How a visit behaves. What is commented out is the default.")
    given = set(re.findall(r"^(\w+)\s*=", policy_lines, re.MULTILINE))
    for item in fields(Policy):
        if item.name not in given:
            value = _toml(getattr(Policy(), item.name))
            lines.append(f"# {f'{item.name} = {value}':<40} # {meaning['policy'][item.name]}")
    return "\n".join([*lines, ""])


def _toml(value: str | bool | float | tuple[str, ...]) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if not isinstance(value, str):
        return str(value).lower()
    # A JSON string is a valid TOML basic string.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
