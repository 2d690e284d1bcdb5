"""A site's tab Availability: whether it is up, since when, how much of the last days it was, and what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from wagtail.admin import messages

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.availability import Period, list_days, list_latencies, list_periods, share_in_words
from wagtail_multihost.control.changes import NotAllowedError, UnknownSiteError
from wagtail_multihost.control.dashboard.addresses import page_address, site_address
from wagtail_multihost.control.dashboard.availability_data import (
    WINDOWS,
    last_seen,
    looks_at,
    measure_sites,
    watch_now,
    with_state,
)
from wagtail_multihost.control.dashboard.availability_words import (
    length_in_words,
    places_in_words,
    reason_in_words,
    state_in_words,
)
from wagtail_multihost.control.dashboard.day_bar import DAYS, DayBar
from wagtail_multihost.control.dashboard.latency_chart import LatencyChart
from wagtail_multihost.control.dashboard.refreshing import refreshing_of
from wagtail_multihost.control.dashboard.shown_incidents import incidents_of_site
from wagtail_multihost.control.dashboard.site_maintenance import MaintenanceForm, maintenance_form, show_windows
from wagtail_multihost.control.dashboard.tabs import AVAILABILITY, SiteTabView
from wagtail_multihost.control.database_time import database_time
from wagtail_multihost.control.guard import SiteView
from wagtail_multihost.control.maintenance import end_maintenance, plan_maintenance
from wagtail_multihost.control.models import ManagedSite
from wagtail_multihost.exceptions import MultihostError

DAY = timedelta(days=1)
#: What each of the windows is called.
WINDOW_LABELS = dict(zip(WINDOWS, ("Last 24 hours", "Last 7 days", "Last 30 days"), strict=True))
PERIODS_SHOWN = 50
TARGET = "availability"
#: Whether the tables of the charts are shown to everybody.
TABLES, SHOWN = "tables", "shown"


class ShownPeriod(NamedTuple):
    """A time in which a hostname was not up, as it is shown; ``lasted`` until now where it has not ended."""

    period: Period
    state: str
    reason: str
    place: str
    lasted: str


class SiteAvailabilityView(SiteTabView):
    """The whole page. What is sent names its ``action``."""

    tab = AVAILABILITY
    template_name = "multihost_control/site_availability.html"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        return self.show(maintenance_form(self.authority, self.site))

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        form = maintenance_form(self.authority, self.site, request.POST)
        actions = {"plan": self.plan, "end": self.end}
        action = actions.get(request.POST.get("action", ""))
        if form is None or action is None:
            raise Http404
        return action(form)

    def plan(self, form: MaintenanceForm) -> HttpResponseBase:
        if form.is_valid():
            try:
                plan_maintenance(self.authority, self.site, form.times, reason=form.cleaned_data["reason"])
            except UnknownSiteError:
                raise
            except MultihostError as error:
                form.add_problems(error)
            else:
                messages.success(self.request, "The maintenance is planned.")
                return redirect(self.address)
        return self.show(form)

    def end(self, form: MaintenanceForm) -> HttpResponseBase:
        try:
            window = UUID(self.request.POST.get("window", ""))
            end_maintenance(self.authority, window)
        except (ValueError, NotAllowedError, UnknownSiteError) as error:
            raise Http404 from error
        messages.success(self.request, "The maintenance has ended, or is taken back.")
        return redirect(self.address)

    @property
    def address(self) -> str:
        return site_address(self.site.uid, AVAILABILITY)

    def show(self, form: MaintenanceForm | None) -> HttpResponseBase:
        uid, shows = self.site.uid, shows_tables(self.request)
        source = page_address("site_availability_now", uid=uid)
        found = found_of(self.authority, self.site, shows_tables=shows)
        context = self.get_context_data(
            refreshing=refreshing_of(self.request, TARGET, self.address, source, **({TABLES: SHOWN} if shows else {})),
            address=self.address,
            windows=show_windows(self.authority, self.site, found["at"]),
            maintenance_form=form,
            **found,
        )
        page: HttpResponseBase = self.render_to_response(context)
        return page


class SiteAvailabilityNowView(SiteView):
    """The part of the page that is brought up to date by itself."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        found = found_of(self.authority, self.site, shows_tables=shows_tables(request))
        return render(request, "multihost_control/site_availability_now.html", found)


def shows_tables(request: HttpRequest) -> bool:
    return request.GET.get(TABLES) == SHOWN


def found_of(authority: Authority, site: ManagedSite, *, shows_tables: bool) -> dict[str, Any]:
    """Return what is known of a site now, by the database's clock."""
    now, uid, page = database_time(), site.uid, site_address(site.uid, AVAILABILITY)
    watch = watch_now(now)
    known = with_state(ManagedSite.objects.filter(pk=uid), watch).get()
    periods = list_periods(uid, DAYS * DAY, now)
    measured = measure_sites([uid], now)[uid]
    return {
        "site": site,
        "at": now,
        "seen": last_seen([known], watch)[uid],
        "looks": looks_at(site, watch),
        "shares": [(WINDOW_LABELS[window], share_in_words(found)) for window, found in measured.items()],
        "days": DayBar(list_days(uid, DAYS, timezone.get_current_timezone(), now), "days", shows_table=shows_tables),
        "latency": LatencyChart(list_latencies(uid, DAY, now), now - DAY, now, "latency", shows_table=shows_tables),
        "tables_address": page if shows_tables else f"{page}?{TABLES}={SHOWN}",
        "shows_tables": shows_tables,
        "periods": show_periods(periods, now),
        "has_more_periods": len(periods) > PERIODS_SHOWN,
        "incidents": incidents_of_site(authority, site),
    }


def show_periods(periods: Sequence[Period], now: datetime) -> list[ShownPeriod]:
    """Return the latest periods, the last one first."""
    latest = sorted(periods, key=lambda one: one.since, reverse=True)[:PERIODS_SHOWN]
    return [
        ShownPeriod(
            one,
            state_in_words(one.state),
            reason_in_words(one.reason, one.code),
            places_in_words([one.place]),
            length_in_words((one.till or now) - one.since),
        )
        for one in latest
    ]
