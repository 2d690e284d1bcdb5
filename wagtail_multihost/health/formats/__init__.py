"""How a report is written: each module has one form, loaded only when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

from wagtail_multihost.health.endpoint import Writer

BY_NAME = {
    "health.json": "json",
    "health.txt": "text",
    "health.html": "html",
    "health.rss": "rss",
}
#: The media types that ``health`` is written in, by preference; probes that accept anything get the first.
MEDIA_TYPES = {
    "application/health+json": "json",
    "application/json": "json",
    "text/plain": "text",
    "text/html": "html",
    "application/rss+xml": "rss",
    "application/openmetrics-text": "openmetrics",
}
SITE_MEDIA_TYPES = {name: form for name, form in MEDIA_TYPES.items() if form != "openmetrics"}
METRICS = {"application/openmetrics-text": "openmetrics", "text/plain": "prometheus"}
WRITERS = {
    "json": ("health_json", "write"),
    "text": ("text", "write"),
    "html": ("page", "write"),
    "rss": ("rss", "write"),
    "openmetrics": ("openmetrics", "write"),
    "prometheus": ("openmetrics", "write_text"),
}
#: What collects these takes any other status for a failure of the connection, and drops what it was told.
ALWAYS_OK = frozenset({"rss", "openmetrics", "prometheus"})
ACCEPT_LENGTH = 2000


class Form(NamedTuple):
    """A form: what writes it, ``headers`` of its own, and whether the status code tells the health as well."""

    write: Writer
    headers: tuple[tuple[str, str], ...] = ()
    tells_by_code: bool = True


def find_form(name: str, accept: str) -> Form:
    """
    Return the form of the path ``name``: ``health``, ``metrics`` and ``site`` are written as the header ``Accept``
    wants. Metrics are the whole process's.
    """
    offers = {"metrics": METRICS, "site": SITE_MEDIA_TYPES}.get(name, MEDIA_TYPES)
    form = BY_NAME.get(name) or negotiate_form(accept, offers)
    module_name, function = WRITERS[form]
    module = import_module(f"{__name__}.{module_name}")
    return Form(getattr(module, function), getattr(module, "HEADERS", ()), form not in ALWAYS_OK)


def negotiate_form(accept: str, offers: dict[str, str]) -> str:
    """Return which of ``offers`` the header wants most; the first where it has no wish that can be met."""
    wishes = read_accept(accept)
    best, chosen = (0.0, 0), next(iter(offers.values()))
    for media_type, form in offers.items():
        wish = wish_for(media_type, wishes)
        if wish[0] > 0 and wish > best:
            best, chosen = wish, form
    return chosen


def wish_for(media_type: str, wishes: dict[str, float]) -> tuple[float, int]:
    """Return the quality of ``media_type`` by the range that fits best, and how well that one fits."""
    for specificity, name in ((3, media_type), (2, f"{media_type.partition('/')[0]}/*"), (1, "*/*")):
        if name in wishes:
            return wishes[name], specificity
    return 0.0, 0


def read_accept(accept: str) -> dict[str, float]:
    """Return the quality of each media range (https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1)."""
    wishes: dict[str, float] = {}
    for part in accept[:ACCEPT_LENGTH].split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = min((quality_of(text) for text in parameters if text.startswith("q=")), default=1.0)
        wishes[name] = max(quality, wishes.get(name, 0.0))
    return wishes


def quality_of(text: str) -> float:
    try:
        quality = float(text.removeprefix("q="))
    except ValueError:
        return 0.0
    return quality if 0 <= quality <= 1 else 0.0
