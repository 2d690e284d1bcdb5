"""What a healer asks, does, keeps and says, with a database, an agent and a monitor that the test plays."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.accounts import IS_ROOT, NOBODY
from tests.node.machine import Machine
from wagtail_multihost.node.heal_memory import FILE_NAME, Memory, read_memory
from wagtail_multihost.node.healer import Healer
from wagtail_multihost.node.healing import MOST_RESTARTS
from wagtail_multihost.node.options import read_agent_options
from wagtail_multihost.node.reading import Known
from wagtail_multihost.nodeapi.connection import RefusedError, UnreachableError
from wagtail_multihost.nodeapi.heal_steps import (
    APPLY,
    DONE,
    FAILED,
    GRANTED,
    HEALED,
    NO_PEER,
    NODE,
    READ,
    RESTART,
    STOP,
)
from wagtail_multihost.nodeapi.healing_v1 import END_STEP, MAY_HEAL, MAY_STAY_UNHEALTHY
from wagtail_multihost.nodeapi.node_states import ACTIVE, ALL, HEALING, MONITOR_REFUSED, MONITOR_SILENT, UNHEALTHY
from wagtail_multihost.nodeapi.observations_v1 import REPORT
from wagtail_multihost.nodeapi.probe_files import STALE_AFTER, Observation, Observed, render_observed
from wagtail_multihost.nodeapi.probe_states import DOWN, REFUSED, UP
from wagtail_multihost.registry.node_file import read_node_file

PAUSE = 100.0


class Stage:
    """A node whose only site is aurora."""

    def __init__(self, folder: Path, agent: str = "") -> None:
        lines = [f'probe_targets = "{folder}/run/targets.json"', f'observations = "{folder}/observations.json"']
        lines += [f"heal_pause = {PAUSE}", 'monitor_user = "nobody"', f'state = "{folder}/state"', agent]
        self.folder, self.machine = folder, Machine(folder, "aurora", agent="\n".join(lines))
        self.options = read_agent_options(read_node_file(self.machine.environ))
        self.specs = self.machine.specs
        self.clock, self.wall, self.serial = 5000.0, 1_000_000.0, 0
        self.answer, self.is_away, self.refusal = GRANTED, False, ""
        self.asked: list[str] = []
        self.outcomes: list[str] = []
        self.reports: list[tuple[Any, ...]] = []
        self.done: list[str] = []
        self.is_read = True
        self.state, self.since = "", 0.0
        self.reader, self.writer = socket.socketpair()
        self.healer = self.start()

    def start(self) -> Healer:
        """Start the agent's healer, as after a start of the agent."""
        node = {"id": "web1", "holds": ALL, "address": "", "state": ACTIVE}
        site = self.specs.sites["aurora"]
        known = Known("i", 1, 0, node, {}, {"aurora": {"uid": str(site.uid), "generation": 1}})
        holds = SimpleNamespace(sites=frozenset(), everything=None)
        agent: Any = SimpleNamespace(
            options=self.options,
            database=SimpleNamespace(target=SimpleNamespace(url="postgres:///?service=none")),
            planner=SimpleNamespace(
                specs=self.specs,
                known=known,
                is_front=False,
                folder=self.folder / "state",
                holds=holds,
                kept=frozenset(),
            ),
            entrance=SimpleNamespace(state=ACTIVE, starting=None, changed_at=0.0),
            rereads=SimpleNamespace(ask=self.read_again, wake=lambda: self.done.append("wake")),
            integrity=SimpleNamespace(ask=lambda: self.done.append(APPLY)),
            restarting=threading.Lock(),
            stopping=self.reader.fileno(),
        )
        self.agent = agent
        files = (self.folder / "run" / "targets.json", self.folder / "observations.json")
        healer = Healer(agent, *files, lambda: self.clock, lambda: self.wall)
        healer.ask = healer.link.ask = self.ask  # type: ignore[method-assign]
        healer.link.clock = lambda: self.clock
        healer.link.started_at = self.clock
        return healer

    def read_again(self, site: str) -> Future[str]:
        self.done.append(f"{READ} {site}")
        found: Future[str] = Future()
        found.set_result("" if self.is_read else "It was refused.")
        return found

    def ask(self, statement: str, values: tuple[Any, ...]) -> Any:
        """Answer as the database does."""
        if self.is_away:
            raise UnreachableError("It is away.")
        if statement == REPORT:
            if self.refusal:
                raise RefusedError("There is no such function.", self.refusal)
            self.reports.append(values)
            return (True,)
        if statement == MAY_HEAL:
            self.asked.append(values[1])
            return (self.answer, uuid4() if self.answer == GRANTED else None)
        if statement == END_STEP:
            self.outcomes.append(values[1])
            return (True,)
        assert statement == MAY_STAY_UNHEALTHY
        return (self.answer,)

    def say(
        self, state: str, reason: str = "", *, hostname: str = "aurora.example.com", at: float | None = None
    ) -> None:
        """Let the monitor say how the site is."""
        self.serial += 1
        self.since = self.since if state == self.state else self.clock - 10
        self.state = state
        observation = Observation(hostname, state, reason, since=self.since)
        said = Observed("web1", UUID(int=1), "1", self.serial, at or self.clock, None, (observation,))
        path = self.folder / "observations.json"
        path.write_bytes(render_observed(said))
        if IS_ROOT:
            os.chown(path, NOBODY, -1)

    def turn(self, state: str | None = DOWN, seconds: float = PAUSE + 1) -> list[str]:
        """Let time pass and the monitor speak, and look; return what was asked."""
        self.clock, self.wall, self.asked = self.clock + seconds, self.wall + seconds, []
        if state is not None:
            self.say(state, REFUSED if state == DOWN else "")
        self.healer.turn()
        return self.asked

    def is_so(self, kind: str) -> bool:
        return self.healer.said[kind].status


@pytest.fixture(name="make")
def _make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Stage]]:
    tmp_path.chmod(0o755)
    made: list[Stage] = []

    def make(agent: str = "") -> Stage:
        stage = Stage(tmp_path, agent)
        monkeypatch.setattr(
            "wagtail_multihost.node.taking_steps.restart_site",
            lambda *given: stage.done.append(f"{RESTART} {given[2].id}"),
        )
        made.append(stage)
        return stage

    yield make
    for stage in made:
        stage.reader.close()
        stage.writer.close()


def test_steps_are_asked_for_taken_and_told(make: Callable[..., Stage]) -> None:
    stage = make()
    assert [stage.turn() for _ in range(3)] == [[READ], [APPLY], [RESTART]]
    assert [one for one in stage.done if one != "wake"] == ["read aurora", "apply", "read aurora", "restart aurora"]
    assert stage.turn(UP) == []
    assert stage.outcomes == [DONE, DONE, DONE, HEALED]
    assert not stage.is_so(HEALING)


def test_what_the_monitor_says_is_passed_on_once(make: Callable[..., Stage]) -> None:
    stage = make()
    stage.turn(UP)
    assert len(stage.reports) == 1
    stage.turn(None, 1)
    assert len(stage.reports) == 1
    stage.turn(UP, 1)
    assert stage.reports[1][3] == "[]", "nothing has changed"


def test_older_database_is_asked_seldom_and_changes_nothing_else(
    make: Callable[..., Stage], caplog: pytest.LogCaptureFixture
) -> None:
    stage = make()
    stage.refusal = "42883"
    assert stage.turn() == [READ]
    stage.turn(seconds=1)
    assert caplog.text.count("The database knows no monitors yet") == 1
    assert stage.healer.link.retries.failures == 1


def test_refused_step_is_not_taken_and_is_said(make: Callable[..., Stage]) -> None:
    stage = make()
    stage.turn(), stage.turn()
    stage.answer = NO_PEER
    assert stage.turn() == [RESTART]
    assert "restart aurora" not in stage.done
    assert "aurora: The node was compared" in stage.healer.said[HEALING].message
    assert "No other node serves it well" in stage.healer.said[HEALING].message


def test_without_the_database_only_what_cannot_hurt_is_done(make: Callable[..., Stage]) -> None:
    stage = make()
    stage.is_away = True
    for _ in range(8):
        stage.turn()
    assert "restart aurora" not in stage.done
    assert "apply" in stage.done
    assert not stage.healer.is_unhealthy


def test_node_file_lets_sites_be_restarted_without_the_database_so_often(make: Callable[..., Stage]) -> None:
    stage = make("heal_alone = 1")
    stage.is_away = True
    for state in [DOWN] * 3 + [UP] + [DOWN] * 20:
        stage.turn(state)
    assert stage.done.count("restart aurora") == 1
    stage.wall += 3600
    for _ in range(3):
        stage.turn()
    assert stage.done.count("restart aurora") == 2


def test_start_of_the_agent_begins_no_ladder_anew(make: Callable[..., Stage]) -> None:
    """An agent that is killed again and again does not restart a site again and again."""
    stage = make()
    taken = []
    for _ in range(20):
        taken += stage.turn()
        stage.healer = stage.start()
    assert taken[:3] == [READ, APPLY, RESTART]
    assert taken.count(RESTART) <= MOST_RESTARTS


def test_step_that_kills_the_agent_is_not_taken_again(make: Callable[..., Stage]) -> None:
    """It is kept before it is taken."""
    stage = make()
    stage.turn(), stage.turn()

    def die(*given: Any) -> None:
        raise SystemExit

    stage.healer.taker.restart = die  # type: ignore[method-assign, assignment]
    with pytest.raises(SystemExit):
        stage.turn()
    assert read_memory(stage.folder / "state").ladders["aurora"].step == RESTART


def test_step_that_fails_is_told(make: Callable[..., Stage]) -> None:
    stage = make()
    stage.is_read = False
    stage.turn()
    assert stage.outcomes == [FAILED]
    stage.turn()
    stage.agent.restarting.acquire()
    stage.turn()
    assert stage.outcomes == [FAILED, FAILED, FAILED]


def test_node_is_unhealthy_as_long_as_others_serve_and_no_longer(make: Callable[..., Stage]) -> None:
    stage = make()
    assert [stage.turn() for _ in range(4)][3] == [NODE]
    assert (stage.healer.is_unhealthy, stage.is_so(UNHEALTHY)) == (True, True)
    stage.turn()
    assert stage.healer.is_unhealthy
    stage.answer = NO_PEER
    stage.turn()
    assert not stage.healer.is_unhealthy


@pytest.mark.parametrize("what", ["well", "silent", "away"])
def test_node_is_healthy_again_when_nothing_says_otherwise(make: Callable[..., Stage], what: str) -> None:
    """Its sites answer, or nobody looks any more, or the database is away: then nothing is replaced."""
    stage = make()
    for _ in range(4):
        stage.turn()
    stage.is_away = what == "away"
    stage.turn({"well": UP, "silent": None, "away": DOWN}[what], STALE_AFTER + 1)
    assert not stage.healer.is_unhealthy
    if what == "well":
        assert stage.outcomes[-1] == HEALED


def test_node_that_was_replaced_says_so_and_asks_for_no_more(make: Callable[..., Stage]) -> None:
    stage = make()
    for _ in range(4):
        stage.turn()
    stage.healer = stage.start()
    outcomes = len(stage.outcomes)
    assert stage.turn() == [STOP] or stage.asked == []
    assert not stage.healer.is_unhealthy
    assert stage.outcomes[outcomes] == DONE
    assert NODE not in [step for _ in range(5) for step in stage.turn()]


@pytest.mark.parametrize(("reach", "most"), [("nothing", []), ("sites", [READ, APPLY, RESTART, STOP])])
def test_node_file_says_how_far_healing_goes(make: Callable[..., Stage], reach: str, most: list[str]) -> None:
    stage = make(f'heal = "{reach}"')
    assert [step for _ in range(9) for step in stage.turn()] == most


def test_silent_monitor_is_said_and_leads_to_nothing(make: Callable[..., Stage]) -> None:
    stage = make()
    assert stage.turn(None) == []
    assert not stage.is_so(MONITOR_SILENT), "it has only just begun"
    assert stage.turn(None, STALE_AFTER) == []
    assert stage.is_so(MONITOR_SILENT)
    stage.turn(UP)
    assert not stage.is_so(MONITOR_SILENT)


def test_refused_file_is_said_and_leads_to_nothing(make: Callable[..., Stage]) -> None:
    stage = make()
    (stage.folder / "observations.json").symlink_to("/etc/passwd")
    assert stage.turn(None) == []
    assert stage.is_so(MONITOR_REFUSED)
    assert "symbolic links" in stage.healer.said[MONITOR_REFUSED].message


def test_held_node_heals_nothing(make: Callable[..., Stage]) -> None:
    stage = make()
    stage.agent.planner.kept = frozenset({"aurora"})
    assert [step for _ in range(5) for step in stage.turn()] == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b'{"format": 2}',
        b'{"format": 1, "ladders": {"aurora": {}}, "alone": []}',
        b'{"format": 1, "ladders": {}, "alone": ["x"]}',
        b'{"format": 1, "ladders": {}, "alone": [NaN]}',
        b"[" * 5000,
    ],
)
def test_memory_that_cannot_be_read_is_none(
    make: Callable[..., Stage], data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    stage = make()
    stage.turn()
    path = stage.folder / "state" / FILE_NAME
    path.write_bytes(data)
    healer = stage.start()
    assert healer.memory == Memory()
    assert "It was not written by an agent of this version." in caplog.text
    path.chmod(0o644)
    assert stage.start().memory == Memory()


def test_thread_ends_when_it_is_told_to(make: Callable[..., Stage]) -> None:
    stage = make()
    stage.say(UP)
    stage.healer.start()
    stage.healer.stop()
    assert not stage.healer.thread.is_alive()
