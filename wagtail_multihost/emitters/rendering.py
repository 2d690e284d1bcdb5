"""The one template engine: Jinja2, in which a missing name is an error."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from wagtail_multihost.emitters.files import OWNERSHIP_LINE

TemplateValue = object


@cache
def template(name: str) -> Template:
    # S701: the output is no HTML; every value has passed the quoting function of its grammar.
    environment = Environment(  # noqa: S701
        loader=PackageLoader("wagtail_multihost.emitters"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name)


def render(name: str, **values: TemplateValue) -> str:
    """Return the template ``name`` (``nginx/nginx.conf``) with ``values``, which must be quoted already."""
    return template(name).render(ownership_line=OWNERSHIP_LINE, **values)
