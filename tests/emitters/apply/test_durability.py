"""What is on the disk before what, so that a power cut leaves all of the old files, or what undoes the new ones."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emitters.apply.conftest import FAILING, World, text_of
from wagtail_multihost.exceptions import ApplyError
from wagtail_multihost.files.writing import DRAFT


class Disk:
    """The steps that count for a power cut, in their order, such as ``("sync", "conf/main")``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.steps: list[tuple[str, str]] = []

    def note(self, step: str, path: object) -> None:
        name = os.path.relpath(os.fspath(path), self.folder)  # type: ignore[call-overload]
        folder, base = os.path.split(name)
        self.steps.append((step, os.path.join(folder, "DRAFT") if DRAFT.fullmatch(base) else name))

    def at(self, step: str, path: str, first: int = 0) -> int:
        """Return when a step was first made, from the step ``first`` on."""
        return self.steps.index((step, path), first)

    def last(self, step: str, path: str) -> int:
        return len(self.steps) - 1 - self.steps[::-1].index((step, path))


@pytest.fixture
def disk(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """The steps of the second apply, which changes a file, makes one and removes one."""
    world.apply()
    world.texts |= {"conf/main": "two", "conf/sites/corona": "c"}
    del world.texts["conf/sites/borealis"]
    disk = Disk(world.directory)
    reals = {name: getattr(os, name) for name in ("fsync", "replace", "unlink", "link", "sync")}

    def fsync(descriptor: int) -> None:
        disk.note("sync", os.readlink(f"/proc/self/fd/{descriptor}"))
        reals["fsync"](descriptor)

    def replace(old: object, new: object) -> None:
        disk.note("put", new)
        reals["replace"](old, new)

    def unlink(path: object, **options: object) -> None:
        disk.note("remove", path)
        reals["unlink"](path, **options)

    def link(old: object, new: object, **options: object) -> None:
        disk.note("link", new)
        reals["link"](old, new, **options)

    with monkeypatch.context() as patch:
        for double in (fsync, replace, unlink, link):
            patch.setattr(os, double.__name__, double)
        patch.setattr(os, "sync", lambda: disk.steps.append(("sync all", "")))
        yield disk


def test_new_files_are_on_the_disk_before_anything_is_swapped(world: World, disk: Disk) -> None:
    """Each draft is synchronized before the first one takes its place."""
    world.apply()
    first = min(disk.at("put", path) for path in ("conf/main", "conf/sites/corona", "conf/generation"))
    assert disk.steps[:first].count(("sync", "conf/DRAFT")) == 2
    assert disk.steps[:first].count(("sync", "conf/sites/DRAFT")) == 1


def test_journal_is_on_the_disk_after_the_backups_and_before_the_swap(world: World, disk: Disk) -> None:
    """The names of the old files, then the journal, then its name; only then are files changed."""
    world.apply()
    backups = [number for number, (step, path) in enumerate(disk.steps) if path.startswith(".multihost/backups/")]
    assert len(backups) == 3
    folder = disk.at("sync", ".multihost/backups", max(backups))
    text = disk.at("sync", ".multihost/DRAFT", folder)
    name = disk.at("put", ".multihost/journal.json", text)
    durable = disk.at("sync", ".multihost", name)
    manifest = disk.at("put", ".multihost/manifest.json", durable)
    assert durable < manifest < disk.at("put", "conf/main")
    assert manifest < disk.at("remove", "conf/sites/borealis")


def test_mark_of_a_reload_is_on_the_disk_before_the_swap(world: World, disk: Disk) -> None:
    """A process that dies after the swap leaves a reload that is owed."""
    world.apply(reload=world.hook)
    mark = disk.at("put", ".multihost/pending.json")
    assert mark < disk.at("sync", ".multihost", mark) < disk.at("put", "conf/main")
    assert disk.last("remove", ".multihost/pending.json") > disk.last("remove", ".multihost/journal.json")


def test_names_are_on_the_disk_before_the_journal_goes(world: World, disk: Disk) -> None:
    """The folders of what was swapped and removed are synchronized before the old files are given up."""
    world.apply()
    swapped = max(
        disk.at("put", "conf/main"), disk.at("put", "conf/sites/corona"), disk.at("remove", "conf/sites/borealis")
    )
    gone = disk.last("remove", ".multihost/journal.json")
    assert swapped < disk.at("sync", "conf", swapped) < gone
    assert swapped < disk.at("sync", "conf/sites", swapped) < gone
    assert gone < disk.at("sync", ".multihost", gone) < disk.last("put", ".multihost/manifest.json")


def test_old_files_are_on_the_disk_before_their_journal_goes(world: World, disk: Disk) -> None:
    """The same holds for a rollback, in both folders."""
    with pytest.raises(ApplyError):
        world.apply(reload=FAILING)
    back = max(disk.last("put", "conf/main"), disk.last("put", "conf/sites/borealis"))
    gone = disk.last("remove", ".multihost/journal.json")
    assert back < disk.at("sync", "conf", back) < gone
    assert back < disk.at("sync", "conf/sites", back) < gone
    assert disk.last("remove", "conf/sites/corona") < gone
    # What a crash leaves of it has a name that the next run removes.
    assert {("link", "conf/DRAFT"), ("link", "conf/sites/DRAFT")} <= set(disk.steps)
    assert text_of(world.directory / "conf/main") == "one"
