"""Text of strangers, made fit to be shown: controls and direction marks become visible, addresses cannot be clicked."""

from __future__ import annotations

import re
from typing import Final

from data import address

# Longest stretch of a quote, and of the words on either side of it, that a report prints.
QUOTE_CHARACTERS: Final = 1500
CONTEXT_CHARACTERS: Final = 400

# Unicode TR 36 and TR 55: what can move a cursor, hide words or turn their order. Joiners stay: whole scripts need them.
_CONTROL: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufff9-\ufffb\ufeff\ufffe\uffff\U000e0000-\U000e007f]"
)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_SCHEME: Final = re.compile(r"\b(?:https?|ftp)://[^\s<>\"'”’»)\]]+", re.IGNORECASE)
_MAIL: Final = re.compile(r"(?<![\w.+-])([\w.+-]{1,64})@((?:[\w-]{1,63}\.){1,5}[A-Za-z]{2,24})\b")
_BARE: Final = re.compile(r"(?<![\w.@/-])(?:[a-z0-9][a-z0-9-]{1,62}\.){1,5}[a-z]{2,24}(?![\w.@-])")
_FILES: Final = frozenset(
    {"html", "htm", "php", "asp", "aspx", "js", "css", "json", "xml", "txt", "md", "pdf", "png", "jpg", "jpeg", "gif", "webp",
     "svg", "zip", "exe", "apk", "dmg", "csv", "doc", "docx", "py"}
)  # fmt: skip


def harmless(text: str) -> str:
    """*text* with each control, direction mark and lone surrogate written out as ``⟦U+202E⟧``; line ends become spaces."""
    text = text.replace("\r\n", "\n").replace("\t", " ").replace("\n", " ")
    return _SURROGATE.sub("\ufffd", _CONTROL.sub(_name, text))


def _name(match: re.Match[str]) -> str:
    return f"⟦U+{ord(match[0]):04X}⟧"


def defanged(text: str) -> str:
    """*text* with every address in it written so that no reader or program takes it for a link (``hxxps://a[.]example``)."""
    if "." not in text:
        return text
    text = _SCHEME.sub(lambda match: address.defang(match[0]), text)
    if "@" in text:
        text = _MAIL.sub(lambda match: f"{match[1]}[at]{match[2].replace('.', '[.]')}", text)
    return _BARE.sub(_bare, text)


def _bare(match: re.Match[str]) -> str:
    name = match[0]
    return name if name.rpartition(".")[2] in _FILES else name.replace(".", "[.]")


def clipped(text: str, limit: int) -> str:
    """At most *limit* characters of *text*; what is left out is counted."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]} […{len(text) - limit:,} more characters]"
