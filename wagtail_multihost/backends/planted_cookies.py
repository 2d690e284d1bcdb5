"""
Cookies that another host of the domain has planted under a name that browsers keep for the host itself.

Browsers refuse a cookie whose name begins with ``__Host-`` from any other host. Django strips all white space of
Unicode around a name (django.http.cookie.parse_cookie), but browsers strip spaces and tabs alone: a cookie whose name
begins with U+2000 and ``__Host-`` is like any other to a browser, and the host's own to Django.
"""

from __future__ import annotations

from typing import Any

COOKIE = "HTTP_COOKIE"
HEADER = b"cookie"
#: What browsers strip around a name (https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis).
BLANKS = " \t"


def drop_planted_cookies(
    environ: dict[str, Any] | None = None, scope: dict[str, Any] | None = None, **kwargs: object
) -> None:
    """Take planted cookies out of a request before Django reads it: a receiver of ``request_started``."""
    if environ is not None and environ.get(COOKIE):
        # As django.core.handlers.wsgi.get_str_from_wsgi decodes it.
        header = environ[COOKIE].encode("latin-1", "replace").decode(errors="replace")
        if (kept := remove_planted(header)) != header:
            environ[COOKIE] = kept.encode().decode("latin-1")
    if scope is not None and any(name == HEADER for name, _ in scope.get("headers", ())):
        scope["headers"] = [
            # As django.core.handlers.asgi.ASGIRequest decodes it.
            (name, remove_planted(value.decode("latin-1")).encode("latin-1") if name == HEADER else value)
            for name, value in scope["headers"]
        ]


def remove_planted(header: str) -> str:
    """Return a Cookie header without the cookies whose names begin differently for a browser and for Django."""
    return ";".join(cookie for cookie in header.split(";") if cookie.lstrip() == cookie.lstrip(BLANKS))
