"""Whose a site's folder is: the mark in it, and what a process of another uid does about it."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from tests.spec.samples import a_platform, a_site, postgresql, redis, s3
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.resolver.folders import prepare_folders
from wagtail_multihost.spec.site import SiteSpec

MARK = ".multihost-site"


@pytest.fixture
def site(tmp_path: Path) -> SiteSpec:
    platform = a_platform(data=tmp_path)
    site = a_site(database=replace(a_site().database, path=tmp_path / "sites/aurora/db.sqlite3"))
    prepare_folders(platform, site)
    return site


@pytest.fixture
def folder(tmp_path: Path, site: SiteSpec) -> Path:
    return tmp_path / "sites" / site.id


def start(tmp_path: Path, site: SiteSpec) -> None:
    prepare_folders(a_platform(data=tmp_path), site)


def refusal(tmp_path: Path, site: SiteSpec) -> str:
    with pytest.raises(ConfigurationError) as caught:
        start(tmp_path, site)
    (problem,) = caught.value.problems
    assert problem.site == site.id
    assert problem.where == str(tmp_path / "sites" / site.id / MARK)
    return problem.message


def test_folder_has_the_uid_of_its_site(folder: Path, site: SiteSpec) -> None:
    """The mark names platform, environment and uid, belongs to the folder's owner, and is not to be written."""
    mark = folder / MARK
    assert json.loads(mark.read_text())["uid"] == str(site.uid)
    assert stat.S_IMODE(mark.stat().st_mode) == 0o440
    assert (mark.stat().st_uid, mark.stat().st_gid) == (folder.stat().st_uid, folder.stat().st_gid)
    assert [path.name for path in folder.iterdir()] == [MARK]


def test_site_starts_again_in_its_folder(tmp_path: Path, folder: Path, site: SiteSpec) -> None:
    """The mark stays as it is, also under another name of the platform or another environment."""
    before = (folder / MARK).stat()
    start(tmp_path, site)
    prepare_folders(a_platform(data=tmp_path, name="menagerie", environment="staging"), site)
    assert (folder / MARK).stat() == before


def test_folder_of_an_earlier_site_is_refused(tmp_path: Path, folder: Path, site: SiteSpec) -> None:
    """A process of another uid does not start in it, whatever it keeps there, and says what to do."""
    other = replace(site, uid=uuid4())
    told = refusal(tmp_path, other)
    assert str(site.uid) in told and str(other.uid) in told
    remote = replace(other, database=postgresql(), cache=redis(), storage=s3())
    assert str(site.uid) in refusal(tmp_path, remote)


def test_folder_without_a_mark_is_the_sites(tmp_path: Path, folder: Path, site: SiteSpec) -> None:
    """A folder of a version before, or from which the operator removed the mark, gets the mark of who comes."""
    (folder / MARK).unlink()
    other = replace(site, uid=uuid4())
    start(tmp_path, other)
    assert str(site.uid) in refusal(tmp_path, site)


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", "7", "{" * 2000, '{"uid": []}', "\0"])
def test_mark_that_is_none_is_refused(tmp_path: Path, folder: Path, site: SiteSpec, text: str) -> None:
    """What cannot be read as a mark is not taken for a missing one."""
    (folder / MARK).unlink()
    (folder / MARK).write_text(text)
    assert "site aurora has the uid" in refusal(tmp_path, site)


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_mark_that_is_no_file_stops_nobody_for_long(tmp_path: Path, folder: Path, site: SiteSpec, kind: str) -> None:
    """A link is not followed, and a pipe not waited for."""
    (folder / MARK).unlink()
    real = tmp_path / "real"
    real.write_text(json.dumps({"uid": str(site.uid)}))
    {"link": lambda: (folder / MARK).symlink_to(real), "pipe": lambda: os.mkfifo(folder / MARK)}.get(
        kind, lambda: (folder / MARK).mkdir()
    )()
    assert refusal(tmp_path, site)
