"""CSS paths of elements. A step without `:nth-of-type` means the first of its type, so the first match is the element.

While a path is being made it ends with ">", so that a step is one concatenation.
"""

from __future__ import annotations

import re
from typing import Final

from selectolax.lexbor import LexborNode

from analysis.text.tags import ID

LONG: Final = 2_000
KNOWN: Final = {number: f"{tag}>" for tag, number in ID.items() if tag[0] != "-"}


def below(path: str, element: LexborNode) -> str:
    """The path of an element that is the first of its type, from its parent's *path*."""
    if len(path) > LONG:  # a path is for people; of one this long they need the ends
        path = f"{path[:200]}…{path[-200:]}"
    return path + (KNOWN.get(element.tag_id) or f"{_escaped(element.tag or '*')}>")


def _escaped(tag: str) -> str:
    return tag if tag.replace("-", "").isalnum() else re.sub(r"([^\w-])", r"\\\1", tag)
