"""The storage of a site's own folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.test import override_settings
from django.utils.module_loading import import_string
from wagtail.tasks import delete_file_from_storage_task

from wagtail_multihost.backends.files import SiteFileSystemStorage
from wagtail_multihost.exceptions import ConfigurationError

Become = Callable[..., None]


def test_storage_without_a_location_follows_media_root(become: Become, tmp_path: Path) -> None:
    """Tests that set MEDIA_ROOT have their files there."""
    become()
    storage = SiteFileSystemStorage(site="aurora", file_permissions_mode=0o640)
    for name in ("one", "other"):
        with override_settings(MEDIA_ROOT=str(tmp_path / name)):
            storage.save("a.txt", ContentFile(b"content"))
            assert (tmp_path / name / "a.txt").stat().st_mode & 0o777 == 0o640


def test_storage_deconstructs_with_the_site(become: Become, tmp_path: Path) -> None:
    """What Wagtail puts into its task queue names the site, and makes the same storage again."""
    become()
    storage = SiteFileSystemStorage(site="aurora", location=str(tmp_path))
    path, arguments, options = storage.deconstruct()  # type: ignore[attr-defined]
    assert (path, options) == (
        "wagtail_multihost.backends.files.SiteFileSystemStorage",
        {"site": "aurora", "location": str(tmp_path)},
    )
    assert import_string(path)(*arguments, **options).location == storage.location


def test_file_is_not_deleted_by_the_worker_of_another_site(become: Become, tmp_path: Path) -> None:
    """Wagtail's task with the same path deletes nothing in the folder of the site that took it by mistake."""
    become()
    queued = SiteFileSystemStorage(site="aurora").deconstruct()  # type: ignore[attr-defined]
    become(id="borealis")
    (tmp_path / "a.txt").write_text("of borealis")
    with override_settings(MEDIA_ROOT=str(tmp_path)), pytest.raises(ConfigurationError, match="borealis"):
        delete_file_from_storage_task.func(queued, "a.txt")
    assert (tmp_path / "a.txt").exists()
