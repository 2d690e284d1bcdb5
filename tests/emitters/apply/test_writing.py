"""Comparing and writing without servers, as ``multihost_emit`` does it."""

from __future__ import annotations

import os

import pytest

from tests.accounts import NOBODY, needs_root
from tests.emitters.apply.conftest import World, text_of
from wagtail_multihost.emitters.apply import journal
from wagtail_multihost.emitters.apply.differences import differences
from wagtail_multihost.emitters.apply.lock import locked
from wagtail_multihost.emitters.apply.manifest import Manifest
from wagtail_multihost.emitters.apply.pending import Pending
from wagtail_multihost.emitters.apply.place import Place, prepared
from wagtail_multihost.emitters.apply.writing import compared, written
from wagtail_multihost.exceptions import ApplyError, EmitError


def test_written_files_are_remembered_and_owe_a_reload(world: World) -> None:
    """What is written is known as ours afterwards, and the next apply reloads it; nothing is left of the way."""
    found = written(world.wish())
    assert world.found() == world.texts
    place = Place(world.directory)
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
    assert written(world.wish()).changes == []
    assert (world.directory / ".multihost/manifest.json").stat().st_ino == before
    assert not (world.directory / ".multihost/pending.json").exists()


@pytest.mark.parametrize("run", [compared, written])
def test_what_must_not_be_done_unasked_is_refused(world: World, run: object) -> None:
    """Others' files, edited ones and most of all files stay, until each is allowed by its own option."""
    world.texts |= {f"conf/sites/s{number}": "s" for number in range(20)}
    world.apply()
    full = dict(world.texts)
    (world.directory / "conf/main").write_text("of others\n")
    with pytest.raises(ApplyError, match="--force replaces them"):
        run(world.wish(allow_mass_delete=True))  # type: ignore[operator]
    world.texts = {"conf/main": "one"}
    with pytest.raises(ApplyError, match="--allow-mass-delete"):
        run(world.wish(force=True))  # type: ignore[operator]
    assert len(list((world.directory / "conf/sites").iterdir())) == len(full) - 1
    assert len(run(world.wish(force=True, allow_mass_delete=True)).changes) == 24  # type: ignore[operator]


def test_comparing_writes_nothing(world: World) -> None:
    """What differs is told, and the folder is not even made."""
    assert len(compared(world.wish()).changes) == 4
    assert not world.directory.exists()


def test_a_run_that_died_is_undone_first(world: World) -> None:
    """The journal of a dead run is heeded before files are compared."""
    world.apply()
    world.texts["conf/main"] = "two"
    place = prepared(world.directory)
    journal.keep(place, differences((world.emitter,), world.plan(), Manifest(place)).changes)
    (world.directory / "conf/main").unlink()
    del world.texts["conf/main"]
    assert "conf/main" in written(world.wish()).paths["fake"]
    assert not place.journal.exists() and not (world.directory / "conf/main").exists()


def test_writing_waits_for_other_runs(world: World) -> None:
    """It holds the same lock as an apply, for as long as it is told."""
    with locked(prepared(world.directory), 0), pytest.raises(EmitError, match=r"for 0\.1 seconds or more"):
        written(world.wish(lock_timeout=0.1))
    assert world.found() == {}


@needs_root
@pytest.mark.parametrize("folder", ["conf", "conf/sites"])
def test_folder_that_leads_elsewhere_is_refused(world: World, folder: str) -> None:
    """Root writes into no folder that another account could exchange, in any of the target's folders."""
    world.apply()
    world.texts["conf/main"] = "two"
    os.chown(world.directory / folder, NOBODY, 0)
    with pytest.raises(EmitError, match="not accepted for root's files"):
        written(world.wish())
    assert text_of(world.directory / "conf/main") == "one"
