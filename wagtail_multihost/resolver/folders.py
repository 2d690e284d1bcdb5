"""The folders of a site's local data. The one thing the resolver writes: SQLite needs them to exist."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.resolver.folder_mark import compare_folder_mark, leave_folder_mark
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.permissions import ROOT
from wagtail_multihost.spec.platform import PRODUCTION, PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

DATA_MODE = 0o711
SITE_MODE = 0o750
PRIVATE_MODE = 0o700
LOGS_MODE = 0o750
TEMPORARY = "FILE_UPLOAD_TEMP_DIR"
OPENED = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def prepare_folders(platform: PlatformSpec, site: SiteSpec) -> None:
    """
    Make the site's folder (0750) below the platform's data folder (0711) when the site keeps anything in it.

    Folders that exist are left as they are. Raises ConfigurationError when one cannot be created, and when the site's
    folder has the mark of another uid, whatever the site keeps in it.
    """
    compare_folder_mark(platform, site)
    sites = platform.data / "sites"
    local = [path for path in (site.database.path, site.storage.path) if path and path.is_relative_to(sites)]
    if not local:
        return
    try:
        make_site_folder(platform, site)
    except OSError as error:
        raise folder_error(sites / site.id, error, site) from None


def prepare_private_folders(platform: PlatformSpec, site: SiteSpec, values: Mapping[str, object]) -> dict[str, object]:
    """
    Make the folders (0700) that the settings ``values`` name, and return the settings that must change.

    Where the folder of temporary files cannot be created or written, the system's is used, with a warning: a site
    all of whose data is on servers needs no disk. Raises ConfigurationError for folders of sessions, mail and logs.
    """
    others: dict[str, object] = {}
    logs = platform.local_path(site.id, "logs")
    for name, folder in [*private_folders(values), *log_folder(values, logs)]:
        try:
            make_site_folder(platform, site)
            make_private_folder(folder, LOGS_MODE if folder == logs else PRIVATE_MODE)
        except OSError as error:
            if name != TEMPORARY:
                raise folder_error(folder, error, site) from None
            others[name] = None
            warn_of_shared_temporary_files(folder, error)
    return others


def private_folders(values: Mapping[str, object]) -> Iterator[tuple[str, Path]]:
    for name in (TEMPORARY, "SESSION_FILE_PATH", "EMAIL_FILE_PATH"):
        if isinstance(values.get(name), str):
            yield name, Path(str(values[name]))
    mailers = values.get("MAILERS")
    for mailer in mailers.values() if isinstance(mailers, Mapping) else ():
        if folder := mailer.get("OPTIONS", {}).get("file_path"):
            yield "MAILERS", Path(folder)


def log_folder(values: Mapping[str, object], logs: Path) -> Iterator[tuple[str, Path]]:
    """Yield the site's folder of log files when a handler has one there; logging opens it at once."""
    stated = values.get("LOGGING")
    handlers = stated.get("handlers") if isinstance(stated, Mapping) else None
    for handler in handlers.values() if isinstance(handlers, Mapping) else ():
        if Path(str(handler.get("filename", ""))).parent == logs:
            yield "LOGGING", logs
            return


def folder_error(folder: Path, error: OSError, site: SiteSpec) -> ConfigurationError:
    message = f"The folder {shown(str(folder))} cannot be created: {error.strerror}."
    return ConfigurationError.because(message, where="data", site=site.id)


def warn_of_shared_temporary_files(folder: Path, error: OSError) -> None:
    import logging  # loads only where there is something to say

    logging.getLogger("wagtail_multihost.resolver").warning(
        "The folder %s cannot be used (%s): temporary files go to the system's folder, which sites may share.",
        folder,
        error.strerror,
    )


def make_site_folder(platform: PlatformSpec, site: SiteSpec) -> None:
    """Make the site's folder where it is missing. Raises OSError for an account that is not the site's."""
    sites = platform.data / "sites"
    if not (sites / site.id).is_dir():
        refuse_stranger(platform, site)
    for folder, mode in ((platform.data, DATA_MODE), (sites, DATA_MODE), (sites / site.id, SITE_MODE)):
        make_folder(folder, mode)
    leave_folder_mark(platform, site)


def make_private_folder(path: Path, mode: int = PRIVATE_MODE) -> None:
    """
    Make a folder with ``mode`` (for its owner alone by default) and the owner of its parent folder: a command that root
    runs must not lock the site's processes out. Raises OSError when this process cannot write there, and for a link, by
    which the site may want to reach a folder that this process can change.
    """
    around = os.open(path.parent, OPENED)
    try:
        is_new = make_if_missing(path.name, mode, around)
        folder = os.open(path.name, OPENED, dir_fd=around)
        try:
            secure_folder(folder, mode, os.fstat(around) if is_new else None)
        finally:
            os.close(folder)
    finally:
        os.close(around)


def make_if_missing(name: str, mode: int, around: int) -> bool:
    """Make a folder in the open folder ``around``; return whether it is new."""
    try:
        os.mkdir(name, mode, dir_fd=around)
    except FileExistsError:
        return False
    return True


def secure_folder(folder: int, mode: int, around: os.stat_result | None) -> None:
    """Remove permissions beyond ``mode`` from an open folder; as root, give a new one the owner of its parent."""
    own = os.geteuid()
    if own == ROOT and around is not None:
        os.fchown(folder, around.st_uid, around.st_gid)
    found = os.fstat(folder)
    if own in (ROOT, found.st_uid) and found.st_mode & 0o777 & ~mode:
        os.fchmod(folder, mode)
    if not os.access(".", os.W_OK | os.X_OK, dir_fd=folder):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def refuse_stranger(platform: PlatformSpec, site: SiteSpec) -> None:
    """Raise OSError where this process would make a folder that the site's stated account could not use."""
    user = platform.account_of(site.id)
    if not user:
        return
    import pwd  # loads only where a folder is missing

    try:
        uid = pwd.getpwnam(user).pw_uid
    except KeyError:
        if platform.environment != PRODUCTION:  # a developer's machine does not have it
            return
        uid = -1
    if uid != os.geteuid():
        raise PermissionError(errno.EPERM, f"It must belong to {user}, but this process runs as another account")


def refuse_root(platform: PlatformSpec, site: SiteSpec) -> None:
    """
    Raise ConfigurationError for root where the registry states another account for the site, or in production none:
    root would read what the site has written, such as pickles in its cache and links in its folder.
    """
    if os.geteuid() != ROOT:
        return
    if user := platform.account_of(site.id):
        raise ConfigurationError.because(
            f"This process runs as root, but the site's account is {user}. Run it under that account, or: manage.py "
            f"multihost_as {site.id} COMMAND",
            where="platform.user",
            site=site.id,
        )
    if platform.environment == PRODUCTION:
        raise missing_account_error(site)
    refuse_foreign_folder(platform, site)


def missing_account_error(site: SiteSpec) -> ConfigurationError:
    message = (
        "No account is stated for the site, and in production its code must not run as root, which would read what the "
        'site has written. State the platform\'s user, such as user = "site-{site}".'
    )
    return ConfigurationError.because(message, where="platform.user", site=site.id)


def refuse_foreign_folder(platform: PlatformSpec, site: SiteSpec) -> None:
    """Raise ConfigurationError where the site's folder belongs to another account, which may have put links there."""
    try:
        owner = (platform.data / "sites" / site.id).lstat().st_uid
    except OSError:
        return
    if owner != os.geteuid():
        raise ConfigurationError.because(
            f"This process runs as root, but the site's folder belongs to the uid {owner}, which may have put links to "
            "other files there. Run it under that account, or state it as the platform's user.",
            where="data",
            site=site.id,
        )


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
