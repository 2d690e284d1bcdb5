"""The modes of the folders of local data, whatever the umask of the process that makes them is."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.spec.samples import a_platform, a_site
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.resolver.folders import make_private_folder, prepare_folders
from wagtail_multihost.spec.database import DatabaseSpec
from wagtail_multihost.spec.site import SiteSpec


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> str:
    return f"{stat.S_IMODE(path.stat().st_mode):04o}"


def local(data: Path) -> SiteSpec:
    return a_site(database=DatabaseSpec(engine="sqlite", path=data / "sites/aurora/db.sqlite3"))


def test_folders_above_a_sites_are_passable_and_not_listed(tmp_path: Path, umask: int) -> None:
    """The front server's account passes to uploads, and no site sees the names of the others."""
    data = tmp_path / "data"
    prepare_folders(a_platform(data=data), local(data))
    folders = (data, data / "sites", data / "sites/aurora")
    assert [mode(folder) for folder in folders] == ["0711", "0711", "0750"]


def test_folders_that_exist_keep_their_modes(tmp_path: Path, umask: int) -> None:
    """What an operator has set stays, of the folders above and of the site's."""
    data = tmp_path / "data"
    (data / "sites/aurora").mkdir(parents=True)
    for folder, own in ((data, 0o755), (data / "sites", 0o751), (data / "sites/aurora", 0o700)):
        folder.chmod(own)
    prepare_folders(a_platform(data=data), local(data))
    assert [mode(data), mode(data / "sites"), mode(data / "sites/aurora")] == ["0755", "0751", "0700"]


def test_site_with_nothing_local_has_no_folder(tmp_path: Path) -> None:
    """Where database and files are elsewhere nothing is made."""
    data = tmp_path / "data"
    prepare_folders(a_platform(data=data), local(tmp_path / "elsewhere"))
    assert not data.exists()


def test_file_in_the_way_of_a_folder_is_told(tmp_path: Path) -> None:
    """It is a sentence, not a traceback."""
    data = tmp_path / "data"
    (data / "sites").mkdir(parents=True)
    (data / "sites/aurora").touch()
    with pytest.raises(ConfigurationError, match="cannot be created: File exists"):
        prepare_folders(a_platform(data=data), local(data))


def test_private_folder_is_private_under_any_umask(tmp_path: Path, umask: int) -> None:
    """It is its owner's alone, or has the mode that is asked for at most."""
    make_private_folder(tmp_path / "private")
    make_private_folder(tmp_path / "logs", 0o750)
    assert mode(tmp_path / "private") == "0700"
    assert int(mode(tmp_path / "logs"), 8) & ~0o750 == 0


def test_private_folder_leaves_no_descriptor_open(tmp_path: Path) -> None:
    """Neither a folder that is made, nor one that is refused, costs an open file."""
    (tmp_path / "link").symlink_to(tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    for number in range(5):
        make_private_folder(tmp_path / f"folder-{number}")
        with pytest.raises(OSError):
            make_private_folder(tmp_path / "link")
    assert len(os.listdir("/proc/self/fd")) == before
