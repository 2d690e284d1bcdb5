"""
From a site to the values of its settings module::

    from wagtail_multihost.resolver import resolve

    resolve().apply(globals())

Nothing here imports Django, so settings modules can.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import REGISTRY_VARIABLE, SITE_VARIABLE, open_registry
from wagtail_multihost.resolver.ambient import WatchedVariables, remove_ambient, warn_of_ambient
from wagtail_multihost.resolver.folders import prepare_folders, refuse_root
from wagtail_multihost.resolver.resolved import ResolvedSettings
from wagtail_multihost.resolver.starting import TEST_COMMANDS, TEST_RUNS, Start, start_of, start_of_process
from wagtail_multihost.running import Running, current, set_running

__all__ = ["SITE_VARIABLE", "ResolvedSettings", "activate", "resolve"]

_outcomes: dict[tuple[Path | str | None, str | None], ResolvedSettings | ConfigurationError] = {}


def resolve(
    registry: Path | str | None = None, *, environ: Mapping[str, str] | None = None, command: str | None = None
) -> ResolvedSettings:
    """
    Return the settings of the site that ``MULTIHOST_SITE`` names.

    ``MULTIHOST_REGISTRY`` says where the registry is; where it is not set, ``registry`` (a path or URL) does,
    or else it is ``sites.toml`` in the working folder. With ``MULTIHOST_SITE`` unset nothing is opened
    and the result is inert (build mode), or a throw-away site for ``manage.py test`` and pytest.

    ``command`` is the name of the management command that the process runs (``pytest`` for a test run), or blank for
    a server; by default it is read from the process's command line. The outcome, even an error, is kept for the life of
    the process. An error that is not handled ends the process with the report alone, and exit code 2.

    For a site with a PostgreSQL database, PGSERVICE and the few other variables that libpq lets nothing override are
    taken out of the process's.

    With ``environ`` given nothing but the arguments is read (``command`` is blank by default), and nothing is kept, and
    no variable is written.
    Raises ConfigurationError with all problems at once.
    """
    if environ is not None:
        return resolve_anew(registry, environ, start_of(command or ""))
    key = registry, command
    if key not in _outcomes:
        start = start_of_process() if command is None else start_of(command)
        _outcomes[key] = result_or_error(lambda: resolve_anew(registry, os.environ, start))
    known = _outcomes[key]
    if isinstance(known, ConfigurationError):
        from wagtail_multihost.resolver.ending import end_with_report  # loads only for the report

        end_with_report()
        # Without the traceback of the first time, which grows with every raise.
        raise known.with_traceback(None)
    if known.site is not None:
        remove_ambient(known.site, os.environ)
    return known


def has_resolved() -> bool:
    """Return whether this process has called :func:`resolve` for itself."""
    return bool(_outcomes) or current() is not None


def result_or_error(attempt: Callable[[], ResolvedSettings]) -> ResolvedSettings | ConfigurationError:
    try:
        return attempt()
    except ConfigurationError as error:
        return error


def activate(namespace: MutableMapping[str, object], *, environ: Mapping[str, str], command: str = "") -> Running:
    """
    Turn a process that has applied settings, usually those of build mode, into the process of the site that ``environ``
    names, as a child of a template does. ``namespace`` is that of the settings module: what was set there before is
    removed, and the site's settings are set on top of the project's. From then on ``resolve()`` returns the site's.

    Then every function that is registered with :func:`~wagtail_multihost.running.register_reset` is called. Django's
    own settings are left to the caller. Raises ConfigurationError, and changes nothing, when the site cannot be
    resolved or ``environ`` names none.
    """
    before = current()
    if before is None:
        raise ConfigurationError.because("This process has not called resolve().apply(globals()) yet.")
    resolved = resolve_anew(before.registry, environ, start_of(command))
    if resolved.is_build_mode:
        raise ConfigurationError.because("Set it to the site that this process becomes.", where=SITE_VARIABLE)
    made = dict(before.project)
    running = resolved.overlay(made)
    for name in before.values.keys() - made.keys():
        namespace.pop(name, None)
    namespace.update(made)
    for key in [*_outcomes, (before.registry, None)]:
        _outcomes[key] = resolved
    set_running(running)
    if resolved.site is not None:
        remove_ambient(resolved.site, os.environ)
    return running


def resolve_anew(registry: Path | str | None, environ: Mapping[str, str], start: Start) -> ResolvedSettings:
    site = environ.get(SITE_VARIABLE)
    if site is not None and not site.strip():
        raise ConfigurationError.because(
            "It is blank. Name a site, or unset it to run commands that need none.", where=SITE_VARIABLE
        )
    if site is None or start.command in TEST_RUNS:
        return resolve_without_site(registry, start)
    watched = WatchedVariables(environ)
    opened = open_registry(None if REGISTRY_VARIABLE in environ else registry, watched)
    platform, spec = opened.site(site)
    warn_of_ambient(watched, spec)
    refuse_root(platform, spec)
    prepare_folders(platform, spec)
    return ResolvedSettings(platform, spec, None, registry, opened, *start)


def resolve_without_site(registry: Path | str | None, start: Start) -> ResolvedSettings:
    if start.command not in TEST_COMMANDS:
        return ResolvedSettings(None, None, None, registry, None, *start)
    from wagtail_multihost.resolver.inert import ephemeral_site  # loads only where no site is served

    return ResolvedSettings(*ephemeral_site(), registry, None, *start)
