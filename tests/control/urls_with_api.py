"""The same addresses, and Wagtail's own API beside them, which a control project must not have."""

from __future__ import annotations

from django.urls import path
from wagtail.api.v3.urls import api

from tests.control.urls import urlpatterns as own

urlpatterns = [path("wagtail/", api.urls), *own]
