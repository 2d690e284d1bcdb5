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
from wagtail_multihost.backends.files import SiteFileSystemStorage, make_folders
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


@pytest.mark.parametrize("mode", [0o750, 0o2755, 0o700])
def test_missing_folders_are_made_with_the_mode(tmp_path: Path, mode: int) -> None:
    """Whatever the umask is, which is as it was afterwards; one that is there stays as it is."""
    for umask in (0o077, 0):
        folder = tmp_path / f"{umask}" / "a" / "b"
        before = os.umask(umask)
        try:
            make_folders(folder, mode)
            assert os.umask(umask) == umask
        finally:
            os.umask(before)
        assert {path.stat().st_mode & 0o777 for path in (folder, folder.parent)} == {mode & 0o777}
    folder.chmod(0o711)
    make_folders(folder, mode)
    assert folder.stat().st_mode & 0o777 == 0o711


def test_folder_that_another_process_makes_meanwhile_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two uploads at once make the same folder."""
    monkeypatch.setattr(Path, "is_dir", lambda self: False)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", made_meanwhile(Path.mkdir))
        make_folders(tmp_path / "a", 0o755)
    assert os.path.isdir(tmp_path / "a")


def made_meanwhile(mkdir: Callable[..., None]) -> Callable[..., None]:
    def make(self: Path, *arguments: object, exist_ok: bool = False, **options: object) -> None:
        os.mkdir(self)
        if not exist_ok:
            mkdir(self, *arguments, **options)

    return make


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
