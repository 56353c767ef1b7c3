"""Cookie jars: one a visit and profile, in memory, gone with the visit; values are never written down."""

from __future__ import annotations

from http.cookiejar import Cookie, DefaultCookiePolicy
from typing import Any

from scrapy.http.cookies import CookieJar

from data import address


class _Policy(DefaultCookiePolicy):
    """The standard library's rules, and no cookie for a whole public suffix (RFC 6265, 5.3 step 5)."""

    def set_ok_domain(self, cookie: Cookie, request: Any) -> bool:
        """Whether *cookie* may be set for its domain."""
        if cookie.domain_specified and address.is_suffix(cookie.domain.lstrip(".").lower()):
            return False
        return super().set_ok_domain(cookie, request)


class Jars(dict[str, CookieJar]):
    """Jars by name, made when first asked for."""

    def __missing__(self, name: str) -> CookieJar:
        self[name] = CookieJar(_Policy())
        return self[name]
