"""
The health endpoint in front of a WSGI application, which answers before the application is loaded. In the project's
``wsgi.py``::

    import os

    from wagtail_multihost.health.wsgi import HealthApplication

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    application = HealthApplication()
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from wagtail_multihost.health.access import FORWARDING_VARIABLES, NONCE_VARIABLE, HealthRequest
from wagtail_multihost.health.endpoint import Answer
from wagtail_multihost.health.loading import Loading

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
FORWARDED = frozenset(FORWARDING_VARIABLES)


class HealthApplication:
    """
    A WSGI application that answers probes, and passes everything else to the one that ``load`` (a function, or its
    dotted path) returns.

    Loading begins at once, in a thread. Meanwhile ``live`` passes, all other paths of the endpoint answer 503
    ``starting``, and other requests wait, as they would otherwise wait in the server's queue. If the application cannot
    be loaded, that is logged, every path of the endpoint, ``live`` too, answers 503 ``failed``, so that the process is
    restarted, and other requests raise RuntimeError.

    A master that forks workers (``gunicorn --preload``) waits for the application before it does. In uWSGI's master,
    and with ``background=False``, the application is loaded immediately, and its exceptions are raised; with
    ``lazy-apps``, uWSGI's workers answer while they load. An application that sets signal handlers while it is loaded,
    which only the main thread can, needs ``background=False``.

    ``prefix`` must be the one in ``MULTIHOST_HEALTH``, which is not known when the first probe arrives; otherwise the
    application counts as one that cannot be loaded (ConfigurationError). Processes in which the middleware refuses to
    serve are refused here as well.
    """

    def __init__(
        self,
        load: Callable[[], Application] | str = "django.core.wsgi.get_wsgi_application",
        prefix: str = "/-/",
        *,
        background: bool = True,
    ) -> None:
        self.prefix = prefix
        self.loading: Loading[Application] = Loading(load, prefix, background)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("PATH_INFO", "").startswith(self.prefix):
            request = request_from_environ(environ)
            answer = (self.loading.endpoint() or self.loading).answer(request)
            if answer is not None:
                return respond(answer, request, start_response)
        return self.loading.application()(environ, start_response)


def request_from_environ(environ: Environ) -> HealthRequest:
    return HealthRequest(
        method=environ.get("REQUEST_METHOD", ""),
        path=environ["PATH_INFO"],
        authorization=environ.get("HTTP_AUTHORIZATION", ""),
        accept=environ.get("HTTP_ACCEPT", ""),
        remote=environ.get("REMOTE_ADDR", "") or "",
        forwarded=not FORWARDED.isdisjoint(environ),
        query=environ.get("QUERY_STRING", ""),
        host=environ.get("HTTP_HOST", ""),
        nonce=environ.get(NONCE_VARIABLE, ""),
    )


def respond(answer: Answer, request: HealthRequest, start_response: Callable[..., Any]) -> list[bytes]:
    start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", answer.all_headers)
    return [] if request.method == "HEAD" else [answer.body]
