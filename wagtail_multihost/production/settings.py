"""Settings modules for development."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Iterator

from wagtail_multihost.production import ProductionFinding
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.site import SiteSpec

#: The last part of a module's name, without ``settings_`` or ``_settings``.
FOR_DEVELOPMENT = frozenset({"dev", "development", "local", "debug", "test"})
HINT = (
    "Name the module for production with --settings or DJANGO_SETTINGS_MODULE{module}; for one site, in its "
    "code.settings_module."
)
FOR_PRODUCTION = "production"


def hint_for(module: str) -> str:
    """Return how to name another settings module than ``module``: the one for production beside it, if it is there."""
    package = module.rpartition(".")[0]
    if package and has_module(package, FOR_PRODUCTION):
        return HINT.format(module=f": {package}.{FOR_PRODUCTION}")
    return HINT.format(module=f", such as mysite.settings.{FOR_PRODUCTION}")


def has_module(package: str, name: str) -> bool:
    """Return whether an imported package has a module. No other is looked into: looking imports it, which runs it."""
    try:
        return package in sys.modules and importlib.util.find_spec(f"{package}.{name}") is not None
    except (ImportError, ValueError):  # it is a module without others in it
        return False


def is_for_development(module: str) -> bool:
    """Return whether the dotted name of a settings module says that it is for development or for tests."""
    last = module.rpartition(".")[2].lower()
    return last.removeprefix("settings_").removesuffix("_settings") in FOR_DEVELOPMENT


def module_findings(module: str, sites: Iterable[SiteSpec]) -> Iterator[ProductionFinding]:
    """Yield the settings modules for development: the platform's ``module``, and those of ``sites`` with own code."""
    places = {"DJANGO_SETTINGS_MODULE": module}
    for site in sites:
        own = dict(site.code).get("settings_module")
        if own:
            places[f"sites.{site.id}.code.settings_module"] = str(own)
    for place, name in places.items():
        if is_for_development(name):
            accepted = "a module whose name does not end in dev, development, local, debug or test"
            yield ProductionFinding(
                f"{place} is {shown(name)}, a module for development; accepted: {accepted}.", hint_for(module)
            )


def debug_findings(module: str, *, debug: bool) -> Iterator[ProductionFinding]:
    """Yield a finding if errors would show settings, code and variables to visitors."""
    if debug:
        yield ProductionFinding(
            f"DEBUG is true in {shown(module)}: after an error, visitors see settings and code; accepted: false.",
            hint_for(module),
        )


def unresolved_findings(module: str, *, resolves: bool) -> Iterator[ProductionFinding]:
    """Yield a finding if sites' processes would run with the project's own settings, all with the same."""
    if not resolves:
        yield ProductionFinding(
            f"{shown(module)} does not call resolve().apply(globals()): every site's process would have the project's "
            "own database, files and key.",
            hint_for(module),
        )
