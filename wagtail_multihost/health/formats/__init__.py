"""The formats of a report, each in a module that is loaded when it is first needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from wagtail_multihost.health.endpoint import Writer
from wagtail_multihost.health.formats import no_metrics

if TYPE_CHECKING:
    from django.http.request import MediaType

BY_NAME = {
    "health.json": "json",
    "health.txt": "text",
    "health.html": "html",
    "health.rss": "rss",
}
#: The media types of ``health``, by preference; probes that accept anything get the first.
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
#: Collectors of these take any other status for a failed connection, and drop the body.
ALWAYS_OK = frozenset({"rss", "openmetrics", "prometheus"})
ACCEPT_LENGTH = 2000
#: Collectors take it for a failure, as they should: without the package there are no metrics.
NOT_IMPLEMENTED = 501
#: The specificity of a media type in full; parameters, which no offer has, do not count.
EXACT = 2


class Form(NamedTuple):
    """
    A format: its writer, its own ``headers``, whether browsers load it again by themselves, whether the status code
    shows the health too, and the code if it is always the same.
    """

    write: Writer
    headers: tuple[tuple[str, str], ...] = ()
    refreshes: bool = False
    tells_by_code: bool = True
    status: int | None = None


def find_form(name: str, accept: str) -> Form:
    """
    Return the format of the path ``name``; for ``health``, ``metrics`` and ``site`` the header ``Accept`` decides. Only
    the whole process has metrics.
    """
    offers = {"metrics": METRICS, "site": SITE_MEDIA_TYPES}.get(name, MEDIA_TYPES)
    form = BY_NAME.get(name) or negotiate_form(accept, offers)
    module_name, function = WRITERS[form]
    try:
        module = import_module(f"{__name__}.{module_name}")
    except ModuleNotFoundError as error:
        if error.name != no_metrics.PACKAGE:
            raise
        return Form(no_metrics.write, status=NOT_IMPLEMENTED)
    return Form(getattr(module, function), getattr(module, "HEADERS", ()), form == "html", form not in ALWAYS_OK)


def negotiate_form(accept: str, offers: dict[str, str]) -> str:
    """Return which of ``offers`` the header wants most; the first if it accepts none of them."""
    accepted = list(read_accept(accept))
    best, chosen = (0.0, 0), next(iter(offers.values()))
    for media_type, form in offers.items():
        preference = rate_media_type(media_type, accepted)
        if preference[0] > 0 and preference > best:
            best, chosen = preference, form
    return chosen


def rate_media_type(media_type: str, accepted: Iterable[MediaType]) -> tuple[float, int]:
    """
    Return the quality that the closest range of ``accepted`` gives to ``media_type``, and how close that range is
    (https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1).
    """
    # Not HttpRequest.get_preferred_type(): it drops what has the quality 0 before it looks for the closest range, and
    # ranges with parameters, such as the versions that Prometheus states, do not match an offer without.
    matching = [(min(known.specificity, EXACT), known.quality) for known in accepted if known.match(media_type)]
    specificity, quality = max(matching, default=(0, 0.0))
    return quality, specificity


def read_accept(accept: str) -> Iterator[MediaType]:
    """Yield each different media range of the header once."""
    if not accept:
        return
    from django.http.request import MediaType  # not at the top: the default, JSON, needs no Django

    for part in dict.fromkeys(accept[:ACCEPT_LENGTH].split(",")):
        with suppress(ValueError):  # a parameter in an encoding that Python does not know
            yield MediaType(part)
