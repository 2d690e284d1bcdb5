"""The addresses of the control app's pages, below ``fleet/`` of Wagtail's admin."""

from __future__ import annotations

from django.urls import path

from wagtail_multihost.control.dashboard import events, hostnames, sites

app_name = "multihost"
urlpatterns = [
    path("sites/", sites.SitesView.as_view(), name="sites"),
    path("sites/results/", sites.SitesView.as_view(results_only=True), name="sites_results"),
    path("domains/", hostnames.HostnamesView.as_view(), name="hostnames"),
    path("domains/results/", hostnames.HostnamesView.as_view(results_only=True), name="hostnames_results"),
    path("events/", events.EventsView.as_view(), name="events"),
    path("events/results/", events.EventsView.as_view(results_only=True), name="events_results"),
]
