"""Settings modules for development."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from wagtail_multihost.production import ProductionFinding
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.site import SiteSpec

#: The last part of a module's name, without ``settings_`` or ``_settings``.
FOR_DEVELOPMENT = frozenset({"dev", "development", "local", "debug", "test"})
HINT = (
    "Name the module for production with --settings or DJANGO_SETTINGS_MODULE, such as mysite.settings.production; for "
    "one site, in its code.settings_module."
)


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
            yield ProductionFinding(f"{place} is {shown(name)}, a module for development; accepted: {accepted}.", HINT)


def debug_findings(module: str, *, debug: bool) -> Iterator[ProductionFinding]:
    """Yield a finding if errors would show settings, code and variables to visitors."""
    if debug:
        yield ProductionFinding(
            f"DEBUG is true in {shown(module)}: after an error, visitors see settings and code; accepted: false.",
            HINT,
        )
