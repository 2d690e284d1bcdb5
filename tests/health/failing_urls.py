"""URLs of a site whose page is not available."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path


def broken(request: HttpRequest) -> HttpResponse:
    return HttpResponse("broken", status=503)


urlpatterns = [path("broken/", broken)]
