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


def below(path: str, element: LexborNode, number: int) -> str:
    """The path of an element from its parent's *path* and its *number* among siblings of its type (from 1)."""
    own = KNOWN.get(element.tag_id) or f"{_escaped(element.tag or '*')}>"
    if len(path) > LONG:  # a path is for people; of one this long they need the ends
        path = f"{path[:200]}…{path[-200:]}"
    return path + own if number == 1 else f"{path}{own[:-1]}:nth-of-type({number})>"


def _escaped(tag: str) -> str:
    return tag if tag.replace("-", "").isalnum() else re.sub(r"([^\w-])", r"\\\1", tag)
