"""The filters of the lists. What they offer comes from what the person may see, and they only narrow that."""

from __future__ import annotations

from typing import Any

import django_filters  # type: ignore[import-untyped]
from django import forms
from django.core.validators import ProhibitNullCharactersValidator
from django.db.models import QuerySet
from wagtail.admin.filters import WagtailFilterSet

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.dashboard.labels import commonest_labels
from wagtail_multihost.control.dashboard.listed_sites import HOSTNAME_PROBLEM, UNVERIFIED, sites_with_problem
from wagtail_multihost.control.dashboard.status import STATUSES
from wagtail_multihost.control.guard import visible_sites
from wagtail_multihost.control.models import ALIAS, HOSTNAME
from wagtail_multihost.nodeapi.event_types import EVENT_TYPES, OF_SITES

ANY = "All"


class LabelField(django_filters.fields.ChoiceField):  # type: ignore[misc]
    """A label that some site has; not only those that are offered."""

    default_validators = [ProhibitNullCharactersValidator()]

    def valid_value(self, value: Any) -> bool:
        return "=" in str(value)


class LabelFilter(django_filters.ChoiceFilter):  # type: ignore[misc]
    field_class = LabelField

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        if not value:
            return qs
        key, _, text = value.partition("=")
        return qs.filter(labels__contains={key: text})


class FleetFilterSet(WagtailFilterSet):  # type: ignore[misc]
    """Filters that know what the person may do."""

    def __init__(self, *args: Any, authority: Authority, **kwargs: Any) -> None:
        self.authority = authority
        super().__init__(*args, **kwargs)


class SiteFilterSet(FleetFilterSet):
    """The filters of the list of sites."""

    state = django_filters.MultipleChoiceFilter(
        field_name="status",
        label="State",
        choices=list(STATUSES.items()),
        widget=forms.CheckboxSelectMultiple,
        distinct=False,
    )
    problem = django_filters.ChoiceFilter(
        label="Problem",
        choices=[(HOSTNAME_PROBLEM, "A hostname has a problem"), (UNVERIFIED, "A hostname is not verified")],
        method="filter_problem",
        empty_label=ANY,
        widget=forms.RadioSelect,
    )
    label = LabelFilter(label="Label", empty_label=ANY, widget=forms.RadioSelect)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = commonest_labels(visible_sites(self.authority))
        self.filters["label"].extra["choices"] = [(label, label) for label in offered]

    def filter_problem(self, sites: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return sites_with_problem(sites, value)


class HostnameFilterSet(FleetFilterSet):
    """The filters of the list of domains."""

    role = django_filters.ChoiceFilter(
        label="Role",
        choices=[(HOSTNAME, "Hostname"), (ALIAS, "Alias")],
        empty_label=ANY,
        widget=forms.RadioSelect,
    )
    verified = django_filters.ChoiceFilter(
        label="Verified",
        choices=[("yes", "Yes"), ("no", "No")],
        method="filter_verified",
        empty_label=ANY,
        widget=forms.RadioSelect,
    )
    problem = django_filters.ChoiceFilter(
        label="Problem",
        choices=[("yes", "Yes"), ("no", "No")],
        method="filter_problem",
        empty_label=ANY,
        widget=forms.RadioSelect,
    )

    def filter_verified(self, names: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return names.filter(verified_at__isnull=value == "no")

    def filter_problem(self, names: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return names.exclude(problem="") if value == "yes" else names.filter(problem="")


class EventFilterSet(FleetFilterSet):
    """The filters of the list of events."""

    type = django_filters.MultipleChoiceFilter(
        label="Type", choices=list(EVENT_TYPES.items()), widget=forms.CheckboxSelectMultiple, distinct=False
    )
    site = django_filters.CharFilter(label="Site id")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.authority.sees_all:
            self.filters["type"].extra["choices"] = [(name, EVENT_TYPES[name]) for name in OF_SITES]
