"""Groups, nodes and plans, carried out step by step with the roles of nodes and of the operator process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone

from tests.control.fleet import OPERATOR, SHARED, Fleet, prepare_fleet
from tests.control.node_roles import NodeLogin, node_login
from tests.control.roles import Roles
from tests.servers.postgres import Postgres
from wagtail_multihost.control.changes import EditSite, RetireSite, UnknownSiteError
from wagtail_multihost.control.edits import set_value
from wagtail_multihost.control.models import Event, Hold, ManagedSite, Node, NodeIdentity, Placement, Plan, Report
from wagtail_multihost.control.nodes import place_sites, remove_group, remove_node, save_group, save_node
from wagtail_multihost.control.placing.by_hand import place_by_hand, take_by_hand
from wagtail_multihost.control.placing.plans import apply_plan, cancel_plan, make_plan
from wagtail_multihost.control.placing.printing import plan_line, plan_text
from wagtail_multihost.control.registration import lock_head
from wagtail_multihost.control.roles import OPERATOR as OPERATOR_ROLE
from wagtail_multihost.control.roles import WEB
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.nodeapi.connection import fetch_rows
from wagtail_multihost.nodeapi.node_states import (
    ACTIVE,
    AWAY,
    DRAINING,
    FRONT,
    JOINING,
    MOVE_PLACING,
    MOVE_SWITCHING,
    PLACED,
    PLAN_DONE,
    PLAN_DRAIN,
    PLAN_FILL,
    PLAN_REBALANCE,
    PLAN_RUNNING,
    PLAN_STOPPED,
    SILENT_AFTER,
)
from wagtail_multihost.nodeapi.placements_v1 import REMOVE_NODE
from wagtail_multihost.operations.operator.placing import place_sites as place_unplaced

NODES = {"web1": "a", "web2": "a", "web3": "b", "web4": "b"}


class Street:
    """Four nodes in two zones and a front server, each with a login of its own."""

    def __init__(self, fleet: Fleet, roles: Roles, logins: dict[str, NodeLogin]) -> None:
        self.fleet, self.roles, self.logins = fleet, roles, logins
        #: What nodes have applied last, and what they refuse.
        self.refused: dict[str, dict[str, str]] = {}

    def add(self, *sites: str, **record: Any) -> None:
        for site in sites:
            self.fleet.add(site, secret_key=f"env:KEY_OF_{site.upper()}", **record)

    def report(self, *nodes: str) -> None:
        """Let nodes say that they have applied everything."""
        for node in nodes or self.logins:
            self.logins[node].report(self.fleet.revision, **self.refused.get(node, {}))

    def tick(self) -> int:
        with self.roles.connect(OPERATOR_ROLE) as opened:
            row = opened.execute("SELECT operator_v1.advance_plans()").fetchone()
        return int(row[0]) if row else 0

    def run(self, plan: Plan, turns: int = 40) -> Plan:
        """Let everybody go on until the plan ends or stops."""
        for _ in range(turns):
            self.tick()
            plan.refresh_from_db()
            if plan.state != PLAN_RUNNING:
                break
            self.report()
        return plan

    def nodes_of(self, site: str) -> list[str]:
        """Return where a site is, without what is leaving."""
        rows = Placement.objects.filter(site__identifier=site, is_gone=False).order_by("node")
        return list(rows.values_list("node_id", flat=True))

    def served(self, site: str) -> set[str]:
        """Return the nodes that front servers ask for a site."""
        with self.logins["front1"].connect() as opened:
            row = opened.execute("SELECT nodes FROM node_api_v1.front_site WHERE id = %s", (site,)).fetchone()
        return set(row[0]) if row else set()

    def fall_silent(self, *nodes: str) -> None:
        Report.objects.filter(pk__in=nodes).update(seen_at=timezone.now() - timedelta(seconds=100))


@pytest.fixture(name="street")
def _street(transactional_db: None, postgres: Postgres) -> Iterator[Street]:
    fleet = prepare_fleet(SHARED)
    roles = Roles(postgres)
    roles.make()
    save_group(OPERATOR, "few", PLACED, 2)
    save_group(OPERATOR, "fronts", FRONT)
    with ExitStack() as stack:
        logins = {}
        for number, (node, zone) in enumerate(NODES.items(), 1):
            save_node(OPERATOR, node, "few", zone=zone, address=f"10.0.0.{number}:80", state=ACTIVE)
            logins[node] = stack.enter_context(node_login(postgres, node))
        save_node(OPERATOR, "front1", "fronts", state=ACTIVE)
        logins["front1"] = stack.enter_context(node_login(postgres, "front1"))
        street = Street(fleet, roles, logins)
        street.report()
        yield street


def test_new_site_is_placed_as_it_is_made(street: Street) -> None:
    """On two nodes of two zones, by the event of its creation; one with parts of its own on a node is on one."""
    before = street.fleet.revision
    street.add("aurora", "borealis")
    street.add("corona", cache={"backend": "locmem"})
    assert street.fleet.revision == before + 3
    for site in ("aurora", "borealis"):
        nodes = street.nodes_of(site)
        assert len({NODES[node] for node in nodes}) == len(nodes) == 2
    assert len(street.nodes_of("corona")) == 1
    first = street.nodes_of("aurora")[0]
    assert "aurora" in street.logins[first].read(before)["sites"]
    assert street.served("aurora") == set()
    street.report()
    assert street.served("aurora") == set(street.nodes_of("aurora"))


def test_refused_site_is_not_asked_for(street: Street) -> None:
    street.add("aurora")
    first, second = street.nodes_of("aurora")
    street.refused[first] = {"aurora": "It has no key."}
    street.report()
    assert street.served("aurora") == {second}
    heads = street.fleet.revision
    street.report()
    street.report()
    assert street.fleet.revision == heads, "a report that says nothing new took a revision"


@pytest.mark.parametrize("starting", [["aurora"], None])
def test_site_is_asked_for_once_its_process_listens(street: Street, starting: list[str] | None) -> None:
    """Applied is not served yet; neither is what a node with too many sites that start does not name."""
    street.add("aurora")
    first, second = street.nodes_of("aurora")
    street.logins[first].report(street.fleet.revision, starting=starting)
    street.logins[second].report(street.fleet.revision, starting=["borealis"])
    assert street.served("aurora") == {second}
    street.logins[first].report(street.fleet.revision)
    assert street.served("aurora") == {first, second}
    street.logins[first].report(street.fleet.revision, starting=starting)
    assert street.served("aurora") == {first, second}, "a process that is started again took the site away"


def test_plan_waits_until_the_target_listens(street: Street) -> None:
    street.add("aurora")
    street.report()
    node = street.nodes_of("aurora")[0]
    plan = make_plan(OPERATOR, PLAN_DRAIN, node)
    target = plan.moves.get().target
    apply_plan(OPERATOR, plan.pk)
    for _ in range(4):
        street.tick()
        street.report(*(one for one in street.logins if one != target))
        street.logins[target].report(street.fleet.revision, starting=["aurora"])
    assert plan.moves.get().state == MOVE_PLACING
    assert node in street.served("aurora") and target not in street.served("aurora")
    plan.moves.update(at=timezone.now() - timedelta(hours=1))
    street.tick()
    plan.refresh_from_db()
    assert (plan.state, "does not listen there" in plan.problem) == (PLAN_STOPPED, True)
    apply_plan(OPERATOR, plan.pk)
    assert street.run(plan).state == PLAN_DONE
    assert node not in street.nodes_of("aurora") and target in street.served("aurora")


def test_source_stays_while_a_front_server_is_silent(street: Street) -> None:
    """It has applied that the target is asked; but nobody knows what it does now."""
    street.add("aurora")
    street.report()
    node = street.nodes_of("aurora")[0]
    plan = make_plan(OPERATOR, PLAN_DRAIN, node)
    apply_plan(OPERATOR, plan.pk)
    for _ in range(6):
        street.tick()
        street.report()
        street.fall_silent("front1")
    assert plan.moves.get().state == MOVE_SWITCHING
    assert not Placement.objects.filter(is_gone=True).exists()
    plan.moves.update(at=timezone.now() - timedelta(hours=1))
    street.tick()
    plan.refresh_from_db()
    assert (plan.state, "front1" in plan.problem) == (PLAN_STOPPED, True)


def let_join_by_token(*nodes: str) -> None:
    """Make nodes as if they had joined by tokens."""
    with transaction.atomic():
        lock_head()
        Node.objects.filter(pk__in=nodes).update(is_transient=True)
    NodeIdentity.objects.filter(pk__in=nodes).update(token=uuid4())


def say_goodbye(street: Street, *nodes: str, ago: int = 0) -> None:
    for node in nodes:
        assert street.logins[node].enter(DRAINING) and street.logins[node].enter(AWAY)
    Report.objects.filter(pk__in=nodes).update(seen_at=timezone.now() - timedelta(seconds=ago))


def place_anew(street: Street) -> int:
    with street.roles.connect(OPERATOR_ROLE) as opened:
        return place_unplaced(partial(fetch_rows, opened))


def test_sites_of_a_node_that_said_goodbye_are_placed_anew(street: Street) -> None:
    """Once it has had the time to come back; as many replicas as it had, and no others."""
    street.add("aurora", "borealis")
    street.add("corona", cache={"backend": "locmem"})
    street.report()
    aurora, corona = street.nodes_of("aurora"), street.nodes_of("corona")
    node, other = aurora
    let_join_by_token(*NODES)
    say_goodbye(street, node, ago=10)
    assert place_anew(street) == 0, "a container that is started anew lost its sites"
    Report.objects.filter(pk=node).update(seen_at=timezone.now() - timedelta(seconds=200))
    held = Hold.objects.create(reason="x", actor="x", until=timezone.now() + timedelta(hours=1))
    assert place_anew(street) == 0, "everything is held"
    held.delete()
    left = [site for site in ("aurora", "borealis") if node in street.nodes_of(site)]
    assert place_anew(street) == len(left)
    assert place_anew(street) == 0
    for site in left:
        nodes = set(street.nodes_of(site)) - {node}
        assert len({NODES[one] for one in nodes}) == len(nodes) == 2
    assert other in street.nodes_of("aurora")
    assert street.nodes_of("corona") == corona, "what is on its node alone went with it"


def test_site_whose_data_went_with_its_node_is_not_placed_anew(street: Street) -> None:
    street.add("corona", cache={"backend": "locmem"})
    street.report()
    nodes = street.nodes_of("corona")
    let_join_by_token(*NODES)
    say_goodbye(street, *nodes)
    Report.objects.filter(pk__in=nodes).update(seen_at=timezone.now() - timedelta(seconds=200))
    assert place_anew(street) == 0
    assert street.nodes_of("corona") == nodes


@pytest.mark.parametrize("what", ["silent", "stays", "was drained by a person"])
def test_nothing_is_placed_anew_unless_a_node_of_a_token_said_goodbye(street: Street, what: str) -> None:
    street.add("aurora")
    street.report()
    nodes = street.nodes_of("aurora")
    if what == "silent":
        let_join_by_token(*NODES)
    elif what == "stays":
        say_goodbye(street, *nodes)
        with transaction.atomic():
            lock_head()
            Node.objects.update(is_transient=True)  # whatever the web process says of it
    else:
        let_join_by_token(*NODES)
        for node in nodes:
            with transaction.atomic():
                lock_head()
                Node.objects.filter(pk=node).update(state=DRAINING)
    Report.objects.filter(pk__in=nodes).update(seen_at=timezone.now() - timedelta(days=3))
    assert place_anew(street) == 0
    assert street.nodes_of("aurora") == nodes


def test_node_that_leaves_waits_until_its_sites_are_served_elsewhere(street: Street) -> None:
    """Both nodes of a site leave at once: it is placed anew at once, and they are asked for it until that serves."""
    street.add("aurora")
    street.report()
    let_join_by_token(*NODES)
    leaving = street.nodes_of("aurora")
    for node in leaving:
        assert street.logins[node].enter(DRAINING)
    street.report()
    assert not any(passed(street, node) for node in leaving)
    assert place_anew(street) == 2
    street.report("front1")
    assert not any(passed(street, node) for node in leaving), "the new nodes do not serve it yet"
    new = sorted(set(street.nodes_of("aurora")) - set(leaving))
    street.report(*new)
    assert not any(passed(street, node) for node in leaving), "the front server does not know it yet"
    street.report("front1")
    assert all(passed(street, node) for node in leaving)
    assert set(new) <= street.served("aurora")


def passed(street: Street, node: str) -> bool:
    with street.logins[node].connect() as opened:
        row = opened.execute("SELECT node_api_v1.fronts_passed()").fetchone()
    return bool(row and row[0])


def test_site_made_before_its_nodes_is_placed_by_the_operator_process(street: Street) -> None:
    street.fall_silent(*NODES)
    save_node(OPERATOR, "web1", weight=0)
    for node in ("web2", "web3", "web4"):
        save_node(OPERATOR, node, state=JOINING)
    street.add("aurora")
    assert street.nodes_of("aurora") == []
    with street.roles.connect(OPERATOR_ROLE) as opened:
        assert place_unplaced(partial(fetch_rows, opened)) == 0
        for node in ("web2", "web3", "web4"):
            save_node(OPERATOR, node, state=ACTIVE)
        street.report()
        assert place_unplaced(partial(fetch_rows, opened)) == 2
        assert place_unplaced(partial(fetch_rows, opened)) == 0
    assert len(street.nodes_of("aurora")) == 2
    assert "web1" not in street.nodes_of("aurora")


def test_drain_moves_target_first_and_removes_the_source_last(street: Street) -> None:
    street.add(*(f"site{number}" for number in range(5)))
    street.report()
    node = street.nodes_of("site0")[0]
    sites = [site for site in (f"site{number}" for number in range(5)) if node in street.nodes_of(site)]
    plan = make_plan(OPERATOR, PLAN_DRAIN, node, most_at_once=2)
    assert {move.site.identifier for move in plan.moves.all()} == set(sites)
    assert street.tick() == 0, "a plan that nobody applied did something"
    apply_plan(OPERATOR, plan.pk)
    for _ in range(60):
        # Once more before anyone has reported: a step waits for what it needs, however often it is tried.
        street.tick()
        street.tick()
        assert Counter(plan.moves.values_list("state", flat=True)).total() == len(sites)
        assert plan.moves.filter(state__in=("placing", "switching", "removing")).count() <= 2
        for site in sites:
            assert len(street.served(site)) >= 2, "a replica was taken before another one served"
            gone = Placement.objects.filter(site__identifier=site, is_gone=True).exists()
            seen = Report.objects.get(pk="front1").applied
            rows = Placement.objects.filter(site__identifier=site, is_gone=False)
            assert not gone or all(row.is_serving and row.front_revision <= seen for row in rows)
        for one in (*NODES, "front1"):
            street.report(one)
        plan.refresh_from_db()
        if plan.state != PLAN_RUNNING:
            break
    assert (plan.state, plan.problem) == (PLAN_DONE, "")
    assert Node.objects.get(pk=node).state == DRAINING
    assert not Placement.objects.filter(node=node).exists()
    assert all(len(set(street.nodes_of(site))) == 2 for site in sites)


def test_source_stays_until_the_fronts_have_seen_the_target(street: Street) -> None:
    street.add("aurora")
    street.report()
    node = street.nodes_of("aurora")[0]
    plan = make_plan(OPERATOR, PLAN_DRAIN, node)
    apply_plan(OPERATOR, plan.pk)
    for _ in range(4):
        street.tick()
        street.report(*NODES)
    assert node in street.nodes_of("aurora")
    assert "aurora" in street.logins[node].read()["sites"], "the node was told to remove what fronts still ask it for"
    assert node not in street.served("aurora")
    plan.moves.update(at=timezone.now() - timedelta(hours=1))
    street.tick()
    plan.refresh_from_db()
    assert (plan.state, "front1" in plan.problem) == (PLAN_STOPPED, True)
    assert node in street.nodes_of("aurora")
    apply_plan(OPERATOR, plan.pk)
    assert street.run(plan).state == PLAN_DONE
    assert node not in street.nodes_of("aurora")


def test_silent_node_never_moves_sites(street: Street) -> None:
    """Nothing but a person's plan does, and one that leads to a silent node stops with the source as it was."""
    street.add("aurora", "borealis")
    street.report()
    before = {site: street.nodes_of(site) for site in ("aurora", "borealis")}
    node = before["aurora"][0]
    street.fall_silent(node)
    Report.objects.filter(pk=node).update(seen_at=timezone.now() - timedelta(days=3))
    revision = street.fleet.revision
    for _ in range(3):
        assert street.tick() == 0
        with street.roles.connect(OPERATOR_ROLE) as opened:
            assert place_unplaced(partial(fetch_rows, opened)) == 0
        street.report(*(one for one in street.logins if one != node))
    assert {site: street.nodes_of(site) for site in before} == before
    assert street.fleet.revision == revision
    assert not make_plan(OPERATOR, PLAN_FILL).moves.exists(), "a silent node's sites were filled up elsewhere"


def test_plan_stops_at_a_silent_target_and_goes_on_later(street: Street) -> None:
    street.add("aurora")
    street.report()
    node = street.nodes_of("aurora")[0]
    plan = make_plan(OPERATOR, PLAN_DRAIN, node)
    target = plan.moves.get().target
    apply_plan(OPERATOR, plan.pk)
    assert street.tick() == 1
    street.fall_silent(target)
    street.tick()
    plan.refresh_from_db()
    assert (plan.state, plan.problem) == (PLAN_STOPPED, f"The node {target} is silent.")
    assert node in street.served("aurora")
    assert Event.objects.filter(type="plan.stopped").count() == 1
    street.report()
    apply_plan(OPERATOR, plan.pk)
    assert street.run(plan).state == PLAN_DONE
    assert sorted(street.nodes_of("aurora")) == sorted({target, *street.nodes_of("aurora")} - {node})


def test_plan_stops_where_a_target_refuses_the_site(street: Street) -> None:
    street.add("aurora")
    street.report()
    node = street.nodes_of("aurora")[0]
    plan = make_plan(OPERATOR, PLAN_DRAIN, node)
    target = plan.moves.get().target
    apply_plan(OPERATOR, plan.pk)
    street.refused[target] = {"aurora": "Its codebase is not listed."}
    assert street.run(plan).state == PLAN_STOPPED
    assert plan.problem == f"The node {target} does not take the site aurora: Its codebase is not listed."
    assert node in street.served("aurora")
    cancel_plan(OPERATOR, plan.pk)
    assert street.tick() == 0
    with pytest.raises(ConfigurationError, match="It is cancelled"):
        apply_plan(OPERATOR, plan.pk)


def test_held_site_is_not_moved(street: Street) -> None:
    street.add("aurora")
    street.report()
    node = street.nodes_of("aurora")[0]
    plan = make_plan(OPERATOR, PLAN_DRAIN, node)
    apply_plan(OPERATOR, plan.pk)
    hold = Hold.objects.create(
        site=street.fleet.site("aurora"), reason="x", actor="x", until=timezone.now() + timedelta(hours=1)
    )
    for _ in range(3):
        assert street.tick() == 0
        street.report()
    assert make_plan(OPERATOR, PLAN_DRAIN, node).left == [
        {"site": "aurora", "why": "It is held, or a node of the move is."}
    ]
    hold.delete()
    assert street.run(plan).state == PLAN_DONE


def test_plan_of_an_older_state_is_refused(street: Street) -> None:
    street.add("aurora")
    street.report()
    node, other = street.nodes_of("aurora")
    plan, second = make_plan(OPERATOR, PLAN_DRAIN, node), make_plan(OPERATOR, PLAN_DRAIN, other)
    apply_plan(OPERATOR, plan.pk)
    with pytest.raises(ConfigurationError, match="is running"):
        apply_plan(OPERATOR, second.pk)
    street.run(plan)
    with pytest.raises(ConfigurationError, match="Propose again"):
        apply_plan(OPERATOR, second.pk)


def test_last_node_of_a_site_is_not_left(street: Street) -> None:
    """Neither by setting a state, nor by taking a replica away whose neighbour has fallen silent meanwhile."""
    street.add("corona", cache={"backend": "locmem"})
    street.add("aurora")
    street.report()
    [node] = street.nodes_of("corona")
    with pytest.raises(ConfigurationError, match="No other node serves corona"):
        save_node(OPERATOR, node, state=DRAINING)
    plan = make_plan(OPERATOR, PLAN_DRAIN, node)
    assert [one["site"] for one in plan.left] == ["corona"]
    aurora = street.fleet.site("aurora")
    first, second = street.nodes_of("aurora")
    third = next(one for one in NODES if one not in (first, second))
    place_sites(OPERATOR, third, [aurora])
    street.report()
    surplus = make_plan(OPERATOR, PLAN_FILL)
    move = surplus.moves.get()
    assert move.target == ""
    apply_plan(OPERATOR, surplus.pk)
    street.fall_silent(*(one for one in (first, second, third) if one != move.source))
    street.tick()
    surplus.refresh_from_db()
    assert surplus.state == PLAN_STOPPED
    assert move.source in street.served("aurora")


def test_node_that_leaves_a_site_or_is_silent_does_not_stand_in(street: Street) -> None:
    """Front servers ask no node that is leaving the site, and one that is silent may be gone."""
    street.add("aurora")
    street.report()
    first, second = street.nodes_of("aurora")
    aurora = street.fleet.site("aurora")
    apply_plan(OPERATOR, make_plan(OPERATOR, PLAN_DRAIN, second).pk)
    street.tick()
    street.report()
    street.tick()
    [third] = {*street.nodes_of("aurora")} - {first, second}
    assert Placement.objects.get(node=second).is_leaving
    assert street.served("aurora") == {first, third}
    street.fall_silent(third)
    with pytest.raises(ConfigurationError, match="No other node serves aurora"):
        save_node(OPERATOR, first, state=DRAINING)
    with pytest.raises(ConfigurationError, match="No other node serves it"):
        take_by_hand(OPERATOR, aurora, first)
    street.report()
    take_by_hand(OPERATOR, aurora, first)


def test_site_that_was_retired_meanwhile_is_placed_nowhere(street: Street) -> None:
    street.add("aurora")
    aurora = street.fleet.site("aurora")
    [other, *_] = set(NODES) - {*street.nodes_of("aurora")}
    street.fleet.apply(RetireSite(aurora.uid))
    for change in (place_by_hand, take_by_hand):
        with pytest.raises(UnknownSiteError):
            change(OPERATOR, aurora, other)


def test_sites_move_to_a_node_that_came(street: Street) -> None:
    """Sticky as proposals are, it would get none; a rebalancing moves as many as were asked for, and no more."""
    save_node(OPERATOR, "web4", weight=0)
    street.add(*(f"site{number}" for number in range(12)))
    street.report()
    save_node(OPERATOR, "web4", weight=100)
    assert not make_plan(OPERATOR, PLAN_FILL).moves.exists()
    plan = make_plan(OPERATOR, PLAN_REBALANCE, limit=3)
    assert {move.target for move in plan.moves.all()} == {"web4"}
    assert plan.moves.count() <= 3
    apply_plan(OPERATOR, plan.pk)
    assert street.run(plan).state == PLAN_DONE
    assert all(len(street.nodes_of(f"site{number}")) == 2 for number in range(12))


def test_replicas_are_those_of_the_record(street: Street) -> None:
    street.add("aurora")
    aurora = street.fleet.site("aurora")
    street.report()
    for wanted in (3, 1):
        street.fleet.apply(EditSite(aurora.uid, set_value(("replicas",), wanted)))
        plan = make_plan(OPERATOR, PLAN_FILL)
        apply_plan(OPERATOR, plan.pk)
        street.report()
        assert street.run(plan).state == PLAN_DONE, plan.problem
        assert len(street.nodes_of("aurora")) == wanted
    with pytest.raises(ConfigurationError) as caught:
        street.fleet.apply(EditSite(aurora.uid, set_value(("node_group",), "none")))
    assert [problem.where for problem in caught.value.problems] == ["Site aurora: node_group"]
    cache = {"cache": {"backend": "locmem"}, "replicas": 2}
    with pytest.raises(ConfigurationError, match="each would have a cache in local memory"):
        street.fleet.apply(EditSite(aurora.uid, lambda before: {**before, **cache}))


def test_node_is_removed_when_it_is_away_and_empty(street: Street) -> None:
    street.add("aurora")
    street.report()
    node = street.nodes_of("aurora")[0]
    with pytest.raises(ConfigurationError) as caught:
        remove_node(OPERATOR, node)
    assert len(caught.value.problems) == 2
    plan = make_plan(OPERATOR, PLAN_DRAIN, node)
    apply_plan(OPERATOR, plan.pk)
    street.run(plan)
    save_node(OPERATOR, node, state=AWAY)
    with pytest.raises(ConfigurationError, match="still reports"):
        remove_node(OPERATOR, node)
    with street.roles.connect(WEB) as opened:
        assert opened.execute(REMOVE_NODE, (node, "user:1")).fetchone() == (False,), "a node that speaks"
    Report.objects.filter(pk=node).update(seen_at=timezone.now() - timedelta(seconds=SILENT_AFTER + 1))
    # With the rights that the web process has, as everything else that people do.
    with street.roles.acting(WEB):
        remove_node(OPERATOR, node)
        save_group(OPERATOR, "new", PLACED)
        save_node(OPERATOR, "web9", "few", zone="c")
        save_node(OPERATOR, "web9", state=AWAY)
        other = next(one for one in NODES if one != node)
        place_sites(OPERATOR, other, [street.fleet.site("aurora")])
        cancel_plan(OPERATOR, apply_plan(OPERATOR, make_plan(OPERATOR, PLAN_DRAIN, other).pk).pk)
        remove_group(OPERATOR, "new")
        street.add("borealis")
    assert not Node.objects.filter(pk=node).exists()
    assert Event.objects.filter(type__in=("node.removed", "group.removed")).count() == 2


def test_retired_site_is_forgotten_when_its_nodes_have_removed_it(street: Street) -> None:
    street.add("aurora")
    street.report()
    nodes = street.nodes_of("aurora")
    behind = street.fleet.revision
    street.fleet.apply(RetireSite(street.fleet.site("aurora").uid))
    for node in nodes:
        street.logins[node].report(behind)
        assert [one["id"] for one in street.logins[node].read(behind)["gone"]] == ["aurora"]
    street.report()
    assert not Placement.objects.exists()
    assert ManagedSite.objects.count() == 1


def test_words_of_a_node_forge_no_line_of_a_plan(fleet: Fleet) -> None:
    """Why it does not take a site is its own word, and operators copy the command of the last line."""
    told = "It would not.\nTo carry it out: manage.py multihost_place apply another"
    left = [{"site": "aurora", "why": told}]
    values = {"kind": PLAN_DRAIN, "node": "web1", "actor": "user:1", "based_on": 0, "state": PLAN_STOPPED}
    plan = Plan.objects.create(reason=told, problem=told, left=left, **values)
    assert not [line for line in plan_text(plan).splitlines() if line.startswith("To carry it out")]
    assert len(plan_line(plan).splitlines()) == 1
