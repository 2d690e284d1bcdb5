"""What the control site answers to a load balancer: that it is there, and that its database is."""

from __future__ import annotations

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

PASS, FAIL = "pass\n", "fail\n"


@never_cache
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """Answer that this process answers."""
    return HttpResponse(PASS, content_type="text/plain")


@never_cache
@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """Answer whether the registry can be read; nothing is said of why not, which the log does."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT revision FROM control_head")
            is_there = cursor.fetchone() is not None
    except DatabaseError:
        is_there = False
    return HttpResponse(PASS if is_there else FAIL, content_type="text/plain", status=200 if is_there else 503)
