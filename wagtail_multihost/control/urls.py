"""What a control project includes at its root, beside Wagtail's admin."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from wagtail_multihost.control.health import live, ready

app_name = "multihost_control"

urlpatterns: list[URLPattern | URLResolver] = [
    path("-/live", live, name="live"),
    path("-/ready", ready, name="ready"),
]
