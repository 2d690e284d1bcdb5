"""What an apply is asked for where nobody says more, and what it says where it does nothing."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from tests.emitters.apply.conftest import World
from tests.emitters.conftest import make_plan
from wagtail_multihost.emitters.apply import ApplyRequest, ApplyResult


def test_what_a_wish_does_not_say_is_careful() -> None:
    """Nothing is forced, reloaded or asked, and the times are those of the commands."""
    request = ApplyRequest(emitters=(), directory=Path("/x"), load=make_plan)
    assert (request.force, request.allow_mass_delete, request.reload, request.verify) == (False, False, (), "")
    assert (request.reload_timeout, request.verify_timeout, request.lock_timeout) == (60, 10, 600)
    assert (request.fingerprint, request.sites, request.targets) == ("", frozenset(), ())
    assert list(request.watch(3, "files")([1, 2])) == [1, 2]


def test_result_of_a_run_that_does_nothing_says_nothing(world: World) -> None:
    """Nothing was changed, removed, reloaded or verified, by this run or another one."""
    world.has_generation = False
    world.apply(reload=world.hook)
    assert asdict(replace(world.apply(reload=world.hook), seconds=1.5)) == {
        **{"changed": (), "removed": (), "reloaded": False, "verified": False},
        **{"generation": "", "seconds": 1.5, "together": False},
    }
    assert ApplyResult().seconds == 0.0
