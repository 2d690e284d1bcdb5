"""Numbers as people read them."""

from __future__ import annotations

BYTES = ("B", "KiB", "MiB", "GiB", "TiB")
ROUND = 100


def quantity(value: float | None, unit: str) -> str:
    """Return what was observed, with its unit; blank where there is nothing."""
    if value is None:
        return ""
    if unit == "bytes":
        return size(value)
    if unit == "seconds":
        return span(value)
    if unit == "percent":
        return f"{number(value)} %"
    return f"{number(value)} {unit}".strip()


def size(value: float) -> str:
    step = 0
    while abs(value) >= 1024 and step < len(BYTES) - 1:
        value, step = value / 1024, step + 1
    return f"{number(value)} {BYTES[step]}"


def span(value: float) -> str:
    """Return a time of ``value`` seconds in the unit that suits it."""
    if abs(value) < 1:
        return f"{number(value * 1000)} ms"
    if abs(value) < 120:
        return f"{number(value)} s"
    if abs(value) < 7200:
        return f"{round(value / 60)} min"
    return f"{round(value / 3600)} h" if abs(value) < 172_800 else f"{round(value / 86_400)} days"


def number(value: float) -> str:
    """Return ``value`` with as many digits as matter."""
    if abs(value) >= ROUND or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2g}"
