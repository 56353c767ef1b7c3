"""What can come of an attempt: one value each, with the sentence that explains it (design section 6)."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """How one attempt at one address ended."""

    OK = "ok"
    UNCHANGED = "unchanged"
    REDIRECT = "redirect"
    NO_CONTENT = "no_content"
    NOT_TEXT = "not_text"
    TOO_LARGE = "too_large"
    TRUNCATED = "truncated"
    ROBOTS = "robots"
    SCOPE = "scope"
    METHOD = "method"
    SCHEME = "scheme"
    HTTP_ERROR = "http_error"
    NOT_FOUND = "not_found"
    BLOCKED = "blocked"
    CHALLENGE = "challenge"
    LOGIN_WALL = "login_wall"
    AGE_GATE = "age_gate"
    GEO_BLOCK = "geo_block"
    TLS_ERROR = "tls_error"
    DNS_ERROR = "dns_error"
    REFUSED = "refused"
    RESET = "reset"
    TIMEOUT = "timeout"
    PROTOCOL_ERROR = "protocol_error"
    DECODE_ERROR = "decode_error"
    PRIVATE_ADDRESS = "private_address"
    REDIRECT_LOOP = "redirect_loop"
    RENDER_FAILED = "render_failed"
    HALTED = "halted"
    INTERRUPTED = "interrupted"
    GUARD_ERROR = "guard_error"

    @property
    def meaning(self) -> str:
        """The sentence that lists, reports and the manual print for it."""
        return _MEANING[self]

    @property
    def has_text(self) -> bool:
        """Whether an attempt that ended so may have text that is kept and read."""
        return self in _WITH_TEXT


_MEANING = {
    Outcome.OK: "The server answered with text, and the text is kept.",
    Outcome.UNCHANGED: "The archive says that the page was the same as in an earlier capture (a WARC revisit record).",
    Outcome.REDIRECT: "The server sent the visitor to another address; the hop is on record.",
    Outcome.NO_CONTENT: "The server answered without a body (204, 205 or 304).",
    Outcome.NOT_TEXT: "The answer was, or looked like, something other than text; only its headers are kept.",
    Outcome.TOO_LARGE: "The answer was larger than the case allows; the connection was cut.",
    Outcome.TRUNCATED: "The connection ended before the announced end; what came is kept and marked.",
    Outcome.ROBOTS: "robots.txt asks crawlers not to fetch this address, or could not be read (RFC 9309).",
    Outcome.SCOPE: "The address lies outside the service under review.",
    Outcome.METHOD: "Only GET and HEAD are ever sent.",
    Outcome.SCHEME: "The address is not http or https.",
    Outcome.HTTP_ERROR: "The server answered with an error status.",
    Outcome.NOT_FOUND: "The server answered that there is no such page (404 or 410).",
    Outcome.BLOCKED: "The server refused the visit (401, 403, 429, 451 or 503).",
    Outcome.CHALLENGE: "The server asked for proof of being human; it was left alone.",
    Outcome.LOGIN_WALL: "The page asks for an account before it shows anything; it was left alone.",
    Outcome.AGE_GATE: "The page asks for the visitor's age first; it was left alone.",
    Outcome.GEO_BLOCK: "The page says that it is not available from this region.",
    Outcome.TLS_ERROR: "The certificate could not be verified; no body was accepted.",
    Outcome.DNS_ERROR: "The name could not be resolved.",
    Outcome.REFUSED: "Nothing listens at that address: the connection was refused.",
    Outcome.RESET: "The server cut the connection.",
    Outcome.TIMEOUT: "The server did not answer in time.",
    Outcome.PROTOCOL_ERROR: "The answer was not valid HTTP.",
    Outcome.DECODE_ERROR: "The body's compression could not be undone.",
    Outcome.PRIVATE_ADDRESS: "The name led to a private or special network address, which is never contacted.",
    Outcome.REDIRECT_LOOP: "The address redirects to itself or too many times.",
    Outcome.RENDER_FAILED: "The browser could not finish the page.",
    Outcome.HALTED: "Visits to this service were halted; see the referral queue.",
    Outcome.INTERRUPTED: "The visit was cut off while this address was being fetched; it is fetched again.",
    Outcome.GUARD_ERROR: "The guard failed while judging this answer, so nothing of it was kept.",
}

_WITH_TEXT = frozenset(
    {
        Outcome.OK,
        Outcome.TRUNCATED,
        Outcome.HTTP_ERROR,
        Outcome.NOT_FOUND,
        Outcome.BLOCKED,
        Outcome.CHALLENGE,
        Outcome.LOGIN_WALL,
        Outcome.AGE_GATE,
        Outcome.GEO_BLOCK,
    }
)
