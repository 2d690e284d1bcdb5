"""
SENDFILE_BACKEND for Wagtail behind the emitted nginx: Wagtail checks who may read a document, nginx sends it.

``SENDFILE_BACKEND = "wagtail_multihost.backends.accel"``. Without that nginx in front, documents are empty.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.http import HttpRequest, HttpResponse

#: The location of the emitted nginx that visitors cannot ask for, and that has the site's own folder alone.
LOCATION = "/-/files/"


def sendfile(request: HttpRequest, filename: str, **options: Any) -> HttpResponse:
    """
    Return an empty response that has nginx send the file ``filename``, as wagtail.utils.sendfile takes it.

    Raises SuspiciousFileOperation for a file outside of MEDIA_ROOT, which nginx would not find.
    """
    folder, path = Path(os.path.abspath(settings.MEDIA_ROOT)), Path(os.path.abspath(filename))
    if folder not in path.parents:
        raise SuspiciousFileOperation("The document is not in the site's folder of uploads.")
    response = HttpResponse(content_type=options.get("mimetype"))
    response["X-Accel-Redirect"] = f"{LOCATION}{quote_from_bytes(os.fsencode(path.relative_to(folder)))}"
    return response
