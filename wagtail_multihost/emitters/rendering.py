"""The template engine for all targets: Jinja2, with missing names as errors."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple, NoReturn

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    FunctionLoader,
    PackageLoader,
    StrictUndefined,
    Template,
    TemplateError,
)

from wagtail_multihost.exceptions import RenderError
from wagtail_multihost.version import own_version

#: The first line of every emitted file. Without --force only files with it are overwritten or removed.
OWNERSHIP_LINE = "# Managed by wagtail-multihost; do not edit."
#: A template's text and its file; without a function that says whether it has changed, as it is read only once.
Source = tuple[str, str | None, None]


class TemplateLibrary(NamedTuple):
    """
    Templates, and the ``digest`` of everything but the values that a rendered text depends on: all templates and the
    versions of what renders them. It is blank if a template could not be read.
    """

    environment: Environment
    digest: str


@cache
def load_library(templates: Path | None) -> TemplateLibrary:
    """Return the templates of the package and, before these, those below the folder ``templates``."""
    packaged = PackageLoader("wagtail_multihost.emitters")
    loader: BaseLoader = ChoiceLoader([FileSystemLoader(templates), packaged]) if templates else packaged
    try:
        sources = {**read_sources(packaged), **(read_own_sources(templates) if templates else {})}
    except (OSError, ValueError):  # not all are text files; the one that is asked for may be
        return TemplateLibrary(make_environment(loader), "")
    texts = sorted((name, text) for name, (text, _, _) in sources.items())
    rendered_by = [own_version(), version("jinja2"), version("markupsafe"), *sys.version_info]
    digest = hashlib.sha256(json.dumps([OWNERSHIP_LINE, rendered_by, texts]).encode()).hexdigest()
    return TemplateLibrary(make_environment(FunctionLoader(lambda name: sources.get(normalize_name(name)))), digest)


def read_sources(loader: BaseLoader) -> dict[str, Source]:
    reader = make_environment(loader)
    # Installers compile the templates that are Python files.
    names = [name for name in loader.list_templates() if not name.endswith(".pyc")]
    return {name: (*loader.get_source(reader, name)[:2], None) for name in names}


def normalize_name(name: str) -> str:
    """Return the name of a template as loaders list it: they skip blank parts and dots."""
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def read_own_sources(folder: Path) -> dict[str, Source]:
    """Return the templates below ``folder``; raises OSError for anything but folders and files, such as a pipe."""
    for path, folders, names in os.walk(folder, onerror=raise_error):
        for name in (*folders, *names):
            mode = os.lstat(os.path.join(path, name)).st_mode
            if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
                raise OSError(f"{name} is neither a folder nor a file")
    return read_sources(FileSystemLoader(folder))


def raise_error(error: OSError) -> NoReturn:
    raise error


def make_environment(loader: BaseLoader) -> Environment:
    # S701: the output is not HTML; every value has passed the quoting function of its grammar.
    return Environment(  # noqa: S701
        loader=loader,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@cache
def load_template(name: str, templates: Path | None) -> Template:
    return load_library(templates).environment.get_template(name)


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
