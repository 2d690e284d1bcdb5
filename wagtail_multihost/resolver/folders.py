"""The folder of a site's local data. The one thing the resolver writes: SQLite needs it to exist."""

from __future__ import annotations

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

DATA_MODE = 0o711
SITE_MODE = 0o750


def prepare_folders(platform: PlatformSpec, site: SiteSpec) -> None:
    """
    Make the site's folder (0750) below the platform's data folder (0711) when the site keeps anything in it.

    Folders that exist are left as they are. Raises ConfigurationError when one cannot be made.
    """
    sites = platform.data / "sites"
    local = [path for path in (site.database.path, site.storage.path) if path and path.is_relative_to(sites)]
    if not local:
        return
    try:
        platform.data.mkdir(mode=DATA_MODE, parents=True, exist_ok=True)
        sites.mkdir(mode=DATA_MODE, exist_ok=True)
        (sites / site.id).mkdir(mode=SITE_MODE, exist_ok=True)
    except OSError as error:
        raise ConfigurationError.because(
            f"The folder {shown(str(sites / site.id))} cannot be made: {error.strerror}.", where="data", site=site.id
        ) from None
