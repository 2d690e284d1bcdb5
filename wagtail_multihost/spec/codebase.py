"""The code that all sites share, where the processes that serve them find it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.validation import parse_path, problem_of, raise_problems

MODULE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)
URL_PATH = re.compile(r"/(?:[A-Za-z0-9._~-]+/)+")
#: Servers rewrite a path with /./ or /../ in it.
PLAIN_PATH = re.compile(r"/(?:(?!\.{1,2}/)[A-Za-z0-9._~-]+/)+")
#: What front servers answer themselves; it is always closed to visitors.
OWN_PATH = "/-/"
CHALLENGES = "/.well-known/acme-challenge/"
#: The default of AWS_QUERYSTRING_EXPIRE (https://django-storages.readthedocs.io/en/stable/backends/amazon-S3.html).
SIGNED_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Codebase:
    """
    The project: its ``directory`` and ``virtualenv``, the WSGI callable as ``package.module:name``, the
    ``settings_module``, and the URL path and folder of static files. ``media_url`` is the URL path of
    uploaded files. URL paths start and end with a slash; None means that another server has the files.
    ``pythonpath`` are folders to import from, besides the directory. ``health_prefix`` is the URL path below which
    the health endpoint answers, closed to visitors as ``/-/`` is. ``signed_seconds`` is how long signed addresses of
    files are valid where a site's storage does not say so, ``page_seconds`` how long the project itself keeps pages.
    """

    directory: Path
    virtualenv: Path
    wsgi: str
    settings_module: str
    static_root: Path | None
    static_url: str | None = "/static/"
    media_url: str | None = "/media/"
    pythonpath: tuple[str, ...] = ()
    health_prefix: str = OWN_PATH
    signed_seconds: int = SIGNED_SECONDS
    page_seconds: int = 0

    def __post_init__(self) -> None:
        raise_problems(codebase_problems(self))

    @property
    def protected(self) -> list[tuple[str, Path]]:
        """The folder of static files, which no site's files may be in, as ``Registry.load`` takes it."""
        return protected_folders(self.static_root)


def protected_folders(static_root: Path | None) -> list[tuple[str, Path]]:
    return [("folder of static files", static_root)] if static_root else []


def codebase_problems(codebase: Codebase) -> Iterator[Problem]:
    for key in ("directory", "virtualenv", "static_root"):
        if (path := getattr(codebase, key)) is not None:
            yield from problem_of(key, parse_path, path)
    module, _, name = codebase.wsgi.partition(":")
    if not MODULE.fullmatch(module) or not name.isidentifier():
        yield Problem("wsgi", f"The WSGI callable {shown(codebase.wsgi)} is not accepted: write package.module:name.")
    if not MODULE.fullmatch(codebase.settings_module):
        yield Problem("settings_module", f"{shown(codebase.settings_module)} is not the dotted name of a module.")
    for key in ("static_url", "media_url"):
        value = getattr(codebase, key)
        if value is not None and not URL_PATH.fullmatch(value):
            yield Problem(key, f"The URL path {shown(value)} is not accepted: it must look like /static/.")
    if codebase.static_url is not None and codebase.static_url == codebase.media_url:
        yield Problem("media_url", "Static files and uploaded files cannot have the same URL path.")
    for key, least in (("signed_seconds", 1), ("page_seconds", 0)):
        if getattr(codebase, key) < least:
            yield Problem(key, f"{getattr(codebase, key)} is not accepted: it must be {least} or more seconds.")
    yield from prefix_problems(codebase)


def prefix_problems(codebase: Codebase) -> Iterator[Problem]:
    """Yield the paths that front servers could not close, or would close although visitors need them."""
    prefix = codebase.health_prefix
    if not PLAIN_PATH.fullmatch(prefix):
        yield Problem("health_prefix", f"The URL path {shown(prefix)} is not accepted: it must look like /-/.")
        return
    if prefix != OWN_PATH and prefix.startswith((OWN_PATH, CHALLENGES)):
        yield Problem(
            "health_prefix", f"{shown(prefix)} is not accepted: front servers use what is below it otherwise."
        )
    for key in ("static_url", "media_url"):
        value = getattr(codebase, key) or ""
        if value.startswith((OWN_PATH, prefix)):
            yield Problem(key, f"The URL path {shown(value)} is not accepted: what is below it is closed to visitors.")
