"""Which incidents there are, of invented observations and an invented clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from uuid import NAMESPACE_DNS, UUID, uuid5

from wagtail_multihost.nodeapi.incident_words import (
    CHANGED,
    CLOSED,
    COURIER,
    DATABASE,
    DISK,
    DISK_FULL,
    FLAPPING,
    FRONT,
    MANY,
    MONITOR,
    MONITOR_SILENT,
    NODE,
    NODE_SILENT,
    OF_SITE,
    OPENED,
    REOPENED_WITHIN,
    SILENT_AFTER,
    SITE_DOWN,
    SITES_DOWN,
    WRONG_SITE,
)
from wagtail_multihost.nodeapi.probe_states import (
    DNS,
    DOWN,
    MAINTENANCE,
    NOT_READY,
    OUTSIDE,
    REFUSED,
    STATUS,
    TIMEOUT,
    UP,
    WRONG_PROOF,
)
from wagtail_multihost.nodeapi.probe_states import WRONG_SITE as STATE_WRONG_SITE
from wagtail_multihost.operations.operator.incident_facts import Cause, Facts, Incident, Key, Process, Seen, Step
from wagtail_multihost.operations.operator.incidents import (
    CALM,
    CALM_OF_FLAPPING,
    FLAPS,
    MANY_SITES,
    SETTLE,
    decide,
)

SITES = 20
Told = list[tuple[str, str, Cause]]


def uid_of(site: str) -> UUID:
    return uuid5(NAMESPACE_DNS, site)


@dataclass
class World:
    """A fleet that is watched: what was seen, and the incidents as they were kept."""

    now: float = 1_000_000.0
    rows: dict[Key, Seen] = field(default_factory=dict)
    processes: dict[str, Process] = field(default_factory=dict)
    kept: dict[UUID, Incident] = field(default_factory=dict)
    folded: dict[UUID, UUID] = field(default_factory=dict)
    sites: dict[tuple[str, str], int] = field(default_factory=dict)
    awake: float = 1e9

    def see(
        self, site: str, state: str, reason: str = "", place: str = OUTSIDE, server: str = "db:5432", nodes: str = ""
    ) -> None:
        """Let a monitor conclude something of a site's hostname now."""
        known = self.rows.get((f"{site}.example.org", place))
        since = known.since if known is not None and known.state == state else self.now
        self.rows[f"{site}.example.org", place] = Seen(
            f"{site}.example.org",
            place,
            uid_of(site),
            site,
            state,
            reason,
            None,
            since,
            True,
            server,
            tuple(nodes.split()) or ("web1", "web2"),
        )

    def see_all(self, sites: Iterable[int], state: str, reason: str = "", **more: str) -> None:
        for number in sites:
            self.see(f"site-{number}", state, reason, **more)

    def look(self, seconds: float = 0) -> Told:
        """Let so many seconds pass, and decide; return what people are told."""
        return [(step.word, step.incident.kind, step.incident.cause) for step in self.steps(seconds) if step.word]

    def steps(self, seconds: float = 0) -> list[Step]:
        self.now += seconds
        current = (
            one
            for one in self.kept.values()
            if one.till is None or (one.id not in self.folded and one.till > self.now - REOPENED_WITHIN)
        )
        found = decide(
            Facts(
                self.now,
                tuple(self.rows.values()),
                self.sites,
                tuple(self.processes.values()),
                tuple(current),
                self.awake,
            )
        )
        for step in found:
            self.kept[step.incident.id] = step.incident
            if step.folded is not None:
                self.folded[step.incident.id] = step.folded
        open_ones = [one.cause for one in self.kept.values() if one.till is None]
        assert len(open_ones) == len(set(open_ones)), "two incidents of one cause are open"
        return found

    def is_quiet(self, seconds: float) -> bool:
        """Return whether nobody is told anything for so long, with a look each ten seconds."""
        return not any(self.look(10) for _ in range(int(seconds // 10)))


def fleet(**sites: int) -> World:
    """Return a fleet of sites on one database server, all of them seen from outside."""
    return World(
        sites={("server", "db:5432"): SITES, ("place", OUTSIDE): SITES, **{("place", k): v for k, v in sites.items()}}
    )


def own(site: str) -> Cause:
    return Cause(OF_SITE, site)


def test_one_site_is_told_once_and_its_recovery_once() -> None:
    """After it has lasted, not before; and it is over once it was good for a while."""
    world = fleet()
    world.see("aurora", DOWN, REFUSED)
    assert world.look(SETTLE - 1) == []
    assert world.look(1) == [(OPENED, SITE_DOWN, own("aurora"))]
    assert world.is_quiet(3_000)
    world.see("aurora", UP)
    assert world.look(CALM - 1) == []
    assert world.look(1) == [(CLOSED, SITE_DOWN, own("aurora"))]
    assert world.is_quiet(3_000)


def test_summary_names_the_site_and_why() -> None:
    world = fleet()
    world.see("aurora", DOWN, REFUSED)
    (step,) = world.steps(SETTLE)
    assert step.summary == "aurora is down. The connection was refused."
    assert (step.incident.site, step.incident.sites) == (uid_of("aurora"), 1)


def test_blip_is_no_incident() -> None:
    world = fleet()
    world.see("aurora", DOWN, TIMEOUT)
    assert world.look(SETTLE - 10) == []
    world.see("aurora", UP)
    assert world.is_quiet(600)


def test_site_in_maintenance_opens_none() -> None:
    world = fleet()
    world.see("aurora", MAINTENANCE)
    assert world.is_quiet(600)
    world.see("borealis", DOWN, STATUS)
    assert world.look(SETTLE) == [(OPENED, SITE_DOWN, own("borealis"))]
    world.see("borealis", MAINTENANCE)
    assert world.look(CALM) == [(CLOSED, SITE_DOWN, own("borealis"))]


def test_another_site_that_answers_is_told_as_such() -> None:
    world = fleet()
    world.see("aurora", STATE_WRONG_SITE, WRONG_PROOF)
    assert world.look(SETTLE) == [(OPENED, WRONG_SITE, own("aurora"))]


def test_same_again_within_minutes_is_the_same_incident() -> None:
    """And later it is another one."""
    world = fleet()
    world.see("aurora", DOWN, REFUSED)
    world.look(SETTLE)
    world.see("aurora", UP)
    world.look(CALM)
    world.now += REOPENED_WITHIN - SETTLE - 10
    world.see("aurora", DOWN, REFUSED)
    assert world.look(SETTLE) == [(OPENED, SITE_DOWN, own("aurora"))]
    assert len(world.kept) == 1
    world.see("aurora", UP)
    world.look(CALM)
    world.now += REOPENED_WITHIN
    world.see("aurora", DOWN, REFUSED)
    assert world.look(SETTLE) == [(OPENED, SITE_DOWN, own("aurora"))]
    assert len(world.kept) == 2


def test_flapping_is_told_once_until_it_is_calm() -> None:
    world = fleet()
    told: Told = []
    for _ in range(FLAPS + 6):
        world.see("aurora", DOWN, REFUSED)
        told += world.look(SETTLE)
        world.see("aurora", UP)
        told += world.look(CALM - 10)
    assert told == [(OPENED, SITE_DOWN, own("aurora")), (CHANGED, FLAPPING, own("aurora"))]
    assert world.is_quiet(CALM_OF_FLAPPING - CALM)
    assert world.look(CALM) == [(CLOSED, FLAPPING, own("aurora"))]


def test_slow_flapping_that_closes_in_between_is_damped_too() -> None:
    """Each time it is the same incident again, until it flaps."""
    world = fleet()
    told: Told = []
    for _ in range(FLAPS + 6):
        world.see("aurora", DOWN, REFUSED)
        told += world.look(SETTLE)
        world.see("aurora", UP)
        told += world.look(CALM)
        world.look(30)
    assert len(world.kept) == 1
    assert told[-1][1] == FLAPPING
    assert len(told) == 2 * (FLAPS - 1) + 1


def test_shared_database_is_one_incident_that_names_it() -> None:
    world = fleet(web1=SITES)
    told: Told = []
    for number in range(12):
        world.see_all([number], DOWN, NOT_READY)
        world.see_all([number], DOWN, NOT_READY, place="web1")
        told += world.look(3)
    assert told == [(OPENED, SITES_DOWN, Cause(DATABASE, "db:5432"))]
    world.see_all(range(SITES), DOWN, TIMEOUT)
    steps = world.steps(10)
    assert [step.word for step in steps] == [""]
    assert steps[0].incident.sites == SITES
    assert steps[0].summary.startswith(f"{SITES} sites are down.")
    assert "db:5432" in steps[0].summary
    world.see_all(range(SITES), UP)
    world.see_all(range(12), UP, place="web1")
    assert world.look(CALM) == [(CLOSED, SITES_DOWN, Cause(DATABASE, "db:5432"))]
    assert world.is_quiet(600)


def test_site_that_was_told_alone_is_folded_without_a_recovery() -> None:
    world = fleet()
    world.see("site-0", DOWN, NOT_READY)
    assert world.look(SETTLE) == [(OPENED, SITE_DOWN, own("site-0"))]
    world.see_all(range(12), DOWN, NOT_READY)
    assert world.look(SETTLE) == [(OPENED, SITES_DOWN, Cause(DATABASE, "db:5432"))]
    (whole,) = (one for one in world.kept.values() if one.till is None)
    assert list(world.folded.values()) == [whole.id]
    world.see_all(range(12), UP)
    assert world.look(CALM) == [(CLOSED, SITES_DOWN, Cause(DATABASE, "db:5432"))]


def test_what_is_left_of_a_shared_incident_is_told_alone() -> None:
    world = fleet()
    world.see_all(range(12), DOWN, NOT_READY)
    world.look(SETTLE)
    world.see_all(range(1, 12), UP)
    assert world.look(10) == [(OPENED, SITE_DOWN, own("site-0"))]
    assert world.look(CALM) == [(CLOSED, SITES_DOWN, Cause(DATABASE, "db:5432"))]
    assert world.is_quiet(600)


def test_sites_of_another_server_are_not_blamed_on_it() -> None:
    world = fleet()
    world.see_all(range(12), DOWN, NOT_READY)
    world.see("other", DOWN, NOT_READY, server="other:5432")
    assert sorted(world.look(SETTLE)) == sorted(
        [(OPENED, SITES_DOWN, Cause(DATABASE, "db:5432")), (OPENED, SITE_DOWN, own("other"))]
    )


def test_few_sites_of_a_server_are_not_its_fault() -> None:
    world = fleet()
    world.see_all(range(3), DOWN, NOT_READY)
    assert [cause.word for _, _, cause in world.look(SETTLE)] == [OF_SITE] * 3


def test_silent_node_takes_its_sites_with_it() -> None:
    """One incident, with the sites that no other node has; those of other nodes are not blamed on it."""
    world = fleet()
    world.processes = {"web1": Process(NODE, "web1", 200), "web2": Process(NODE, "web2", 1)}
    world.see("aurora", DOWN, TIMEOUT, nodes="web1")
    world.see("borealis", DOWN, TIMEOUT, nodes="web1 web2")
    assert sorted(world.look(SETTLE)) == sorted(
        [(OPENED, NODE_SILENT, Cause(NODE, "web1")), (OPENED, SITE_DOWN, own("borealis"))]
    )
    world.see("aurora", UP)
    world.processes["web1"] = Process(NODE, "web1", 1)
    assert world.look(CALM) == [(CLOSED, NODE_SILENT, Cause(NODE, "web1"))]


def test_many_silent_nodes_are_one_incident() -> None:
    world = fleet()
    world.processes = {f"web{n}": Process(NODE, f"web{n}", 200) for n in range(30)}
    world.see("aurora", DOWN, TIMEOUT, nodes="web1 web2")
    assert world.look(SETTLE) == [(OPENED, NODE_SILENT, Cause(NODE, ""))]
    assert world.is_quiet(300)


def test_sites_that_are_bad_on_one_node_alone_are_that_nodes() -> None:
    world = fleet(web1=SITES, web2=SITES)
    world.see_all(range(12), DOWN, STATUS, place="web1")
    world.see_all(range(12), UP, place="web2")
    world.see_all(range(4), DOWN, STATUS)
    assert world.look(SETTLE) == [(OPENED, SITES_DOWN, Cause(NODE, "web1"))]


def test_sites_that_are_bad_from_outside_alone_are_the_fronts() -> None:
    world = fleet(web1=SITES)
    world.see_all(range(12), DOWN, REFUSED)
    assert world.look(SETTLE) == [(OPENED, SITES_DOWN, Cause(FRONT, ""))]


def test_names_that_resolve_no_more_for_anybody_are_the_monitors() -> None:
    world = fleet(web1=SITES)
    world.see_all(range(12), DOWN, DNS)
    assert world.look(SETTLE) == [(OPENED, SITES_DOWN, Cause(MONITOR, OUTSIDE))]


def test_many_sites_at_once_are_one_incident_until_the_cause_is_known() -> None:
    world = fleet()
    world.see_all(range(MANY_SITES + 1), DOWN, STATUS)
    assert world.look(SETTLE) == [(OPENED, SITES_DOWN, Cause(MANY, ""))]
    world.see_all(range(12), DOWN, NOT_READY)
    assert world.look(SETTLE) == [(CHANGED, SITES_DOWN, Cause(DATABASE, "db:5432"))]
    assert len([one for one in world.kept.values() if one.till is None]) == 1


def test_another_site_later_does_not_join_many() -> None:
    world = fleet()
    world.see_all(range(MANY_SITES), DOWN, STATUS)
    world.look(SETTLE)
    world.look(600)
    world.see("aurora", DOWN, REFUSED)
    assert world.look(SETTLE) == [(OPENED, SITE_DOWN, own("aurora"))]


def test_nothing_is_concluded_from_what_nobody_looks_at() -> None:
    """Neither that a site is down, nor that it is well again."""
    world = fleet()
    world.see("aurora", DOWN, REFUSED)
    world.look(SETTLE)
    world.see("borealis", DOWN, REFUSED)
    world.see("aurora", UP)
    for key, row in world.rows.items():
        world.rows[key] = row._replace(is_fresh=False)
    world.processes = {"m": Process(MONITOR, OUTSIDE, SILENT_AFTER + 1)}
    assert world.look(SETTLE) == [(OPENED, MONITOR_SILENT, Cause(MONITOR, OUTSIDE))]
    assert world.is_quiet(3_000)


def test_hostname_that_is_gone_ends_its_incident() -> None:
    world = fleet()
    world.see("aurora", DOWN, REFUSED)
    world.look(SETTLE)
    world.rows.clear()
    assert world.look(10) == []
    assert world.look(CALM) == [(CLOSED, SITE_DOWN, own("aurora"))]


def test_operator_that_was_away_says_of_nobody_that_they_were_silent() -> None:
    """Nor does it close what lasts."""
    world = replace(fleet(), awake=10)
    world.processes = {"web1": Process(NODE, "web1", 5_000), "courier": Process(COURIER, "", 5_000)}
    assert world.look() == []
    world.awake = 1e9
    assert {cause.word for _, _, cause in world.look()} == {NODE, COURIER}
    world.awake = 0
    assert world.is_quiet(300)


def test_full_disk_is_an_incident_of_the_node() -> None:
    world = fleet()
    world.processes = {"web1": Process(NODE, "web1", 1, is_full=True)}
    assert world.look() == [(OPENED, DISK_FULL, Cause(DISK, "web1"))]
    world.processes = {"web1": Process(NODE, "web1", 1)}
    assert world.look() == [(CLOSED, DISK_FULL, Cause(DISK, "web1"))]


def test_two_hostnames_of_a_site_are_one_incident() -> None:
    world = fleet()
    world.see("aurora", DOWN, REFUSED)
    other = world.rows["aurora.example.org", OUTSIDE]._replace(hostname="www.aurora.example.org")
    world.rows[other.key] = other
    (step,) = world.steps(SETTLE)
    assert (step.incident.sites, len(step.hostnames)) == (1, 2)


def storms() -> Iterator[tuple[str, str]]:
    yield from ((DOWN, NOT_READY), (DOWN, STATUS), (DOWN, REFUSED), (STATE_WRONG_SITE, WRONG_PROOF))


def test_no_storm_tells_each_site() -> None:
    """Three hundred sites that go down within a minute, one after the other, are at most a few messages."""
    for state, reason in storms():
        world = World(sites={("server", "db:5432"): 300, ("place", OUTSIDE): 300})
        told: Told = []
        for number in range(300):
            world.see(f"site-{number}", state, reason)
            if number % 25 == 0:
                told += world.look(60 / 12)
        for _ in range(20):
            told += world.look(10)
        assert len([one for one in told if one[0] == OPENED and one[2].word != OF_SITE]) == 1, (reason, told)
        assert len(told) <= 4, (reason, told)
