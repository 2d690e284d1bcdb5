"""Registration under real processes: racing, killed, and on servers that are restored, replaced or upgraded."""

from __future__ import annotations

import json

from tests.control.fleet import Fleet
from tests.control.processes import KILLED, ROUNDS, SHARED, WRITERS, run_task


def test_racing_writers_leave_no_gap_and_lose_no_event(live_fleet: Fleet) -> None:
    """Eight processes: revisions have no gap, a reader misses nothing, one gets the hostname, and nothing deadlocks."""
    found = run_task("race")
    assert found["codes"] == [0] * WRITERS
    assert found["gaps"] == 0
    revisions = [int(revision) for revision, *_ in found["events"]]
    ((head, oldest),) = found["head"]
    assert revisions == list(range(1, int(head) + 1))
    assert oldest == "1"
    assert found["read"] == revisions
    # A platform, two sites; each writer its own and the pair in each round, and one the hostname.
    assert len(revisions) == 1 + 2 + WRITERS * (1 + 3 * ROUNDS) + 1
    assert [name for name, *_ in found["hostnames"]].count(SHARED) == 1
    generations = {site: int(generation) for site, _, generation, *_ in found["sites"]}
    assert generations["left"] == generations["right"] == 1 + WRITERS * ROUNDS


def test_change_that_is_killed_is_made_as_a_whole_or_not_at_all(live_fleet: Fleet) -> None:
    """Before any of its statements, and before the commit: SIGKILL, and nothing is there of it."""
    found = run_task("kill")
    *killed, done = found["states"]
    assert len(killed) > 20
    assert {state["code"] for state in killed} == {KILLED}
    assert all(state["state"] == found["before"] for state in killed)
    assert done["code"] == 0
    after = done["state"]
    assert [event[1] for event in after["events"][-4:]] == [
        "platform.changed",
        "site.disabled",
        "site.retired",
        "site.created",
    ]
    assert len(after["events"]) == len(found["before"]["events"]) + 4 == int(after["head"][0][0])
    assert {json.dumps(name[0]) for name in after["hostnames"]} == {'"new.example.com"', '"other.example.com"'}
