"""The storage of a site's own folder."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.test import override_settings
from django.utils.module_loading import import_string
from wagtail.tasks import delete_file_from_storage_task

from tests.accounts import OTHER_GROUP, SITE_GROUP, acting_as, needs_root, passable_folder
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


@needs_root
def test_new_folders_hand_down_the_group_of_uploads(become: Become) -> None:
    """A site that is not in the group of its folder gives it to all that it makes there, under umask 077 too."""
    become()
    user, own = (pwd.getpwnam(SITE_GROUP).pw_uid, grp.getgrnam(SITE_GROUP).gr_gid)
    media = grp.getgrnam(OTHER_GROUP).gr_gid
    with passable_folder() as folder:
        shutil.chown(folder, SITE_GROUP, OTHER_GROUP)
        folder.chmod(0o2750)
        options = {"location": str(folder), "file_permissions_mode": 0o640, "directory_permissions_mode": 0o750}
        before = os.umask(0o077)
        try:
            with acting_as(user, own):
                SiteFileSystemStorage(site="aurora", **options).save("a/b/c.txt", ContentFile(b"content"))
            assert os.umask(0o077) == 0o077
        finally:
            os.umask(before)
        found = {str(path.relative_to(folder)): path.stat() for path in folder.rglob("*")}
        assert {name: (status.st_gid, oct(status.st_mode & 0o7777)) for name, status in found.items()} == {
            "a": (media, "0o2750"),
            "a/b": (media, "0o2750"),
            "a/b/c.txt": (media, "0o640"),
        }


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
