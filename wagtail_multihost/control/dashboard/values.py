"""Values of records as people read them."""

from __future__ import annotations

import json

NOT_STATED = "not stated"


def value_in_words(value: object) -> str:
    """Return a value in words: lists with commas, tables as they would be written."""
    if value is None:
        return NOT_STATED
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(one, str | int) for one in value):
        return ", ".join(map(str, value)) or "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
