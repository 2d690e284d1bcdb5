"""Text for programs that compute tables, of which a cell may have come from anybody."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterable, Sequence
from io import StringIO

#: A cell that begins with one of these, in whatever width, may be read as a formula
#: (https://owasp.org/www-community/attacks/CSV_Injection).
FORMULAS = ("=", "+", "-", "@")
BREAKS = ("\t", "\r", "\n")


def neutralize(value: object) -> object:
    """Return the value of a cell of a spreadsheet so that no program computes it."""
    if not isinstance(value, str):
        return value
    begins = unicodedata.normalize("NFKC", value.lstrip()[:1])
    return f"'{value}" if value.startswith(BREAKS) or begins in FORMULAS else value


def csv_text(heading: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(heading)
    writer.writerows([neutralize(cell) for cell in row] for row in rows)
    return out.getvalue()
