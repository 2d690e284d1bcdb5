"""The platform's own key, made once in development if the operator states none."""

from __future__ import annotations

import logging
import os
import secrets
from pathlib import Path

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.files.writing import NewFile, remove_files, write_drafts
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.secret import Secret

FILE_NAME = "platform.key"
DEVELOPMENT = "development"
#: Makes a key in a file of root's; the guides have it too.
COMMAND = "(umask 077 && python3 -c 'import secrets; print(secrets.token_urlsafe(48))' > /etc/multihost/platform.key)"

logger = logging.getLogger("wagtail_multihost.registry")


def read_or_make_key(data: Path, *, may_make: bool = True) -> Secret | None:
    """
    Return the key in ``data/platform.key`` (0600); makes it on first use and logs a warning that says so. Without
    ``may_make`` None is returned if there is no such file.

    Raises ConfigurationError when the file cannot be made.
    """
    path = data / FILE_NAME
    try:
        if not path.exists():
            if not may_make:
                return None
            create_key_file(path)
    except OSError as error:
        raise ConfigurationError.because(
            f"No secret_key is stated, and a new one cannot be written to {shown(str(path))}: {error.strerror}.",
            where="secret_key",
        ) from None
    # Developers who work as root, as in a container, often do so in another account's folder.
    return Secret.from_file(path, in_any_folder=may_make)


def create_key_file(path: Path) -> None:
    """Make the key file; of several processes that do so at once, one wins and the others take its key."""
    if not path.parent.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o711)  # whatever the umask is: other sites' processes pass through it
    drafts = write_drafts([NewFile(str(path), f"{secrets.token_urlsafe(48)}\n".encode())])
    try:
        os.link(drafts[str(path)], path)
    except FileExistsError:
        return
    finally:
        remove_files(drafts.values())
    logger.warning("Made a new platform key in %s (0600). Keep it: every site's SECRET_KEY derives from it.", path)
