"""
The mark that a site leaves in what it has on shared servers: an object in its bucket, a key beside its cache entries.

It says which site the place belongs to, so that a process with a valid but wrong address notices. It holds no secret.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from wagtail_multihost.exceptions import ConfigurationError, IdentityError
from wagtail_multihost.running import own_site, registered_site
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

# A platform may be renamed while its sites stay.
TELLING = ("uid", "environment")


def require_site(site: str, what: str) -> SiteSpec:
    """Return the site of this process; raises ConfigurationError when its id is not ``site``."""
    own = own_site()
    if own is None or own.id != site:
        found = f"the site {own.id}" if own else "no site"
        raise ConfigurationError.because(
            f"A {what} of the site {site} is not usable here: this process serves {found}."
        )
    return own


def own_mark() -> dict[str, str] | None:
    """Return the mark of this process's site; None in tests and build mode, which mark nothing."""
    registered = registered_site()
    return site_mark(*registered) if registered else None


def site_mark(platform: PlatformSpec, site: SiteSpec) -> dict[str, str]:
    return {"platform": platform.name, "environment": platform.environment, "uid": str(site.uid)}


def encode_mark(mark: Mapping[str, str]) -> bytes:
    return json.dumps(dict(mark)).encode()


def check_mark(found: bytes | str, own: Mapping[str, str], place: str) -> dict[str, str]:
    """
    Return the mark that was ``found`` in a ``place`` (a phrase such as ``the bucket a--b``).

    Raises IdentityError when it is another site's or environment's, or cannot be read as a mark.
    """
    try:
        mark = json.loads(found)
    except (TypeError, ValueError, RecursionError):
        mark = None
    if not isinstance(mark, dict):
        raise IdentityError(f"The mark in {place} cannot be read. Remove it if the place is this site's.")
    if any(mark.get(key) != own[key] for key in TELLING):
        raise IdentityError(
            f"The mark in {place} says that it belongs to: {describe_mark(mark)}. "
            f"This process is: {describe_mark(own)}. "
            "Correct the address in the registry; remove the mark only if this site is to take the place over."
        )
    return mark


def describe_mark(mark: Mapping[str, object]) -> str:
    return ", ".join(f"{key} {shown(str(mark.get(key, '')))}" for key in ("platform", "environment", "uid"))
