"""What changed of a record, as people are shown it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from wagtail_multihost.control.changes import Outcome
from wagtail_multihost.control.differences import rows_of

NOT_STATED = "not stated"
#: Longer values are cut off, with their length.
SHOWN = 2000


class ChangeRow(NamedTuple):
    """A key with its value before and after, as text."""

    key: str
    before: str
    after: str


def change_rows(rows: Iterable[Mapping[str, Any]]) -> list[ChangeRow]:
    """Return the rows that :func:`~wagtail_multihost.control.differences.rows_of` made of differences."""
    return [ChangeRow(str(row.get("key", "")), shown(row.get("before")), shown(row.get("after"))) for row in rows]


def rows_of_outcome(outcome: Outcome) -> list[ChangeRow]:
    """Return what a change of one record makes of it."""
    return [
        row
        for changed in outcome.changed
        for row in change_rows(rows_of(changed.differences, of_platform=changed.uid is None))
    ]


def shown(value: object) -> str:
    """Return a value as text: a list one item on each line, and what is not text as a registry file has it."""
    if value is None:
        return NOT_STATED
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        text = "\n".join(value)
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text):,} characters)"
