"""The folder of a site's local data. The one thing the resolver writes: SQLite needs it to exist."""

from __future__ import annotations

from pathlib import Path

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
        for folder, mode in ((platform.data, DATA_MODE), (sites, DATA_MODE), (sites / site.id, SITE_MODE)):
            make_folder(folder, mode)
    except OSError as error:
        raise ConfigurationError.because(
            f"The folder {shown(str(sites / site.id))} cannot be made: {error.strerror}.", where="data", site=site.id
        ) from None


def make_folder(path: Path, mode: int) -> None:
    """Make a folder with exactly ``mode``, whatever the process's umask is; one that exists stays as it is."""
    try:
        path.mkdir(mode=mode, parents=True)
    except FileExistsError:
        if not path.is_dir():
            raise
    else:
        # The emitted vassals run with umask 077, but the front server's group reads uploads.
        path.chmod(mode)
