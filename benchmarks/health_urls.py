"""The paths of ``benchmarks.health_cases``: an ordinary view, and the peers' own."""

from __future__ import annotations

import importlib.util

from django.urls import URLPattern, URLResolver, include, path

from benchmarks.health_cases import hello

urlpatterns: list[URLPattern | URLResolver] = [path("hello", hello)]
if importlib.util.find_spec("watchman"):
    urlpatterns.append(path("watchman/", include("watchman.urls")))
if importlib.util.find_spec("health_check"):
    from health_check.views import HealthCheckView

    checks = ["health_check.Database", "health_check.Cache"]
    urlpatterns.append(path("health-check/", HealthCheckView.as_view(checks=checks)))
