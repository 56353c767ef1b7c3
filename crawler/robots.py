"""robots.txt: read first, kept as evidence, decided by RFC 9309."""

from __future__ import annotations

from dataclasses import dataclass

from protego import Protego

from crawler import guard
from crawler.fetch import Fetched
from data.outcomes import Outcome
from data.stored import decode_text

PRODUCT = "Plainview"
# RFC 9309 2.5: parse at least 500 kibibytes; what stands beyond is not read.
PARSE_LIMIT = 500 * 1024
# RFC 9309 2.3.1.2: follow at least five redirects.
MAX_REDIRECTS = 5


@dataclass(frozen=True, slots=True)
class RobotsRules:
    """What one origin's robots.txt means for us. ``state``: ``rules | none | unavailable | unreachable | not_robots``."""

    state: str
    reason: str
    rules: Protego | None = None
    # What kept the file from being read where no server answered: then that, and not robots.txt, is what the visit met.
    met: Outcome | None = None

    def allows(self, url: str) -> bool:
        """Whether *url* may be fetched."""
        if self.state == "unreachable":
            return False
        return self.rules is None or bool(self.rules.can_fetch(url, PRODUCT))

    def delay(self) -> float:
        """Seconds between requests that the file asks for, at most a minute; 0 where it asks for none."""
        asked = self.rules.crawl_delay(PRODUCT) if self.rules is not None else None
        return min(float(asked or 0), 60.0)


def read_robots(fetched: Fetched) -> RobotsRules:
    """Decide from the last answer of the redirect chain (RFC 9309 2.3.1)."""
    status = fetched.status
    if status is None:
        if fetched.rule.startswith("response.") or fetched.rule.startswith("guard."):
            return RobotsRules("unreachable", f"the answer was refused: {fetched.reason}")
        return RobotsRules("unreachable", f"{fetched.outcome.value}: {fetched.reason}", met=fetched.outcome)
    if status >= 500:
        return RobotsRules("unreachable", f"status {status} (RFC 9309 2.3.1.4)")
    if fetched.outcome in (Outcome.TIMEOUT, Outcome.RESET, Outcome.PROTOCOL_ERROR, Outcome.GUARD_ERROR):
        return RobotsRules("unreachable", f"{fetched.outcome.value}: {fetched.reason}")
    if 300 <= status < 400:
        return RobotsRules("unavailable", "more redirects than are followed (RFC 9309 2.3.1.2)")
    if status >= 400:
        return RobotsRules("unavailable", f"status {status} (RFC 9309 2.3.1.3)")
    if fetched.outcome in (Outcome.NOT_TEXT, Outcome.TOO_LARGE, Outcome.DECODE_ERROR):
        return RobotsRules("not_robots", f"not a robots file: {fetched.reason}")
    text, _ = decode_text(fetched.body[:PARSE_LIMIT], "text/plain; charset=utf-8")
    if guard.media_type(fetched.type_declared) in ("text/html", "application/xhtml+xml") or _is_html(text):
        return RobotsRules("not_robots", "the answer is an HTML page, which is not a robots file")
    if not text.strip():
        return RobotsRules("none", "the file is empty")
    return RobotsRules("rules", "read", Protego.parse(text))


def _is_html(text: str) -> bool:
    start = text.lstrip("\ufeff \t\r\n")[:200].lower()
    return start.startswith(("<!doctype", "<html", "<head", "<body", "<?xml", "<script", "<meta"))
