"""Plain text: the status word in the first line, then a line for each site and each outcome of a probe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from wagtail_multihost.health.formats.quantities import format_duration, format_quantity
from wagtail_multihost.health.seen import TEXT, Health

COLUMNS = ("STATUS", "SITE", "PROBE", "CODE", "OBSERVED", "AGE", "TOOK", "SUBJECT")


def write(health: Health) -> tuple[bytes, str]:
    """Return the body and its content type."""
    lines = [health.word]
    if health.details:
        lines += align_columns([COLUMNS, *table_rows(health)])
    if health.age is not None:
        lines.append(f"The report is {format_duration(health.age)} old.")
    return "".join(f"{line}\n" for line in lines).encode(), TEXT


def table_rows(health: Health) -> Iterator[tuple[str, ...]]:
    for site, status in health.sites.items():
        yield str(status), site, "", "", "", "", "", ""
    for result in health.results:
        age, took = format_duration(health.age_of(result)), format_duration(result.duration)
        for status, code, value, unit, subject in result.outcomes:
            observed = format_quantity(value, unit)
            yield str(status), result.entry.site, result.entry.name, code, observed, age, took, subject


def align_columns(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Return a line for each row, with ``-`` for blank cells and without columns that are empty."""
    head, *rest = rows
    shown = [column for column in range(len(head)) if any(row[column] for row in rest)]
    table = [[row[column] or "-" for column in shown] for row in (head, *rest)] if rest else []
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
