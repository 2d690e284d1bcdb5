"""
The health of this process's site as a report in Wagtail's admin, for users with a permission of its own. Only the admin
imports this module.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.views import View
from wagtail.admin.menu import MenuItem
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from wagtail_multihost.health.access import Access
from wagtail_multihost.health.formats.meanings import meaning_of_word
from wagtail_multihost.health.formats.page import TONES, make_groups, utc_time
from wagtail_multihost.health.formats.quantities import format_duration
from wagtail_multihost.health.process import own_endpoint
from wagtail_multihost.health.refreshing import HEADERS, PAUSED, SECONDS
from wagtail_multihost.health.seen import Health

PERMISSION = "wagtail_multihost.view_health"
URL_NAME = "wagtail_multihost_health"
TITLE = "Health"
ICON = "info-circle"
#: Wagtail's looks for each of ours.
HELP_STATUSES = {"pass": "info", "warn": "warning", "fail": "critical"}


def may_see_health(user: AbstractBaseUser | AnonymousUser) -> bool:
    return bool(user.has_perm(PERMISSION))  # type: ignore[union-attr]


def own_health() -> Health:
    """Return the health of this process's site: of what it shares with others, only the codes."""
    endpoint = own_endpoint()
    return endpoint.visible_health(Access.DETAILS, endpoint.service)


class HealthMenuItem(MenuItem):  # type: ignore[misc]
    """The entry in the menu of reports."""

    def is_shown(self, request: HttpRequest) -> bool:
        return may_see_health(request.user)


class HealthReportView(WagtailAdminTemplateMixin, View):  # type: ignore[misc]
    """The page of the report. Browsers load it again by themselves, unless its query pauses that."""

    page_title = TITLE
    header_icon = ICON
    template_name = "wagtail_multihost/health_report.html"
    http_method_names = ["get", "head"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not may_see_health(request.user):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        paused = request.META.get("QUERY_STRING", "") == PAUSED
        response: HttpResponse = self.render_to_response(self.get_context_data(paused=paused))
        if not paused:
            for name, value in HEADERS:
                response.headers[name] = value
        return response

    def get_breadcrumbs_items(self) -> list[dict[str, object]]:
        return [*super().get_breadcrumbs_items(), {"url": "", "label": TITLE, "sublabel": own_endpoint().service}]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        health = own_health()
        return {
            **super().get_context_data(**kwargs),
            "word": health.word,
            "meaning": meaning_of_word(health.word),
            "help_status": HELP_STATUSES[TONES[health.word]],
            "draining": own_endpoint().drain.is_on(),
            "groups": make_groups(health, ()),
            "age": "" if health.age is None else format_duration(health.age),
            "made": utc_time(health.report.time) if health.report else "",
            "version": health.version,
            "pause": PAUSED,
            "seconds": SECONDS,
        }


def health_url() -> URLPattern:
    return path("reports/health/", HealthReportView.as_view(), name=URL_NAME)


def make_menu_item() -> MenuItem:
    return HealthMenuItem(TITLE, reverse(URL_NAME), name="multihost-health", icon_name=ICON, order=1200)
