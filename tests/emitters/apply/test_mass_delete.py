"""How many files may go at once."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from tests.emitters.apply.conftest import World, emitted
from wagtail_multihost.emitters.apply.differences import Differences, refuse_mass_delete
from wagtail_multihost.emitters.output import Change, State
from wagtail_multihost.exceptions import ApplyError


def differences(removed: int, kept: int, new: int = 0) -> Differences:
    """Return so many removals beside files that stay and new ones."""
    changes = [Change(PurePosixPath(f"conf/r{number}"), State.STALE, "old") for number in range(removed)]
    changes += [Change(path := PurePosixPath(f"conf/n{n}"), State.NEW, "", emitted(str(path), "n")) for n in range(new)]
    return Differences({"fake": changes}, kept=kept)


@pytest.mark.parametrize(
    ("removed", "kept", "new"),
    [(10, 0, 0), (11, 11, 0), (11, 12, 0), (12, 12, 0), (50, 50, 0), (1, 0, 0), (11, 11, 40), (0, 0, 0)],
)
def test_half_of_the_files_and_a_few_may_go(removed: int, kept: int, new: int) -> None:
    """Up to ten files go unasked, and of more up to half of those that are there."""
    refuse_mass_delete(differences(removed, kept, new))


@pytest.mark.parametrize(
    ("removed", "kept", "new"), [(11, 10, 0), (11, 0, 0), (12, 11, 0), (51, 50, 0), (11, 10, 40), (1000, 999, 0)]
)
def test_more_than_half_of_the_files_may_not_go(removed: int, kept: int, new: int) -> None:
    """One file more than half is refused; new files do not make it less."""
    with pytest.raises(ApplyError, match=rf"{removed} of the {removed + kept} files would be removed"):
        refuse_mass_delete(differences(removed, kept, new))


@pytest.mark.parametrize(("left", "is_refused"), [(11, False), (10, True)])
def test_what_stays_is_counted_among_the_files_that_are_there(world: World, left: int, is_refused: bool) -> None:
    """Of 23 files in use 12 stay or 11: changed and unchanged ones stay, and new ones do not count."""
    world.has_generation = False
    world.texts = {"conf/main": "one", **{f"conf/sites/s{number}": "s" for number in range(22)}}
    world.apply()
    world.texts = {"conf/main": "two", **{f"conf/sites/s{number}": "s" for number in range(left)}}
    world.texts |= {f"conf/sites/n{number}": "n" for number in range(30)}
    if is_refused:
        with pytest.raises(ApplyError, match="12 of the 23 files"):
            world.apply()
        assert len(world.found()) == 23
    else:
        assert len(world.apply().removed) == 11
        assert world.found() == world.texts
