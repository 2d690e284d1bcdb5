"""The probe of disks."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.spec.samples import a_platform, a_site
from wagtail_multihost import running
from wagtail_multihost.health.probe import failed, passed, warned
from wagtail_multihost.health.probes import disk
from wagtail_multihost.health.probes.disk import DiskProbe
from wagtail_multihost.running import Running


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A file system with 1,000 blocks and 1,000 inodes, all of them free."""
    status = SimpleNamespace(f_blocks=1000, f_bfree=1000, f_bavail=1000, f_files=1000, f_ffree=1000, f_favail=1000)
    monkeypatch.setattr(disk.os, "statvfs", lambda path: status)
    return status


def measured(**options: Any) -> list[Any]:
    return list(DiskProbe(**{"paths": {"data": "/srv"}, **options}).measure())


def test_disk_with_room_passes(system: SimpleNamespace) -> None:
    """The percentage that is left is told."""
    system.f_bfree = system.f_bavail = 400
    assert measured() == [passed(40.0, "percent", subject="data")]


@pytest.mark.parametrize(
    ("left", "outcome"),
    [
        (100, passed(10.0, "percent", subject="data")),
        (99, warned("few_bytes", 9.9, "percent", subject="data")),
        (50, warned("few_bytes", 5.0, "percent", subject="data")),
        (49, failed("few_bytes", 4.9, "percent", subject="data")),
    ],
)
def test_little_room_is_told(system: SimpleNamespace, left: int, outcome: Any) -> None:
    """Below ten percent it warns, below five it fails."""
    system.f_bfree = system.f_bavail = left
    assert measured() == [outcome]


def test_few_inodes_are_told(system: SimpleNamespace) -> None:
    """A disk with room for data and none for files is full too."""
    system.f_ffree = system.f_favail = 20
    assert measured() == [failed("few_inodes", 2.0, "percent", subject="data")]


def test_room_that_only_root_may_use_does_not_count(system: SimpleNamespace) -> None:
    """What is reserved is not free."""
    system.f_bfree, system.f_bavail = 60, 10
    assert measured() == [failed("few_bytes", 1.1, "percent", subject="data")]


def test_file_system_without_a_number_of_inodes_passes(system: SimpleNamespace) -> None:
    """Zero inodes of zero are not a fault."""
    system.f_files = system.f_ffree = system.f_favail = 0
    assert measured() == [passed(100.0, "percent", subject="data")]


def test_full_file_system_fails(system: SimpleNamespace) -> None:
    """Nothing left is zero percent, also where nothing was ever there."""
    system.f_bfree = system.f_bavail = 0
    assert measured() == [failed("few_bytes", 0.0, "percent", subject="data")]


def test_limits_are_options(system: SimpleNamespace) -> None:
    """Limits may be stated."""
    system.f_bfree = system.f_bavail = 400
    assert measured(warn_percent=50, fail_percent=45)[0].code == "few_bytes"


def test_folder_that_is_gone_fails(tmp_path: Path) -> None:
    """One folder that is not there does not hide the others, and no path is shown."""
    found = measured(paths={"gone": str(tmp_path / "gone"), "there": str(tmp_path)}, warn_percent=0, fail_percent=0)
    assert found[0] == failed("missing", subject="gone")
    assert (found[1].subject, found[1].code, found[1].unit) == ("there", "ok", "percent")
    assert str(tmp_path) not in repr(found)


def test_own_folders_are_the_site_s_and_the_temporary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """Without paths the folders are looked at that the process writes to."""
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    applied = Running(platform=a_platform(data=tmp_path), site=a_site())
    monkeypatch.setattr(running, "_current", applied)
    asked: list[str] = []
    monkeypatch.setattr(disk.os, "statvfs", lambda path: asked.append(str(path)) or os.statvfs_result([1] * 10))
    assert [outcome.subject for outcome in DiskProbe().measure()] == ["temporary"]
    (tmp_path / "sites" / "aurora").mkdir(parents=True)
    assert [outcome.subject for outcome in DiskProbe().measure()] == ["data", "temporary"]
    assert asked == [str(tmp_path), str(tmp_path / "sites" / "aurora"), str(tmp_path)]


@pytest.mark.parametrize("options", [{"paths": ["/srv"]}, {"fail_percent": 20}, {"warn_percent": 101}])
def test_disk_option_that_makes_no_sense_is_refused(options: Any) -> None:
    """A mistake is told when settings are read."""
    with pytest.raises(ValueError, match="not accepted"):
        DiskProbe(**options)


def test_disk_is_the_machine_s() -> None:
    """A full disk is not one site's fault."""
    assert DiskProbe.is_shared
