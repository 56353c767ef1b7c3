"""Cells of a spreadsheet that no program takes for a formula (OWASP, "CSV injection")."""

from __future__ import annotations

import json
import re
from typing import Any, Final

# The full-width signs are formulas as well where the program's language is Japanese or Chinese.
FORMULA: Final = r"^\s*[=+\-@＝＋－＠]|^[\t\r]"
_FORMULA = re.compile(FORMULA)


def cell(value: Any) -> Any:
    """*value* for a CSV file: lists and objects as JSON, nothing for None, an apostrophe before what begins like a formula."""
    if isinstance(value, list | tuple | dict):
        value = json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, str) and value.strip() and _FORMULA.match(value):
        return "'" + value
    return "" if value is None else value
