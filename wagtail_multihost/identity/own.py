"""The identity of this process's site."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from wagtail_multihost.running import registered_site
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.places import digest_of_places
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec


class OwnIdentity(NamedTuple):
    """The identity that this process expects its database to have."""

    platform: PlatformSpec
    site: SiteSpec

    @property
    def uid(self) -> UUID:
        return self.site.uid

    @property
    def revision(self) -> int:
        """The revision of the registry, 0 where it is not known."""
        return self.platform.revision

    @property
    def digest(self) -> str:
        return digest_of_places(self.site)

    def __str__(self) -> str:
        names = f"platform {shown(self.platform.name)}, environment {shown(self.platform.environment)}"
        return f"{names}, uid {self.uid}, revision {self.revision}"

    def columns(self) -> dict[str, object]:
        """Return the columns of the identity's row that say whose a database is."""
        return {
            "platform": self.platform.name,
            "environment": self.platform.environment,
            "uid": self.uid,
            "revision": self.revision,
            "digest": self.digest,
        }


def own_identity() -> OwnIdentity | None:
    """Return the identity of this process; None in build mode and for the throw-away site of a test run."""
    registered = registered_site()
    return OwnIdentity(*registered) if registered else None
