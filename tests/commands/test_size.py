"""multihost_size: how much room a site's database and files take."""

from __future__ import annotations

import io
import json
import os
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command

from tests.identity.conftest import Become, become  # noqa: F401  # a fixture
from wagtail_multihost.management import sizes
from wagtail_multihost.management.sizes import measure_sqlite, measure_storage, sizes_in


def run(*words: str) -> str:
    out = io.StringIO()
    call_command("multihost_size", "aurora", *words, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_command_prints_both(settings: Any, become: Become, tmp_path: Path) -> None:  # noqa: F811
    become()
    settings.MEDIA_ROOT = str(tmp_path)
    default_storage.save("a.txt", ContentFile(b"12345"))
    found = json.loads(run("--json"))
    assert (found["site"], found["storage"]) == ("aurora", 5)
    assert "storage: 5 bytes\n" in run()


def test_what_is_not_written_back_yet_counts(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite3"
    assert measure_sqlite(str(path)) is None
    path.write_bytes(b"x" * 100)
    (tmp_path / "db.sqlite3-wal").write_bytes(b"x" * 10)
    assert measure_sqlite(str(path)) == 110


def test_plain_files_count_once_and_links_do_not(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    folder = tmp_path / "media"
    folder.mkdir()
    (folder / "a").write_bytes(b"x" * 7)
    (folder / "link").symlink_to(folder / "a")
    (folder / "around").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    assert measure_storage() == 7


def test_storage_that_takes_too_long_is_not_known(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    for name in "abc":
        (tmp_path / name).write_bytes(b"x")
    times = count(0, sizes.LONGEST)
    assert measure_storage(lambda: next(times)) is None


def test_bucket_is_listed_below_its_folder() -> None:
    """As django-storages' S3Storage has it."""
    asked: list[str] = []

    def objects(Prefix: str) -> list[Any]:
        asked.append(Prefix)
        return [SimpleNamespace(size=3), SimpleNamespace(size=4)]

    storage = SimpleNamespace(bucket=SimpleNamespace(objects=SimpleNamespace(filter=objects)), location="/media/")
    found = sizes_in(storage)
    assert found is not None and sum(found) == 7
    assert asked == ["media/"]


def test_storage_that_lists_nothing_is_not_known() -> None:
    assert sizes_in(SimpleNamespace()) is None
