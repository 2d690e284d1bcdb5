"""Runs that wait for each other, and are taken together."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.emitters.apply.conftest import World
from tests.servers.processes import wait_for
from wagtail_multihost.emitters.apply import ApplyResult
from wagtail_multihost.emitters.apply.output_folder import prepare_output
from wagtail_multihost.emitters.apply.tickets import find_waiting, take_ticket
from wagtail_multihost.exceptions import ApplyError


class Door:
    """A first run that stays in its registry until the door opens, and writes what there was when it entered."""

    def __init__(self, world: World) -> None:
        self.world = replace(world, texts=dict(world.texts))
        self.entered, self.opened = threading.Event(), threading.Event()

    def load(self) -> object:
        self.entered.set()
        self.opened.wait(60)
        return self.world.plan()

    def waiters(self) -> int:
        return len(list((self.world.directory / ".multihost/tickets").glob("*.ticket")))


def changes(world: World, number: int, *sites: str, **options: object) -> ApplyResult | str:
    world.texts[f"conf/sites/s{number}"] = "s"
    try:
        return world.apply(*sites, reload=world.hook, **options)
    except ApplyError as error:
        return str(error)


@pytest.fixture
def door(world: World) -> Door:
    return Door(world)


@pytest.mark.parametrize("by_site", [False, True])
def test_changes_that_wait_are_taken_together(world: World, door: Door, by_site: bool) -> None:
    """30 changes while one run is busy need two reloads, whichever sites they name, and none is forgotten."""
    world.apply(reload=world.hook)
    with ThreadPoolExecutor(31) as pool:
        first = pool.submit(door.world.apply, reload=world.hook, load=door.load)
        door.entered.wait(60)
        others = [pool.submit(changes, world, number, *([f"s{number}"] if by_site else [])) for number in range(30)]
        wait_for(lambda: door.waiters() == 31, "31 tickets")
        door.opened.set()
        results = [other.result() for other in others]
    assert first.result().changed == ()
    assert world.found() == world.texts
    assert len(world.reloads) == 2
    assert sum(result.together for result in results if isinstance(result, ApplyResult)) == 29
    assert len({replace(result, seconds=0.0, together=False) for result in results}) == 1  # type: ignore[type-var]
    assert door.waiters() == 0


def test_a_failure_is_told_to_all_that_waited(world: World, door: Door) -> None:
    """A hook that fails runs for all that wait together, not once for each."""
    world.apply(reload=world.hook)
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(world.apply, load=door.load)
        door.entered.wait(60)
        log = world.folder / "tries"
        hook = ("sh", "-c", f"echo >> {log}; exit 3")

        def failing(number: int) -> str:
            world.texts[f"conf/sites/s{number}"] = "s"
            with pytest.raises(ApplyError) as caught:
                world.apply(reload=hook, fingerprint="failing")
            return str(caught.value)

        others = [pool.submit(failing, number) for number in range(5)]
        wait_for(lambda: door.waiters() == 6, "6 tickets")
        door.opened.set()
        said = {other.result() for other in others}
    first.result()
    assert len(said) == 1
    assert log.read_text() == "\n\n"  # the new files, and the old ones


def test_runs_with_other_options_are_not_taken_together(world: World, door: Door) -> None:
    """Each hook runs for its own."""
    world.apply(reload=world.hook)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(world.apply, load=door.load)
        door.entered.wait(60)
        others = [pool.submit(changes, world, number, fingerprint=str(number)) for number in range(2)]
        wait_for(lambda: door.waiters() == 3, "3 tickets")
        door.opened.set()
        results = [other.result() for other in others]
    first.result()
    assert not any(result.together for result in results if isinstance(result, ApplyResult))
    assert world.found() == world.texts


def test_a_site_that_is_not_there_is_not_taken_for_others(world: World) -> None:
    """Who asks for an unknown site gets no answer from another run, and that run does not fail for it."""
    place = prepare_output(world.directory)
    with take_ticket(place, "", ["nobody"]) as ticket:
        world.apply("aurora")
        assert ticket.answer() is None


def test_a_ticket_of_a_dead_run_is_removed(world: World) -> None:
    """A ticket that nobody holds is not served, and goes."""
    place = prepare_output(world.directory)
    pid = os.fork()
    if not pid:
        take_ticket(place, "", [])
        os._exit(0)
    os.waitpid(pid, 0)
    assert len(os.listdir(place.tickets)) == 1
    with take_ticket(place, "", []) as own:
        assert find_waiting(place, "", own) == []
        assert os.listdir(place.tickets) == [own.path.name]
