"""The addresses of the control app's pages, below ``fleet/`` of Wagtail's admin."""

from __future__ import annotations

from django.urls import path

from wagtail_multihost.control.dashboard import settings, website

app_name = "multihost"
urlpatterns = [
    path("sites/<uuid:uid>/", website.WebsiteView.as_view(), name="site_website"),
    path("sites/<uuid:uid>/settings/", settings.SettingsView.as_view(), name="site_settings"),
]
