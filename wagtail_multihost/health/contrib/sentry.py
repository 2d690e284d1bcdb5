"""
Keeping probes out of Sentry. Nothing here imports ``sentry_sdk``::

    sentry_sdk.init(
        traces_sampler=without_probes(0.1),
        before_send_transaction=drop_probes,
    )

The first also saves the work of tracing; the second is for projects with a sampler of their own. Errors are always
sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from wagtail_multihost.health.access_log import endpoint_prefix, is_probe

Sampler = Callable[[Mapping[str, Any]], float | bool]


def without_probes(otherwise: float | Sampler) -> Sampler:
    """
    Return a ``traces_sampler`` that samples no probes, and everything else by ``otherwise``: another sampler, or a
    rate, over which the caller's decision takes precedence, as in Sentry.
    """

    def sample(context: Mapping[str, Any]) -> float | bool:
        if is_probe(request_path(context), endpoint_prefix()):
            return 0
        if callable(otherwise):
            return otherwise(context)
        parent = context.get("parent_sampled")
        return otherwise if parent is None else bool(parent)

    return sample


def request_path(context: Mapping[str, Any]) -> str:
    """Return the path of the request in a sampling context; blank if it is not about a request."""
    path = (context.get("wsgi_environ") or {}).get("PATH_INFO") or (context.get("asgi_scope") or {}).get("path")
    return path if isinstance(path, str) else ""


def drop_probes(event: dict[str, Any], hint: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return ``event``, or None if it is the transaction of a probe: for ``before_send_transaction``."""
    url = (event.get("request") or {}).get("url")
    try:
        path = unquote(urlsplit(url).path) if isinstance(url, str) else ""
    except ValueError:
        return event
    return None if is_probe(path, endpoint_prefix()) else event
