"""The sites that a command is for."""

from __future__ import annotations

from collections.abc import Collection

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import Contents
from wagtail_multihost.spec.identifiers import shown


def chosen_ids(contents: Contents, only: Collection[str]) -> frozenset[str]:
    """Return the ids of the enabled sites, or of ``only``; raises ConfigurationError for one that is not enabled."""
    known = frozenset(site.id for site in contents.enabled)
    unknown = [site for site in only if site not in known]
    if unknown:
        names = ", ".join(shown(site) for site in unknown)
        raise ConfigurationError.because(f"The registry has no enabled site {names}.", where="--site")
    return frozenset(only) or known
