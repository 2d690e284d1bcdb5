"""The maintenance of a site as people see it: what is planned, what was, and the form that plans more."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django import forms

from wagtail_multihost.control.actors import names_of_actors
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import REASON_LENGTH
from wagtail_multihost.control.dashboard.status import STATUSES
from wagtail_multihost.control.maintenance import FARTHEST, LONGEST, LONGEST_OF_SITE, Times, windows_within
from wagtail_multihost.control.models import OPERATE, Maintenance, ManagedSite
from wagtail_multihost.exceptions import MultihostError, problems_of
from wagtail_multihost.spec.printing import one_line

#: How far back maintenance is shown, and how much of it.
BACK, MOST_WINDOWS = timedelta(days=90), 50
#: As browsers send a local time.
FORMAT = "%Y-%m-%dT%H:%M"
#: The fields of the form, by the keys of problems.
FIELDS = {"Since": "since", "Till": "till", "Reason": "reason"}


class ShownWindow(NamedTuple):
    """
    A time of maintenance as someone sees it; ``reason`` is blank where it is for operators alone. ``state`` says
    whether it is to come, lasts or is over.
    """

    window: Maintenance
    of: str
    who: str
    reason: str
    state: str
    may_end: bool


class MaintenanceForm(forms.Form):
    """From when to when a site need not answer, and why; in the time zone of the dashboard."""

    since = forms.DateTimeField(label="From", input_formats=[FORMAT, "%Y-%m-%d %H:%M"])
    till = forms.DateTimeField(label="Until", input_formats=[FORMAT, "%Y-%m-%d %H:%M"])
    reason = forms.CharField(max_length=REASON_LENGTH, help_text="It is shown with the site's availability.")

    def __init__(self, *args: Any, authority: Authority, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.auto_id = "maintenance-%s"
        for name in ("since", "till"):
            self.fields[name].widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=FORMAT)
        days = LONGEST if authority.may_operate else LONGEST_OF_SITE
        self.fields["till"].help_text = f"At most {days} days later. It begins within {FARTHEST} days."

    @property
    def times(self) -> Times:
        return Times(self.cleaned_data["since"], self.cleaned_data["till"])

    def add_problems(self, error: MultihostError) -> None:
        """Show what is wrong beside the fields, or above them."""
        for problem in problems_of(error):
            self.add_error(FIELDS.get(problem.key), problem.message)


def maintenance_form(authority: Authority, site: ManagedSite, data: Any = None) -> MaintenanceForm | None:
    """Return the form that plans maintenance of a site; None for who may not."""
    return MaintenanceForm(data, authority=authority) if authority.may(OPERATE, site.uid) else None


def show_windows(authority: Authority, site: ManagedSite, now: datetime) -> list[ShownWindow]:
    """Return the maintenance of a site, the latest first: its own, that of all sites, and what its record said."""
    times = Times(now - BACK, now + timedelta(days=FARTHEST))
    found = list(windows_within(site.uid, times)[:MOST_WINDOWS])
    names = names_of_actors(authority, (one.actor for one in found if one.actor))
    return [
        ShownWindow(
            one,
            "The site" if one.site_id else "All sites",
            names.get(one.actor, ""),
            reason_of(authority, one),
            state_of(one, now),
            may_end(authority, one, now),
        )
        for one in found
    ]


def reason_of(authority: Authority, window: Maintenance) -> str:
    if window.of_record:
        return f"Its record says so: {STATUSES.get(window.reason, window.reason)}"
    return one_line(window.reason) if window.site_id or authority.is_operator else ""


def state_of(window: Maintenance, now: datetime) -> str:
    if window.since > now:
        return "Planned"
    return "Over" if window.till is not None and window.till <= now else "Lasts"


def may_end(authority: Authority, window: Maintenance, now: datetime) -> bool:
    """Return whether someone may end maintenance: its own site's people what no operator has planned."""
    if window.of_record or state_of(window, now) == "Over":
        return False
    if authority.may_operate:
        return True
    return window.site_id is not None and not window.is_of_operator and authority.may(OPERATE, window.site_id)
