"""The addresses of the control app's pages, below ``fleet/`` of Wagtail's admin."""

from __future__ import annotations

from django.urls import path

from wagtail_multihost.control.dashboard import roles

app_name = "multihost"
urlpatterns = [
    path("platform/roles/", roles.RolesView.as_view(), name="roles"),
]
