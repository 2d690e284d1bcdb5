"""Every address that the control project answers, from its URLconf, so that nobody has to list a new one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern
from django.utils.regex_helper import normalize

OURS = "wagtail_multihost.control"
NAMESPACES = ("multihost", "multihost_control")
PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


@dataclass(frozen=True)
class Route:
    """An address: its ``template`` (``/admin/pages/%(page_id)s/``), its full name, and what answers."""

    template: str
    parameters: tuple[str, ...]
    name: str
    namespace: str
    callback: Callable[..., Any]

    @property
    def label(self) -> str:
        """What a table calls it: its name, or the address where it has none."""
        return self.name or self.template

    @property
    def view(self) -> Any:
        """The class of the view; None for a function."""
        return getattr(self.callback, "view_class", None)

    @property
    def is_ours(self) -> bool:
        """Whether the control app answers, or the address names a site, or the view is of a table of the app."""
        model = getattr(self.callback, "view_initkwargs", {}).get("model") or getattr(self.view, "model", None)
        modules = (getattr(self.view or self.callback, "__module__", ""), getattr(model, "__module__", ""))
        by_name = self.namespace.split(":")[0].startswith(NAMESPACES)
        return by_name or "uid" in self.parameters or any(module.startswith(OURS) for module in modules)

    @property
    def is_api(self) -> bool:
        """Whether it is an address of the control app's API, to which tokens alone count."""
        return self.is_ours and "/api/" in self.template

    def address(self, values: Mapping[str, Any]) -> str:
        """Return the address with the ``values``; a parameter that none is for is 1."""
        return self.template % {name: values.get(name, "1") for name in self.parameters}


def walk_routes(urlconf: str | None = None) -> list[Route]:
    return list(routes_in(get_resolver(urlconf), "/", ()))


def routes_in(resolver: URLResolver, prefix: str, namespaces: tuple[str, ...]) -> Iterator[Route]:
    for pattern in resolver.url_patterns:
        text = prefix + template_of(pattern)
        if isinstance(pattern, URLResolver):
            inner = (*namespaces, pattern.namespace) if pattern.namespace else namespaces
            yield from routes_in(pattern, text, inner)
        else:
            yield route_of(pattern, text, ":".join(namespaces))


def route_of(pattern: URLPattern, template: str, namespace: str) -> Route:
    name = ":".join(part for part in (namespace, pattern.name or "") if part) if pattern.name else ""
    parameters = tuple(dict.fromkeys(re.findall(r"%\((\w+)\)s", template)))
    return Route(template, parameters, name, namespace, pattern.callback)


def template_of(pattern: URLPattern | URLResolver) -> str:
    """Return a pattern's part of an address, with ``%(name)s`` for its parameters."""
    text = str(pattern.pattern)
    if isinstance(pattern.pattern, RoutePattern):
        return PARAMETER.sub(r"%(\1)s", text)
    found: str = normalize(text)[0][0]
    return found
