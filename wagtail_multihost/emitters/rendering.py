"""The template engine for all targets: Jinja2, with missing names as errors."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader, StrictUndefined, Template, TemplateError

from wagtail_multihost.exceptions import RenderError

#: The first line of every emitted file. Without --force only files with it are overwritten or removed.
OWNERSHIP_LINE = "# Managed by wagtail-multihost; do not edit."


@cache
def load_template(name: str, templates: Path | None) -> Template:
    packaged = PackageLoader("wagtail_multihost.emitters")
    # S701: the output is not HTML; every value has passed the quoting function of its grammar.
    environment = Environment(  # noqa: S701
        loader=ChoiceLoader([FileSystemLoader(templates), packaged]) if templates else packaged,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name)


def render(name: str, *, templates: Path | None = None, **values: object) -> str:
    """
    Return the template ``name`` (``nginx/nginx.conf``) with ``values``, which must be quoted already. A template of
    that name below the folder ``templates`` replaces the package's.

    Raises RenderError when the template is invalid, uses a value that does not exist, or does not start with the
    ownership line.
    """
    try:
        text = load_template(name, templates).render(ownership_line=OWNERSHIP_LINE, **values)
    except TemplateError as error:
        raise RenderError(f"The template {name} cannot be rendered: {error}.") from None
    if not text.startswith(f"{OWNERSHIP_LINE}\n"):
        raise RenderError(f"The template {name} must start with {{{{ ownership_line }}}} on a line of its own.")
    return text
