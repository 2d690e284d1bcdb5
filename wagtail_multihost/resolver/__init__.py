"""
From a site to the values of its settings module::

    from wagtail_multihost.resolver import resolve

    resolve().apply(globals())

Nothing here imports Django, so settings modules can.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import REGISTRY_VARIABLE, SITE_VARIABLE, open_registry
from wagtail_multihost.resolver.ambient import Watched, warn_of_ambient
from wagtail_multihost.resolver.folders import prepare_folders, refuse_root
from wagtail_multihost.resolver.resolved import ResolvedSettings

__all__ = ["SITE_VARIABLE", "ResolvedSettings", "resolve"]

_outcomes: dict[Path | str | None, ResolvedSettings | ConfigurationError] = {}


def resolve(registry: Path | str | None = None, *, environ: Mapping[str, str] | None = None) -> ResolvedSettings:
    """
    Return the settings of the site that ``MULTIHOST_SITE`` names.

    ``MULTIHOST_REGISTRY`` says where the registry is; where it is not set, ``registry`` (a path or URL) does,
    or else it is ``sites.toml`` in the working folder. With ``MULTIHOST_SITE`` unset nothing is opened
    and the result is inert (build mode), or a throw-away site for ``manage.py test`` and pytest.

    The outcome, an error too, is kept for the life of the process, unless ``environ`` (default:
    os.environ) is given. Raises ConfigurationError with all problems at once.
    """
    if environ is not None:
        return resolve_anew(registry, environ)
    if registry not in _outcomes:
        _outcomes[registry] = outcome(lambda: resolve_anew(registry, os.environ))
    known = _outcomes[registry]
    if isinstance(known, ConfigurationError):
        # Without the traceback of the first time, which grows with every raise.
        raise known.with_traceback(None)
    return known


def outcome(attempt: Callable[[], ResolvedSettings]) -> ResolvedSettings | ConfigurationError:
    try:
        return attempt()
    except ConfigurationError as error:
        return error


def resolve_anew(registry: Path | str | None, environ: Mapping[str, str]) -> ResolvedSettings:
    site = environ.get(SITE_VARIABLE)
    if site is not None and not site.strip():
        raise ConfigurationError.because(
            "It is blank. Name a site, or unset it to run commands that need none.", where=SITE_VARIABLE
        )
    # Tests write files and empty caches: never a site's, even where one is named.
    if site is None or is_test_run(environ):
        return without_site(registry, environ)
    watched = Watched(environ)
    opened = open_registry(None if REGISTRY_VARIABLE in environ else registry, watched)
    platform, spec = opened.site(site)
    warn_of_ambient(watched)
    refuse_root(platform, spec)
    prepare_folders(platform, spec)
    return ResolvedSettings(platform, spec, registry=registry, opened=opened)


def is_test_run(environ: Mapping[str, str]) -> bool:
    return sys.argv[1:2] == ["test"] or ("PYTEST_VERSION" in environ and "pytest" in sys.modules)


def without_site(registry: Path | str | None, environ: Mapping[str, str]) -> ResolvedSettings:
    from wagtail_multihost.resolver.inert import ephemeral_site, runs_tests  # loads only where no site is served

    if not runs_tests(sys.argv, environ):
        return ResolvedSettings(registry=registry)
    platform, site, folder = ephemeral_site()
    return ResolvedSettings(platform, site, folder, registry=registry)
