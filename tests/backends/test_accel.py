"""Documents that nginx sends after Wagtail has asked who may read them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.test import RequestFactory, override_settings
from wagtail.utils import sendfile as wagtail_sendfile

from wagtail_multihost.backends.accel import LOCATION, sendfile

REQUEST = RequestFactory().get("/documents/1/a.pdf")
NAMES = ["a.pdf", "documents/a b.pdf", "é√.pdf", "50%.pdf", "a?b#c;d.pdf", "line\nfeed\r.pdf", "%2e%2e"]


@pytest.fixture
def media(tmp_path: Path) -> Iterator[Path]:
    """The site's folder of uploads."""
    with override_settings(MEDIA_ROOT=str(tmp_path / "media")):
        yield tmp_path / "media"


@pytest.mark.parametrize("name", NAMES)
def test_document_is_named_and_not_sent(media: Path, name: str) -> None:
    """The answer is empty and names the file, percent-encoded, below the location of nginx."""
    response = sendfile(REQUEST, str(media / name), mimetype="application/pdf")
    assert response.content == b""
    target = response["X-Accel-Redirect"]
    assert target.isascii()
    assert set(target).isdisjoint("?#\r\n; ")
    assert unquote_to_bytes(target.removeprefix(LOCATION)) == name.encode()


@pytest.mark.parametrize("name", ["../a.pdf", "../media-2/a.pdf", "x/../../a.pdf", "/etc/hostname", "", "."])
def test_file_outside_of_the_folder_is_refused(media: Path, name: str) -> None:
    """Only what lies in MEDIA_ROOT has a place below the location."""
    with pytest.raises(SuspiciousFileOperation):
        sendfile(REQUEST, f"{media}/{name}" if not name.startswith("/") else name)


@override_settings(SENDFILE_BACKEND="wagtail_multihost.backends.accel")
def test_wagtail_takes_it_as_its_backend(media: Path) -> None:
    """Wagtail finds the backend by SENDFILE_BACKEND and adds its headers to the answer."""
    media.mkdir()
    (media / "a.pdf").write_text("text")
    # Wagtail keeps the backend that it found.
    wagtail_sendfile._get_sendfile.clear()
    try:
        response = wagtail_sendfile.sendfile(
            REQUEST, str(media / "a.pdf"), attachment=True, attachment_filename="b.pdf", mimetype="application/pdf"
        )
    finally:
        wagtail_sendfile._get_sendfile.clear()
    assert response["X-Accel-Redirect"] == "/-/files/a.pdf"
    assert response["Content-Disposition"] == 'attachment; filename="b.pdf"'
    assert response["Content-Type"] == "application/pdf"
