"""Comparing and writing without servers, as ``multihost_emit`` does it."""

from __future__ import annotations

import os

import pytest

from tests.accounts import NOBODY, needs_root
from tests.emitters.apply.conftest import World, text_of
from wagtail_multihost.emitters.apply import journal
from wagtail_multihost.emitters.apply.differences import compare_targets
from wagtail_multihost.emitters.apply.lock import hold_lock
from wagtail_multihost.emitters.apply.manifest import Manifest
from wagtail_multihost.emitters.apply.output_folder import OutputFolder, prepare_output
from wagtail_multihost.emitters.apply.pending import Pending
from wagtail_multihost.emitters.apply.writing import find_changes, write_changes
from wagtail_multihost.exceptions import ApplyError, EmitError


def test_written_files_are_remembered_and_owe_a_reload(world: World) -> None:
    """What is written is known as ours afterwards, and the next apply reloads it; nothing is left of the way."""
    found = write_changes(world.request())
    assert world.found() == world.texts
    place = OutputFolder(world.directory)
    assert Pending(place).paths == found.paths == {"fake": [*world.texts, "conf/generation"]}
    assert set(Manifest(place).files) == {*world.texts, "conf/generation"}
    assert Manifest(place).generations == {"fake": text_of(world.directory / "conf/generation")}
    assert world.remembered() == {"lock", "manifest.json", "pending.json", "tickets"}
    world.apply(reload=world.hook)
    assert len(world.reloads) == 1


def test_nothing_is_noted_where_nothing_differs(world: World) -> None:
    """A second run writes nothing, and owes nothing."""
    world.apply(reload=world.hook)
    before = (world.directory / ".multihost/manifest.json").stat().st_ino
    assert write_changes(world.request()).changes == []
    assert (world.directory / ".multihost/manifest.json").stat().st_ino == before
    assert not (world.directory / ".multihost/pending.json").exists()


@pytest.mark.parametrize("run", [find_changes, write_changes])
def test_what_must_not_be_done_unasked_is_refused(world: World, run: object) -> None:
    """Others' files, edited ones and most of all files stay, until each is allowed by its own option."""
    world.texts |= {f"conf/sites/s{number}": "s" for number in range(20)}
    world.apply()
    full = dict(world.texts)
    (world.directory / "conf/main").write_text("of others\n")
    with pytest.raises(ApplyError, match="--force replaces them"):
        run(world.request(allow_mass_delete=True))  # type: ignore[operator]
    world.texts = {"conf/main": "one"}
    with pytest.raises(ApplyError, match="--allow-mass-delete"):
        run(world.request(force=True))  # type: ignore[operator]
    assert len(list((world.directory / "conf/sites").iterdir())) == len(full) - 1
    assert len(run(world.request(force=True, allow_mass_delete=True)).changes) == 24  # type: ignore[operator]


def test_comparing_writes_nothing(world: World) -> None:
    """What differs is told, and the folder is not even made."""
    assert len(find_changes(world.request()).changes) == 4
    assert not world.directory.exists()


def test_a_run_that_died_is_undone_first(world: World) -> None:
    """The journal of a dead run is heeded before files are compared."""
    world.apply()
    world.texts["conf/main"] = "two"
    place = prepare_output(world.directory)
    journal.keep_old_files(place, compare_targets((world.emitter,), world.plan(), Manifest(place)).changes)
    (world.directory / "conf/main").unlink()
    del world.texts["conf/main"]
    assert "conf/main" in write_changes(world.request()).paths["fake"]
    assert not place.journal.exists() and not (world.directory / "conf/main").exists()


def test_writing_waits_for_other_runs(world: World) -> None:
    """It holds the same lock as an apply, for as long as it is told."""
    with hold_lock(prepare_output(world.directory), 0), pytest.raises(EmitError, match=r"for 0\.1 seconds or more"):
        write_changes(world.request(lock_timeout=0.1))
    assert world.found() == {}


@needs_root
@pytest.mark.parametrize("folder", ["conf", "conf/sites"])
def test_folder_that_leads_elsewhere_is_refused(world: World, folder: str) -> None:
    """Root writes into no folder that another account could exchange, in any of the target's folders."""
    world.apply()
    world.texts["conf/main"] = "two"
    os.chown(world.directory / folder, NOBODY, 0)
    with pytest.raises(EmitError, match="not accepted for root's files"):
        write_changes(world.request())
    assert text_of(world.directory / "conf/main") == "one"
