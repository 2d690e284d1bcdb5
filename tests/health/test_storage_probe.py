"""The probe of storages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from django.core.files.storage import FileSystemStorage, InMemoryStorage
from django.test import override_settings

from wagtail_multihost.exceptions import IdentityError
from wagtail_multihost.health.probe import failed, passed, warned
from wagtail_multihost.health.probes import storage
from wagtail_multihost.health.probes.storage import StorageProbe
from wagtail_multihost.health.status import Criticality

SECRET = "https://bucket.internal/?key=hunter2"


class Faulty(FileSystemStorage):
    """A folder of which the methods in ``faults`` raise; what is saved may get another ``name`` and be cut off."""

    faults: dict[str, Exception] = {}
    name = ""
    cut = False
    calls: list[str] = []

    def note(self, call: str) -> None:
        Faulty.calls.append(call)
        if call in Faulty.faults:
            raise Faulty.faults[call]

    def exists(self, name: str) -> bool:
        self.note("exists")
        return super().exists(name)

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return Faulty.name or name

    def _save(self, name: str, content: Any) -> str:
        saved = super()._save(name, content)
        if Faulty.cut:
            Path(self.path(saved)).write_bytes(b"")
        self.note("save")
        return saved

    def open(self, name: str, mode: str = "rb") -> Any:
        self.note("open")
        return super().open(name, mode)

    def delete(self, name: str) -> None:
        self.note("delete")
        super().delete(name)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the default storage."""
    for name, value in {"faults": {}, "name": "", "cut": False, "calls": []}.items():
        monkeypatch.setattr(Faulty, name, value)
    folder = tmp_path / "media-hunter3"
    folder.mkdir()
    stated = {"default": {"BACKEND": f"{__name__}.Faulty", "OPTIONS": {"location": str(folder)}}}
    with override_settings(STORAGES=stated):
        yield folder


def measured(**options: Any) -> list[Any]:
    return list(StorageProbe(**options).measure())


def test_storage_probe_only_asks_by_default(folder: Path) -> None:
    """Nothing is saved, opened or removed."""
    assert measured() == [passed()]
    assert (Faulty.calls, os.listdir(folder)) == (["exists"], [])


def test_storage_probe_is_a_warning_by_default() -> None:
    """A site whose storage is away still shows its pages."""
    assert (StorageProbe().criticality, StorageProbe().timeout) == (Criticality.DEGRADED, 5)


def test_storage_without_its_folder_fails(folder: Path) -> None:
    """A folder that is gone, such as that of a disk that is not mounted, is told, and is not made."""
    folder.rmdir()
    assert measured(write=True) == [failed("folder_missing")]
    assert not folder.exists()


def test_storage_whose_folder_may_not_be_searched_fails(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`exists` would say for every file that it is not there."""
    asked = []
    monkeypatch.setattr(storage.os, "access", lambda path, mode: asked.append((str(path), mode)))
    assert measured() == [failed("folder_missing")]
    assert asked == [(str(folder), os.X_OK)]


def test_storage_that_does_not_answer_fails(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The outcome has a code only; the log has the exception."""
    Faulty.faults["exists"] = RuntimeError(SECRET)
    assert measured(write=True) == [failed("unreachable")]
    assert SECRET in caplog.text


def test_storage_of_another_site_fails(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The mark of another site has a code of its own."""
    Faulty.faults["exists"] = IdentityError(SECRET)
    assert measured() == [failed("foreign_storage")]
    assert SECRET in caplog.text


def test_known_file_must_be_there(folder: Path) -> None:
    """Where a file is known, its absence is a failure."""
    assert measured(known="logo.svg") == [failed("missing")]
    (folder / "logo.svg").touch()
    assert measured(known="logo.svg") == [passed()]


def test_written_file_is_removed(folder: Path) -> None:
    """A save that works leaves neither a file nor a folder."""
    assert measured(write=True) == [passed()]
    assert os.listdir(folder) == []
    assert Faulty.calls[-3:] == ["save", "open", "delete"]


def test_written_file_is_removed_by_the_name_that_it_got(folder: Path) -> None:
    """A storage may rename what it saves."""
    Faulty.name = "renamed.bin"
    assert measured(write=True) == [passed()]
    assert os.listdir(folder) == []


def test_written_file_that_cannot_be_read_is_removed(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A failure of reading is told, and leaves nothing."""
    Faulty.faults["open"] = OSError(SECRET)
    assert measured(write=True) == [failed("value_lost")]
    assert os.listdir(folder) == []
    assert SECRET in caplog.text


def test_written_file_that_is_cut_off_fails(folder: Path) -> None:
    """What is read is compared with what was written."""
    Faulty.cut = True
    assert measured(write=True) == [failed("value_lost")]
    assert os.listdir(folder) == []


def test_storage_that_cannot_be_written_fails(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The beginning of a file that a full disk keeps is removed too."""
    Faulty.faults["save"] = OSError(28, SECRET)
    assert measured(write=True) == [failed("not_writable")]
    assert os.listdir(folder) == []
    assert SECRET in caplog.text


def test_written_file_that_cannot_be_removed_is_a_warning(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The storage works for the site; the log has the name of what is left."""
    Faulty.faults["delete"] = PermissionError(SECRET)
    assert measured(write=True) == [warned("not_deleted")]
    (left,) = os.listdir(folder)
    assert left.startswith("multihost-probe-") and left in caplog.text


def test_storage_probe_has_another_name_each_time(folder: Path) -> None:
    """Probes that run at the same time do not remove each other's files."""
    Faulty.faults["delete"] = PermissionError()
    for _ in range(2):
        measured(write=True)
    assert len(os.listdir(folder)) == 2


def test_storage_that_has_no_folder_is_asked() -> None:
    """Any storage of Django will do."""
    with override_settings(STORAGES={"default": {"BACKEND": f"{InMemoryStorage.__module__}.InMemoryStorage"}}):
        assert measured(write=True) == [passed()]


class Remote(InMemoryStorage):
    """Stands for an S3 storage: it has the configuration of a client."""

    client_config = Config(region_name="eu-west-1")
    seen: list[Any] = []

    def exists(self, name: str) -> bool:
        Remote.seen.append(self.client_config)
        return False


def test_storage_on_a_server_is_given_up_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default boto3's client tries for minutes; the storage of requests goes on as it is configured."""
    monkeypatch.setattr(Remote, "seen", [])
    with override_settings(STORAGES={"default": {"BACKEND": f"{__name__}.Remote"}}):
        assert measured() == [passed()]
    (used,) = Remote.seen
    assert (used.connect_timeout, used.read_timeout, used.retries["total_max_attempts"]) == (2, 2, 1)
    assert used.region_name == "eu-west-1"
    assert Remote.client_config.retries is None


def test_storage_probe_never_shows_where_files_are(folder: Path) -> None:
    """Outcomes have neither paths nor text of exceptions."""
    found = measured(write=True)
    for fault in ("exists", "save", "open", "delete"):
        Faulty.faults = {fault: OSError(f"{folder}: {SECRET}")}
        found += measured(write=True)
    assert "hunter" not in repr(found) and str(folder) not in repr(found)
