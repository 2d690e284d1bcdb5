"""Where a site's data is, as a digest that two processes can compare."""

from __future__ import annotations

import hashlib
import json

from wagtail_multihost.spec.declared import declarations
from wagtail_multihost.spec.site import SiteSpec


def digest_of_places(site: SiteSpec) -> str:
    """
    Return the SHA-256 of everything that decides where the site's data is: addresses of database, cache and
    storage, and prefixes. Neither hostnames nor settings nor keys are part of it.
    """
    places = [
        [comparable_value(getattr(part, name)) for name in place_keys(type(part))] for part in parts_with_data(site)
    ]
    return hashlib.sha256(json.dumps(places).encode()).hexdigest()


def parts_with_data(site: SiteSpec) -> tuple[object, ...]:
    return site.database, site.cache, site.storage, site.names


def place_keys(spec: type) -> list[str]:
    """Return the keys of a part that decide where data is, in the order of their declarations."""
    return [one.name for one, declared in declarations(spec) if declared.place]


def comparable_value(value: object) -> object:
    return value if isinstance(value, int) else str(value or "")
