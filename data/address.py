"""Addresses: one spelling (WHATWG URL), the registrable domain, and the harmless spelling for reports."""

from __future__ import annotations

import functools
import re

import ada_url

_SESSION_PARAMS = frozenset(
    {"phpsessid", "jsessionid", "sid", "sessionid", "session_id", "aspsessionid", "cfid", "cftoken"}
)
_TRACKING_PARAMS = frozenset({"fbclid", "gclid", "dclid", "msclkid", "yclid", "_ga", "_gl", "mc_eid", "igshid"})
_JSESSION = re.compile(r";jsessionid=[^/?#]*", re.IGNORECASE)


class BadAddress(ValueError):
    """The text is not an address that can be visited; the message says why."""


def canonical(address: str, base: str = "") -> str:
    """*address* (resolved against *base*) in the WHATWG URL Standard's spelling, without fragment.

    Raises ``BadAddress`` where the standard's parser fails.
    """
    try:
        # The fragment is cut off afterwards: white space before it is part of the address, at the end it would be none.
        return str(ada_url.URL(address, base=base or None).href).partition("#")[0]
    except ValueError as error:
        raise BadAddress(f"not an address: {address[:200]!r}") from error


def identity(url: str) -> str:
    """The key by which a visit knows two addresses as one page: session and click ids and ``index.html`` are dropped.

    *url* is canonical. The address fetched keeps them; only the comparison does not.
    """
    if ";" in url:
        url = _JSESSION.sub("", url)
    head, mark, query = url.partition("?")
    if head.endswith(("/index.html", "/index.htm")):
        head = head[: head.rindex("/") + 1]
    if not mark:
        return head
    kept = [
        part
        for part in query.split("&")
        if part and (name := part.partition("=")[0].lower()) not in _SESSION_PARAMS and name not in _TRACKING_PARAMS
    ]
    return f"{head}?{'&'.join(kept)}" if kept else head


def host(url: str) -> str:
    """The host of a canonical address, lower case, without port; brackets kept for IPv6; empty where there is none."""
    return _parts(url)[1]


def origin(url: str) -> str:
    """Scheme, host and port: ``https://shop.example:8443``."""
    scheme, name, port = _parts(url)
    return f"{scheme}://{name}:{port}" if port else f"{scheme}://{name}"


def scheme(url: str) -> str:
    """The scheme of a canonical address, without colon."""
    return url.partition(":")[0]


@functools.lru_cache(maxsize=20_000)
def _parts(url: str) -> tuple[str, str, str]:
    parsed = ada_url.URL(url)
    return str(parsed.protocol)[:-1], str(parsed.hostname), str(parsed.port)


@functools.lru_cache(maxsize=20_000)
def registrable(name: str) -> str:
    """The registrable domain of a host by the bundled Public Suffix List; the host itself for an IP or a suffix."""
    found = _extract()(name)
    if found.suffix or name[:1] == "[" or "." not in name or name.replace(".", "").isdigit():
        return found.top_domain_under_public_suffix or name
    # A top-level domain that the list does not know is one label (its default rule, "*").
    return ".".join(name.rsplit(".", 2)[-2:])


@functools.lru_cache(maxsize=20_000)
def is_suffix(name: str) -> bool:
    """Whether a host is itself a public suffix, below which anybody may register: nobody's own domain."""
    found = _extract()(name)
    return not found.domain if found.suffix else "." not in name


@functools.cache
def _extract():  # type: ignore[no-untyped-def]
    # Imported late: the list costs a tenth of a second, which a command line that only prints help should not pay.
    import tldextract

    # suffix_list_urls=() and no cache folder: only the list inside the package is read, so nothing is ever fetched
    # and two runs on two machines agree.
    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True)


def defang(url: str) -> str:
    """An address that cannot be clicked by accident: ``hxxps://shop[.]example/pricing``."""
    head, mark, rest = url.partition("://")
    if not mark:
        return url.replace(".", "[.]", 1) if "." in url else url
    authority, slash, path = rest.partition("/")
    return f"{head.replace('http', 'hxxp', 1)}://{authority.replace('.', '[.]')}{slash}{path}"
