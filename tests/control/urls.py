"""The addresses of the project: Wagtail's admin, and what the control app has beside it."""

from __future__ import annotations

from django.urls import include, path
from wagtail.admin import urls as wagtailadmin_urls

urlpatterns = [
    path("admin/", include(wagtailadmin_urls)),
    path("", include("wagtail_multihost.control.urls")),
]
