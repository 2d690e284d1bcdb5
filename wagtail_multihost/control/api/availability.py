"""How long sites were up, and what they were otherwise."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

from django.http import HttpRequest
from ninja import Query, Router

from wagtail_multihost.control.api.answers import answers
from wagtail_multihost.control.api.authentication import authority_in
from wagtail_multihost.control.api.availability_schemas import AvailabilityOut, PeriodList, PeriodOut, WindowOut
from wagtail_multihost.control.api.maintenance import maintenance_out
from wagtail_multihost.control.api.sites import get_site
from wagtail_multihost.control.api.texts import SiteId
from wagtail_multihost.control.availability import (
    MOST_PERIODS,
    describe_share,
    list_periods,
    measure_availability,
)
from wagtail_multihost.control.database_time import database_time
from wagtail_multihost.control.maintenance import Times, windows_within
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.nodeapi.history_v1 import PERIOD_DAYS
from wagtail_multihost.spec.time_lengths import DAY, parse_length

router = Router(tags=["Availability"])
USUAL = ["24h", "7d", "30d"]
MOST_WINDOWS = 10
TOO_LONG = f"It must be at most {PERIOD_DAYS}d: nothing is kept for longer."
WindowText = Annotated[
    str, Query(max_length=7, description=f"A length up to now, such as 30d; at most {PERIOD_DAYS}d.")
]
WindowTexts = Annotated[
    list[Annotated[str, Query(max_length=7)]],
    Query(
        max_length=MOST_WINDOWS,
        description=f"Lengths up to now, such as 24h or 30d; at most {PERIOD_DAYS}d. Each is a parameter of its own.",
        examples=[USUAL],
    ),
]


@router.get(
    "/sites/{identifier}/availability",
    operation_id="get_availability",
    summary="Read how long a site was up",
    response=answers(AvailabilityOut, 404),
)
def read_availability(request: HttpRequest, identifier: SiteId, window: WindowTexts = USUAL) -> AvailabilityOut:
    """Exact, weighted by time, with what nobody observed, and without maintenance."""
    site = get_site(authority_in(request), identifier)
    lengths = {text: parse_window(text) for text in window}
    now = database_time()
    measured = measure_availability([site.uid], list(lengths.values()), now)[site.uid]
    return AvailabilityOut(
        at=now,
        windows=[
            WindowOut(
                window=text,
                since=now - length,
                share=measured[length].share,
                text=describe_share(measured[length]),
                **asdict(measured[length]),
            )
            for text, length in lengths.items()
        ],
    )


@router.get(
    "/sites/{identifier}/periods",
    operation_id="list_periods",
    summary="List when a site was not up",
    response=answers(PeriodList, 404),
)
def read_periods(request: HttpRequest, identifier: SiteId, window: WindowText = "30d") -> PeriodList:
    """All of its hostnames, as seen from each place, and its maintenance; the latest 1,000 of each."""
    authority = authority_in(request)
    site = get_site(authority, identifier)
    now = database_time()
    length = parse_window(window)
    planned = windows_within(site.uid, Times(now - length, now))
    return PeriodList(
        at=now,
        periods=[PeriodOut(**asdict(one)) for one in list_periods(site.uid, length, now)],
        maintenance=maintenance_out(authority, planned.select_related("site")[:MOST_PERIODS]),
    )


def parse_window(text: str) -> timedelta:
    """Return the length of a window; raises ConfigurationError."""
    try:
        seconds = parse_length(text)
    except ValueError as error:
        raise ConfigurationError.because(str(error), where="window") from None
    if seconds > PERIOD_DAYS * DAY:
        raise ConfigurationError.because(TOO_LONG, where="window")
    return timedelta(seconds=seconds)
