"""Numbers in the form that people read."""

from __future__ import annotations

BYTES = ("B", "KiB", "MiB", "GiB", "TiB")
ROUND = 100


def format_quantity(value: float | None, unit: str) -> str:
    """Return an observed value with its unit; blank if there is none."""
    if value is None:
        return ""
    if unit == "bytes":
        return format_bytes(value)
    if unit == "seconds":
        return format_duration(value)
    if unit == "percent":
        return f"{format_number(value)} %"
    return f"{format_number(value)} {unit}".strip()


def format_bytes(value: float) -> str:
    step = 0
    while abs(value) >= 1024 and step < len(BYTES) - 1:
        value, step = value / 1024, step + 1
    return f"{format_number(value)} {BYTES[step]}"


def format_duration(value: float) -> str:
    """Return a duration of ``value`` seconds in a suitable unit."""
    if abs(value) < 1:
        return f"{format_number(value * 1000)} ms"
    if abs(value) < 120:
        return f"{format_number(value)} s"
    if abs(value) < 7200:
        return f"{round(value / 60)} min"
    return f"{round(value / 3600)} h" if abs(value) < 172_800 else f"{round(value / 86_400)} days"


def format_number(value: float) -> str:
    """Return ``value`` with the digits that matter."""
    if abs(value) >= ROUND or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2g}"
