"""The storage of a site's own folder."""

from __future__ import annotations

from typing import Any

from django.core.files.storage import FileSystemStorage
from django.utils.deconstruct import deconstructible

from wagtail_multihost.backends.markers import refuse_other


@deconstructible
class SiteFileSystemStorage(FileSystemStorage):
    """
    Django's FileSystemStorage, which in the process of another site raises ConfigurationError: Wagtail puts a
    storage's arguments into the queue of the task that deletes a file, and the path would be one of that site's too.

    Without a ``location`` its folder is MEDIA_ROOT.
    """

    def __init__(self, *, site: str, **options: Any) -> None:
        refuse_other(site, "storage")
        super().__init__(**options)
