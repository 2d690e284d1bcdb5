"""What a control project includes at its root, beside Wagtail's admin: the API, and what load balancers ask."""

from __future__ import annotations

from importlib.util import find_spec

from django.urls import URLPattern, URLResolver, include, path

from wagtail_multihost.control.health import live, ready

API = "wagtail_multihost.control.api"

urlpatterns: list[URLPattern | URLResolver] = [
    path("-/live", live, name="multihost_control_live"),
    path("-/ready", ready, name="multihost_control_ready"),
]
if find_spec(API):
    urlpatterns.append(path("api/control/v1/", include(f"{API}.urls")))
