"""Tickets of runs that wait: which count, and what is left of those that do not come to be."""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path

import pytest

from tests.emitters.apply.conftest import World
from wagtail_multihost.emitters.apply.lock import hold_lock
from wagtail_multihost.emitters.apply.output_folder import OutputFolder, prepare_output
from wagtail_multihost.emitters.apply.tickets import find_waiting, is_abandoned, take_ticket
from wagtail_multihost.exceptions import EmitError


@pytest.fixture
def place(world: World) -> OutputFolder:
    return prepare_output(world.directory)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_ticket_has_a_name_that_nobody_guesses_and_leaves_nothing(place: OutputFolder) -> None:
    """Sixteen digits by chance; its file and its descriptor go with it, also where somebody has removed the file."""
    before = descriptors()
    for is_removed in (False, True):
        with take_ticket(place, "a", []) as ticket:
            assert re.fullmatch(r"[0-9a-f]{16}\.ticket", ticket.path.name)
            assert find_waiting(place, "a", ticket) == []
            if is_removed:
                ticket.path.unlink()
        assert list(place.tickets.iterdir()) == []
    assert descriptors() == before


def test_ticket_that_is_taken_for_abandoned_is_taken_anew(place: OutputFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run may remove a draft before its lock is held: the next draft becomes the ticket."""
    real, lost = os.replace, []

    def replace(old: Path, new: Path) -> None:
        if not lost:
            lost.append(old)
            os.unlink(old)
        real(old, new)

    before = descriptors()
    monkeypatch.setattr(os, "replace", replace)
    with take_ticket(place, "a", []) as ticket:
        assert [path.name for path in place.tickets.iterdir()] == [ticket.path.name]
        assert ticket.path.stem != lost[0].stem
        assert descriptors() == before + 1
    assert descriptors() == before


@pytest.mark.parametrize("is_removed", [False, True])
def test_ticket_that_cannot_be_written_leaves_nothing(
    place: OutputFolder, monkeypatch: pytest.MonkeyPatch, is_removed: bool
) -> None:
    """The error is that of the disk, whatever became of the draft."""

    def write(descriptor: int, text: bytes) -> int:
        if is_removed:
            os.unlink(os.readlink(f"/proc/self/fd/{descriptor}"))
        raise OSError(28, "No space left on device")

    before = descriptors()
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        with pytest.raises(OSError, match="No space left on device") as caught:
            take_ticket(place, "a", [])
    assert caught.value.filename.endswith(".tmp")
    assert (list(place.tickets.iterdir()), descriptors()) == ([], before)


@pytest.mark.parametrize(
    ("name", "text", "counts"),
    [
        ("1.ticket", '{"fingerprint": "a", "sites": []}\n', True),
        ("1.tmp", '{"fingerprint": "a", "sites": []}\n', False),
        ("1.ticket", "", False),
        ("1.ticket", '{"fingerprint": "a", "sites": []}', False),
        ("1.ticket", '{"fingerprint": "a", "sites": []}\n{"half', True),
        ("1.ticket", '{"fingerprint": "a", "sites": []}\n{}\n', False),
        ("1.ticket", '{"fingerprint": "b", "sites": []}\n', False),
    ],
)
def test_ticket_counts_when_it_is_whole_and_unanswered(place: OutputFolder, name: str, text: str, counts: bool) -> None:
    """Others that are held are left; one that nobody holds is removed, and does not count."""
    path = place.tickets / name
    path.write_text(text)
    before = descriptors()
    with take_ticket(place, "a", []) as own:
        with path.open("rb") as holder:
            fcntl.flock(holder, fcntl.LOCK_EX)
            assert [ticket.path for ticket in find_waiting(place, "a", own)] == ([path] if counts else [])
            assert path.exists()
        assert find_waiting(place, "a", own) == []
        assert not path.exists() and own.path.exists()
    assert descriptors() == before


def test_ticket_that_is_gone_or_a_link_is_nobodys(place: OutputFolder) -> None:
    """One that is gone was abandoned; a link is not followed."""
    target = place.directory / "target"
    target.touch()
    (place.tickets / "1.ticket").symlink_to(target)
    assert is_abandoned(place.tickets / "gone.ticket") is True
    with pytest.raises(OSError):
        is_abandoned(place.tickets / "1.ticket")
    assert target.exists()


def test_lock_of_nobody_known_is_told(place: OutputFolder) -> None:
    """Who holds it may not have said yet who it is."""
    with place.lock.open("w") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(EmitError, match=r"process unknown\) has held"), hold_lock(place, 0):
            pass
