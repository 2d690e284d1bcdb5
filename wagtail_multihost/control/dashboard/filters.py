"""The filters of the lists. What they offer comes from what the person may see, and they only narrow that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import django_filters  # type: ignore[import-untyped]
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from wagtail.admin.filters import WagtailFilterSet

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.dashboard.labels import commonest_labels
from wagtail_multihost.control.dashboard.listed_sites import HOSTNAME_PROBLEM, UNVERIFIED, sites_with_problem
from wagtail_multihost.control.dashboard.status import STATUSES
from wagtail_multihost.control.guard import visible_sites
from wagtail_multihost.control.inventory import sites_running, vulnerable_sites
from wagtail_multihost.control.models import ALIAS, HOSTNAME
from wagtail_multihost.control.package_versions import parse_package, parse_version
from wagtail_multihost.nodeapi.event_types import EVENT_TYPES, OF_SITES
from wagtail_multihost.nodeapi.version_file import NAME_LENGTH, VERSION_LENGTH

ANY = "All"


def check_package(text: str) -> None:
    refuse_unless(parse_package, text)


def check_version(text: str) -> None:
    refuse_unless(parse_version, text)


def refuse_unless(parse: Callable[[str], object], text: str) -> None:
    try:
        parse(text)
    except ValueError as error:
        raise ValidationError(str(error)) from None


def refuse_unprintable(value: object) -> None:
    """Raise ValidationError for what would control a terminal: Wagtail repeats what is filtered by."""
    if not str(value).isprintable():
        raise ValidationError("It is no label.")


class LabelField(django_filters.fields.ChoiceField):  # type: ignore[misc]
    """A label that some site has; not only those that are offered."""

    default_validators = [refuse_unprintable]

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


class LabelledFilterSet(FleetFilterSet):
    """Filters of which one is the ``label`` of a site: the commonest of those that the person may see are offered."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = commonest_labels(visible_sites(self.authority))
        self.filters["label"].extra["choices"] = [(label, label) for label in offered]


class SiteFilterSet(LabelledFilterSet):
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
    package = django_filters.CharFilter(
        label="Runs the package", method="keep_all", max_length=NAME_LENGTH, validators=[check_package]
    )
    older_than = django_filters.CharFilter(
        label="In a version older than", method="keep_all", max_length=VERSION_LENGTH, validators=[check_version]
    )
    vulnerable = django_filters.ChoiceFilter(
        label="Vulnerability",
        choices=[("yes", "One is known of what it runs")],
        method="filter_vulnerable",
        empty_label=ANY,
        widget=forms.RadioSelect,
    )

    def filter_problem(self, sites: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return sites_with_problem(sites, value)

    def filter_vulnerable(self, sites: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return vulnerable_sites(sites)

    def keep_all(self, sites: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """Keep the sites: a package and its version make one filter."""
        return sites

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        found: QuerySet[Any] = super().filter_queryset(queryset)
        package, older_than = (self.form.cleaned_data.get(name) or "" for name in ("package", "older_than"))
        if package:
            return sites_running(found, package, older_than)
        # Of no package no version is older.
        return found.none() if older_than else found


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
