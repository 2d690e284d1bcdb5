"""The storage of a site's own folder."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

from django.core.files import File
from django.core.files.storage import FileSystemStorage
from django.utils.deconstruct import deconstructible

from wagtail_multihost.backends.markers import require_site

#: The umask is the process's: two threads that change it must not restore each other's.
UMASK = threading.Lock()


@deconstructible
class SiteFileSystemStorage(FileSystemStorage):
    """
    Django's FileSystemStorage, which in the process of another site raises ConfigurationError: Wagtail puts a
    storage's arguments into the queue of the task that deletes a file, and the path could exist there too.

    Without a ``location`` its folder is MEDIA_ROOT. A folder with the setgid bit passes its group, the front server's,
    on to new folders in it.
    """

    def __init__(self, *, site: str, **options: Any) -> None:
        require_site(site, "storage")
        super().__init__(**options)

    def _save(self, name: str, content: File[Any]) -> str:
        if self.directory_permissions_mode is not None:
            make_folders(Path(self.path(name)).parent, self.directory_permissions_mode)
        return str(super()._save(name, content))  # type: ignore[misc]  # the stubs leave it out


def make_folders(folder: Path, mode: int) -> None:
    """
    Make ``folder`` and its missing parents with ``mode``, whatever the umask is, and without a chmod: Django's chmod
    clears the setgid bit, and Linux lets nobody outside of that group set it again (chmod(2)).
    """
    if folder.is_dir():
        return
    with UMASK:
        before = os.umask(0o777 & ~mode)
        try:
            folder.mkdir(mode, parents=True, exist_ok=True)
        finally:
            os.umask(before)
