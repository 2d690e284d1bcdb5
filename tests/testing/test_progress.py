"""What the kit tells while a person waits for it, and how it keeps migrated databases."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from wagtail_multihost.testing.databases import FILE, KEPT, MigratedDatabases, copy_database
from wagtail_multihost.testing.plugin import cache_folder
from wagtail_multihost.testing.progress import Progress


class Clock:
    """A clock that a test puts forward."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def told_by(*steps: tuple[float, str]) -> list[str]:
    """Return the lines that are told when the kit waits, so many seconds after its start, for each of ``steps``."""
    lines: list[str] = []
    clock = Clock()
    progress = Progress(lines.append, clock)
    for seconds, step in steps:
        clock.now = 100.0 + seconds
        progress.begin(step)
        progress.tick()
    return lines


def test_nothing_is_told_of_a_short_run() -> None:
    """A run of less than two seconds is silent."""
    assert told_by((0.5, "starting"), (1.9, "migrating")) == []


def test_each_step_of_a_long_run_is_told() -> None:
    """After two seconds, each step that is waited for is told once, with the seconds since the start."""
    lines = told_by((1, "starting"), (2, "starting"), (3, "starting"), (4, "migrating"))
    assert lines == ["Isolation: starting (2 s)", "Isolation: migrating (4 s)"]


def test_long_step_is_told_again() -> None:
    """Of a step that takes long there is a line every ten seconds."""
    lines = told_by(*((seconds, "migrating") for seconds in range(25)))
    assert lines == [f"Isolation: migrating ({seconds} s)" for seconds in (2, 12, 22)]


def test_migrated_file_is_found_by_its_digest_alone(tmp_path: Path) -> None:
    """A kept file is found under what it was made from, and under nothing else."""
    made = tmp_path / "db.sqlite3"
    made.write_bytes(b"rows")
    kept = MigratedDatabases(tmp_path / "kept")
    assert not kept
    kept.keep(made, "aa")
    assert kept
    assert kept.find("bb") is None
    found = kept.find("aa")
    assert found is not None and found.read_bytes() == b"rows"


def test_oldest_migrated_files_are_removed(tmp_path: Path) -> None:
    """A folder does not grow with every new migration: the newest files stay."""
    made = tmp_path / "db.sqlite3"
    made.write_bytes(b"rows")
    kept = MigratedDatabases(tmp_path / "kept")
    for number in range(KEPT + 2):
        path = kept.keep(made, f"digest{number}")
        os.utime(path, (number, number))
    kept.remove_oldest()
    assert {path.parent.name for path in kept.folder.glob(f"*/{FILE}")} == {f"digest{n}" for n in range(2, KEPT + 2)}


@pytest.mark.parametrize(("before", "after"), [(None, b"migrated"), (b"the project's", b"the project's")])
def test_only_a_site_without_a_database_gets_a_copy(before: bytes | None, after: bytes, tmp_path: Path) -> None:
    """A database that is there, because the project's settings name it, is never overwritten."""
    migrated, own = tmp_path / "migrated", tmp_path / "site" / "db.sqlite3"
    migrated.write_bytes(b"migrated")
    if before is not None:
        own.parent.mkdir()
        own.write_bytes(before)
    copy_database(migrated, str(own))
    assert own.read_bytes() == after


def test_migrated_file_is_kept_in_pytests_cache_where_there_is_one(tmp_path: Path) -> None:
    """The fixture's folder is in pytest's cache; without a cache, or one that can be written to, nothing is kept."""

    def config(folder: Path) -> Any:
        def mkdir(name: str) -> Path:
            (folder / name).mkdir()
            return folder / name

        return SimpleNamespace(cache=SimpleNamespace(mkdir=mkdir))

    assert cache_folder(config(tmp_path)) == tmp_path / "multihost"
    assert cache_folder(config(tmp_path / "missing")) is None
    without: Any = SimpleNamespace()
    assert cache_folder(without) is None
