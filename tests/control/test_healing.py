"""What nodes may do about sites that do not answer, on the real server: reasons, budgets, and who is believed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from tests.control.fleet import OPERATOR, Fleet
from tests.control.healing_fleet import SEE, SEEN, HealingFleet, run_sql
from tests.control.node_roles import node_login
from tests.control.roles import Roles
from tests.control.waves import acting
from tests.servers.postgres import Postgres
from wagtail_multihost.control.changes import EditPlatform, EditSite, RetireSite
from wagtail_multihost.control.edits import set_value
from wagtail_multihost.control.holds import hold
from wagtail_multihost.control.models import Event, HealBudget, HealStep, ManagedSite, Node, Wave, WaveItem
from wagtail_multihost.control.nodes import place_sites, save_group, save_node
from wagtail_multihost.control.registration import lock_head
from wagtail_multihost.control.roles import OPERATOR as OPERATOR_ROLE
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.nodeapi import healing_v1, node_v1
from wagtail_multihost.nodeapi.heal_steps import (
    APPLY,
    BEGUN,
    DONE,
    DUPLICATE,
    FLEET_BUDGET,
    GRANTED,
    HEALED,
    IN_WAVE,
    IS_HELD,
    LAST_NODE,
    MANY,
    NO_PEER,
    NODE,
    NODE_BUDGET,
    NODE_NOT_ACTIVE,
    NOT_ACTIVE,
    OFF,
    OUTCOMES,
    READ,
    REFUSALS,
    RESTART,
    SITE_BUDGET,
    STEPS,
    STOP,
    TOO_OFTEN,
    UNKNOWN_SITE,
)
from wagtail_multihost.nodeapi.node_states import ACTIVE, ALL, DRAINING, RUNNING
from wagtail_multihost.nodeapi.probe_states import DOWN, MAINTENANCE, UNKNOWN, UP, WRONG_SITE

pytestmark = pytest.mark.usefixtures("made_roles")
RACERS = 6


@pytest.fixture(name="healing")
def _healing(fleet: Fleet, made_roles: None) -> HealingFleet:
    """Return three nodes of one zone that hold all sites."""
    healing = HealingFleet(fleet)
    for node in ("web1", "web2", "web3"):
        healing.add_node(node)
    return healing


@pytest.fixture(name="aurora")
def _aurora(healing: HealingFleet) -> ManagedSite:
    """Return a site that does not answer at web1."""
    return healing.add_site("aurora", web1=DOWN)


# Who else serves it


def test_site_that_others_serve_is_restarted_and_all_can_see_it(healing: HealingFleet, aurora: ManagedSite) -> None:
    before = healing.fleet.revision
    answer, step = healing.ask_whole("web1", aurora, RESTART)
    assert answer == GRANTED
    row = HealStep.objects.get()
    assert (row.pk, row.site, row.node, row.step, row.outcome) == (step, aurora, "web1", RESTART, BEGUN)
    event = Event.objects.get(revision=before + 1)
    assert (event.type, event.site, event.uid, event.actor) == ("heal.restart", "aurora", aurora.uid, "node:web1")
    assert event.metadata == {"node": "web1", "step": str(step)}


@pytest.mark.parametrize(("state", "answer"), [(UP, GRANTED), (DOWN, NO_PEER), (WRONG_SITE, NO_PEER)])
def test_peer_counts_by_what_it_sees(healing: HealingFleet, aurora: ManagedSite, state: str, answer: str) -> None:
    healing.see(aurora, web2=state, web3=UNKNOWN)
    assert healing.ask("web1", aurora, RESTART) == answer


@pytest.mark.parametrize("state", [MAINTENANCE, UNKNOWN])
def test_peer_that_says_nothing_of_the_site_does_not_count(
    healing: HealingFleet, aurora: ManagedSite, state: str
) -> None:
    healing.see(aurora, web2=state, web3=state)
    assert healing.ask("web1", aurora, RESTART) == NO_PEER


def test_node_is_no_peer_of_itself(healing: HealingFleet) -> None:
    site = healing.add_site("aurora", web2=DOWN, web3=DOWN)
    assert healing.ask("web1", site, RESTART) == NO_PEER


def test_peer_serves_a_site_by_all_of_its_hostnames(healing: HealingFleet, aurora: ManagedSite) -> None:
    healing.see(aurora, web3=DOWN)
    healing.see(aurora, "www.aurora.example.com", web2=DOWN)
    assert healing.ask("web1", aurora, RESTART) == NO_PEER


def test_what_a_peer_said_long_ago_does_not_count(healing: HealingFleet, aurora: ManagedSite) -> None:
    """A monitor that has died says nothing of now, and neither does a node that does not speak."""
    healing.hear_monitor("web2", healing_v1.FRESH_AFTER + 1)
    healing.report("web3", 100)
    assert healing.ask("web1", aurora, RESTART) == NO_PEER
    healing.hear_monitor("web2")
    assert healing.ask("web1", aurora, RESTART) == GRANTED


def test_peer_counts_only_where_it_is_asked_for_the_site(healing: HealingFleet) -> None:
    """Of what is placed elsewhere, a node says nothing that counts, whatever its monitor sees."""
    for node in ("few1", "few2"):
        healing.add_node(node, "few")
    for node in ("web1", "web2", "web3"):
        healing.hear_monitor(node, 1000)
    site = healing.add_site("aurora", few1=DOWN)
    place_sites(OPERATOR, "few1", [site])
    assert healing.ask("few1", site, RESTART) == NO_PEER
    place_sites(OPERATOR, "few2", [site])
    assert healing.ask("few1", site, RESTART) == NO_PEER
    with transaction.atomic():
        lock_head()
        run_sql("UPDATE control_placement SET is_serving = true WHERE node_id = 'few2'")
    assert healing.ask("few1", site, RESTART) == GRANTED


def test_many_at_once_are_nobodys_own_fault(healing: HealingFleet, aurora: ManagedSite) -> None:
    """Here, or on all others: then what they share is slow or away, and a restart makes it worse."""
    for name in ("borealis", "corona"):
        healing.add_site(name, web1=DOWN)
    assert healing.ask("web1", aurora, RESTART) == MANY
    for name in ("borealis", "corona"):
        site = ManagedSite.objects.get(identifier=name)
        healing.see(site, web1=UP, web2=DOWN, web3=DOWN)
    assert healing.ask("web1", aurora, RESTART) == GRANTED
    healing.see(healing.add_site("dusk"), web2=DOWN, web3=DOWN)
    assert healing.ask("web1", aurora, RESTART) == MANY


def test_one_node_that_calls_everything_bad_keeps_nobody_from_healing(
    healing: HealingFleet, aurora: ManagedSite
) -> None:
    for name in ("borealis", "corona", "dusk", "eos"):
        healing.add_site(name, web2=DOWN)
    assert healing.ask("web1", aurora, RESTART) == GRANTED


def test_fleet_without_monitors_restarts_nothing(healing: HealingFleet, aurora: ManagedSite) -> None:
    run_sql("DELETE FROM control_probe_latest")
    assert healing.ask("web1", aurora, RESTART) == NO_PEER
    assert healing.ask("web1", aurora, READ) == GRANTED


# What is left alone


@pytest.mark.parametrize("step", [READ, APPLY, RESTART])
def test_held_sites_and_nodes_are_left_alone(healing: HealingFleet, aurora: ManagedSite, step: str) -> None:
    hold(OPERATOR, aurora, seconds=60, reason="restore")
    assert healing.ask("web1", aurora, step) == IS_HELD
    assert healing.ask("web1", healing.add_site("borealis"), step) == GRANTED
    assert healing.ask("web1", aurora, STOP) == GRANTED


@pytest.mark.parametrize("node", ["web1", None])
def test_hold_of_a_node_or_of_everything_holds_healing(
    healing: HealingFleet, aurora: ManagedSite, node: str | None
) -> None:
    hold(OPERATOR, node=Node.objects.get(pk=node) if node else None, seconds=60, reason="work")
    assert [healing.ask("web1", aurora, RESTART), healing.ask("web1", None, NODE)] == [IS_HELD, IS_HELD]


@pytest.mark.parametrize(("key", "value"), [("state", "maintenance"), ("state", "suspended"), ("enabled", False)])
def test_closed_site_is_left_alone(healing: HealingFleet, aurora: ManagedSite, key: str, value: Any) -> None:
    healing.fleet.apply(EditSite(aurora.uid, set_value((key,), value)))
    assert {healing.ask("web1", aurora, step) for step in (READ, APPLY, RESTART)} == {NOT_ACTIVE}


def test_retired_and_foreign_sites_are_unknown(healing: HealingFleet, aurora: ManagedSite) -> None:
    healing.add_node("few1", "few")
    assert healing.ask("few1", aurora, READ) == UNKNOWN_SITE
    healing.fleet.apply(RetireSite(aurora.uid))
    assert healing.ask("web1", aurora, READ) == UNKNOWN_SITE
    assert healing.ask("web1", aurora, NODE) == UNKNOWN_SITE
    assert healing.ask("web1", None, RESTART) == UNKNOWN_SITE


def test_node_that_drains_heals_nothing(healing: HealingFleet, aurora: ManagedSite) -> None:
    save_node(OPERATOR, "web1", state=DRAINING)
    assert {healing.ask("web1", aurora, step) for step in (READ, APPLY, RESTART, STOP)} == {NODE_NOT_ACTIVE}
    assert healing.ask("web1", None, NODE) == NODE_NOT_ACTIVE


def test_two_agents_under_one_id_heal_nothing(healing: HealingFleet, aurora: ManagedSite) -> None:
    run_sql("UPDATE control_report SET duplicate_at = now() WHERE node_id = 'web1'")
    assert healing.ask("web1", aurora, RESTART) == DUPLICATE


def test_wave_that_has_not_ended_keeps_its_sites_from_healing(healing: HealingFleet, aurora: ManagedSite) -> None:
    """What was changed just now, or is kept back, is not told from a fault; others are healed on."""
    other = healing.add_site("borealis", web1=DOWN)
    with transaction.atomic():
        lock_head()
        wave = Wave.objects.create(
            revision=1, stage_revision=1, stage_at=aurora.created, bake_seconds=600, state=RUNNING
        )
        WaveItem.objects.create(wave=wave, site=aurora, revision=1, former=aurora.record)
    assert healing.ask("web1", aurora, READ) == healing.ask("web1", aurora, RESTART) == IN_WAVE
    assert healing.ask("web1", None, NODE) == IN_WAVE
    assert healing.ask("web1", other, RESTART) == GRANTED


# Budgets


def test_site_is_restarted_so_often_within_an_hour(healing: HealingFleet, aurora: ManagedSite) -> None:
    healing.see(aurora, web3=UP)
    assert [healing.ask("web1", aurora, RESTART) for _ in range(4)] == [GRANTED] * 3 + [SITE_BUDGET]
    healing.see(aurora, web1=UP, web2=DOWN)
    assert healing.ask("web2", aurora, RESTART) == SITE_BUDGET
    healing.age_steps(3601)
    assert healing.ask("web2", aurora, RESTART) == GRANTED


def test_node_restarts_so_many_sites_within_ten_minutes(healing: HealingFleet) -> None:
    sites = [healing.add_site(f"site{index}") for index in range(7)]
    assert [healing.ask("web1", site, RESTART) for site in sites[:6]] == [GRANTED] * 5 + [NODE_BUDGET]
    assert healing.ask("web2", sites[6], RESTART) == GRANTED
    healing.age_steps(601)
    assert healing.ask("web1", sites[6], RESTART) == GRANTED


def test_operators_state_budgets_and_switch_healing_off(healing: HealingFleet, aurora: ManagedSite) -> None:
    HealBudget.objects.create(fleet_restarts=1)
    other = healing.add_site("borealis")
    assert healing.ask("web1", aurora, RESTART) == GRANTED
    assert healing.ask("web2", other, RESTART) == FLEET_BUDGET
    HealBudget.objects.update(is_on=False)
    assert healing.ask("web2", other, RESTART) == OFF
    assert healing.ask("web2", other, READ) == GRANTED


@pytest.mark.parametrize("stated", [{"id": 2}, {"node_seconds": 1}, {"site_restarts": 21}, {"most_share": 101}])
def test_budgets_are_one_row_within_bounds(healing: HealingFleet, stated: dict[str, int]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        HealBudget.objects.create(**stated)


def test_steps_that_cannot_hurt_make_no_event_and_are_bounded(healing: HealingFleet, aurora: ManagedSite) -> None:
    """Each is a row all the same: a node that was taken over cannot fill the table."""
    before = healing.fleet.revision
    asked = [healing.ask("web1", aurora, READ) for _ in range(healing_v1.MOST_STEPS + 2)]
    assert asked == [GRANTED] * healing_v1.MOST_STEPS + [TOO_OFTEN] * 2
    assert healing.ask("web1", aurora, STOP) == TOO_OFTEN
    assert healing.ask("web2", aurora, READ) == GRANTED
    assert healing.fleet.revision == before
    assert HealStep.objects.count() == healing_v1.MOST_STEPS + 1


def test_steps_of_long_ago_are_forgotten(healing: HealingFleet, aurora: ManagedSite) -> None:
    healing.ask("web1", aurora, READ)
    healing.age_steps((healing_v1.KEPT_DAYS + 1) * 86_400)
    healing.ask("web1", aurora, APPLY)
    assert list(HealStep.objects.values_list("step", flat=True)) == [APPLY]


def test_refused_step_is_no_row_and_no_event(healing: HealingFleet, aurora: ManagedSite) -> None:
    healing.see(aurora, web2=DOWN, web3=DOWN)
    before = healing.fleet.revision
    assert healing.ask_whole("web1", aurora, RESTART) == (NO_PEER, None)
    assert (healing.fleet.revision, HealStep.objects.count()) == (before, 0)


# Nodes


def test_one_node_at_a_time_is_to_be_replaced(healing: HealingFleet) -> None:
    healing.add_site("aurora", web1=DOWN)
    before = healing.fleet.revision
    assert healing.ask("web1", None, NODE) == GRANTED
    assert Event.objects.get(revision=before + 1).type == "heal.node"
    assert healing.ask("web2", None, NODE) == FLEET_BUDGET
    assert healing.ask("web1", None, NODE) == NODE_BUDGET
    healing.age_steps(601)
    assert healing.ask("web1", None, NODE) == NODE_BUDGET
    healing.age_steps(3000)
    assert healing.ask("web1", None, NODE) == GRANTED


def test_last_node_of_a_group_and_zone_stays(fleet: Fleet, made_roles: None) -> None:
    healing = HealingFleet(fleet)
    healing.add_node("east1", zone="east")
    healing.add_node("west1", zone="west")
    healing.add_site("aurora", east1=DOWN)
    assert healing.ask("east1", None, NODE) == LAST_NODE
    healing.add_node("east2", zone="east", state=DRAINING)
    assert healing.ask("east1", None, NODE) == LAST_NODE
    save_node(OPERATOR, "east2", state=ACTIVE)
    healing.report("east2", 100)
    assert healing.ask("east1", None, NODE) == LAST_NODE
    healing.report("east2")
    assert healing.ask("east1", None, NODE) == GRANTED


def test_node_stays_that_alone_serves_any_of_its_sites(healing: HealingFleet) -> None:
    """Also one that is well here: it would be gone with the node."""
    healing.add_site("aurora", web1=DOWN)
    alone = healing.add_site("borealis", web2=DOWN, web3=DOWN)
    assert healing.ask("web1", None, NODE) == NO_PEER
    healing.fleet.apply(EditSite(alone.uid, set_value(("state",), "suspended")))
    assert healing.ask("web1", None, NODE) == GRANTED


def test_node_that_is_to_be_replaced_is_nobodys_peer(healing: HealingFleet) -> None:
    site = healing.add_site("aurora", web1=DOWN)
    _, step = healing.ask_whole("web3", None, NODE)
    healing.see(site, web2=DOWN)
    assert healing.ask("web1", site, RESTART) == NO_PEER
    assert healing.end("web3", step, DONE)
    assert healing.ask("web1", site, RESTART) == GRANTED


def test_unhealthy_node_is_one_only_as_long_as_others_serve(healing: HealingFleet) -> None:
    site = healing.add_site("aurora", web1=DOWN)

    def may_stay() -> str:
        return str(healing.call("web1", healing_v1.MAY_STAY_UNHEALTHY)[0])

    assert healing.ask("web1", None, NODE) == GRANTED
    assert may_stay() == GRANTED
    healing.see(site, web2=DOWN, web3=DOWN)
    assert may_stay() == NO_PEER
    healing.see(site, web2=UP)
    hold(OPERATOR, node=Node.objects.get(pk="web1"), seconds=60, reason="work")
    assert may_stay() == IS_HELD


# Who is believed


def test_node_ends_its_own_steps_alone(healing: HealingFleet, aurora: ManagedSite) -> None:
    _, step = healing.ask_whole("web1", aurora, READ)
    assert not healing.end("web2", step, DONE)
    assert not healing.end("web1", uuid4(), DONE)
    assert not healing.end("web1", step, BEGUN)
    assert healing.end("web1", step, DONE)
    assert healing.end("web1", step, HEALED)
    assert HealStep.objects.get().outcome == HEALED
    healing.age_steps(86_401)
    assert not healing.end("web1", step, DONE)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM public.control_heal_step",
        "SELECT * FROM public.control_heal_limit",
        "UPDATE public.control_heal_budget SET is_on = true",
        "SELECT public.control_judge_step('web2', NULL, 'node')",
        "SELECT public.control_is_served_elsewhere(NULL, 'web2')",
    ],
)
def test_node_reads_and_writes_none_of_it(healing: HealingFleet, statement: str) -> None:
    with (
        acting(f"{node_v1.ROLE}_web1"),
        pytest.raises(DatabaseError, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


@pytest.mark.parametrize("table", ["control_heal_step", "control_heal_budget"])
@pytest.mark.parametrize("write", ["INSERT INTO {} DEFAULT VALUES", "UPDATE {} SET id = id", "DELETE FROM {}"])
def test_web_process_writes_none_of_it(healing: HealingFleet, table: str, write: str) -> None:
    with (
        acting("multihost_web"),
        pytest.raises(DatabaseError, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(write.format(table))


def test_no_record_says_where_the_marker_is(fleet: Fleet) -> None:
    """Root makes and removes that file: only the node's own file says where."""
    with pytest.raises(ConfigurationError, match=r"nginx\.unhealthy"):
        fleet.apply(EditPlatform(set_value(("nginx", "unhealthy"), "/etc/shadow")))


def test_operator_process_reads_what_was_done(healing: HealingFleet, aurora: ManagedSite) -> None:
    healing.ask("web1", aurora, RESTART)
    healing.ask("web2", None, NODE)
    with acting(OPERATOR_ROLE), connection.cursor() as cursor:
        cursor.execute("SELECT site, node, step, outcome FROM operator_v1.heal_step ORDER BY at")
        assert cursor.fetchall() == [("aurora", "web1", RESTART, BEGUN), (None, "web2", NODE, BEGUN)]


def test_who_is_no_node_heals_nothing(healing: HealingFleet, aurora: ManagedSite) -> None:
    with connection.cursor() as cursor:
        cursor.execute(healing_v1.MAY_HEAL, (aurora.uid, READ))
        assert cursor.fetchone() == ("unknown-node", None)


def test_there_are_no_other_steps(healing: HealingFleet, aurora: ManagedSite) -> None:
    for step in ("shutdown", "", None):
        with (
            acting(f"{node_v1.ROLE}_web1"),
            pytest.raises(DatabaseError, match="no such step"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(healing_v1.MAY_HEAL, (aurora.uid, step))


def test_words_are_told_in_sentences() -> None:
    assert all(sentence.endswith(".") for sentence in (*REFUSALS.values(), *OUTCOMES.values()))
    assert all(len(word) <= 10 for word in (*STEPS, *OUTCOMES))


# Races


@pytest.fixture(name="racers")
def _racers(live_fleet: Fleet, postgres: Postgres) -> Iterator[dict[str, Any]]:
    """Return connections of nodes that all serve all sites, by node."""
    Roles(postgres).make()
    save_group(OPERATOR, "every", ALL)
    with ExitStack() as stack:
        found = {}
        for index in range(RACERS):
            node = f"web{index}"
            save_node(OPERATOR, node, "every")
            login = stack.enter_context(node_login(postgres, node))
            assert login.enter(ACTIVE)
            login.report(1)
            run_sql(SEEN, node, 0)
            found[node] = stack.enter_context(login.connect())
            found[node].autocommit = True
        for index in range(RACERS):
            site = live_fleet.add(f"site{index}")
            for node in found:
                run_sql(SEE, site.record["hostnames"][0], node, site.uid, UP)
        yield found


def race(racers: dict[str, Any], step: str) -> list[str]:
    """Let all nodes ask at once for a step, of their own or each of another site; return the answers."""
    sites = [None] * RACERS if step == NODE else list(ManagedSite.objects.values_list("uid", flat=True))
    answers: list[str] = []
    barrier = threading.Barrier(RACERS)

    def ask(connected: Any, site: Any) -> None:
        barrier.wait()
        answers.append(connected.execute(healing_v1.MAY_HEAL, (site, step)).fetchone()[0])

    threads = [threading.Thread(target=ask, args=pair) for pair in zip(racers.values(), sites, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return sorted(answers)


def test_nodes_that_ask_at_once_are_given_no_more_than_there_is(racers: dict[str, Any]) -> None:
    HealBudget.objects.create(fleet_restarts=2)
    assert race(racers, RESTART) == [FLEET_BUDGET] * (RACERS - 2) + [GRANTED] * 2
    assert race(racers, NODE) == [FLEET_BUDGET] * (RACERS - 1) + [GRANTED]
    assert HealStep.objects.filter(step=NODE).count() == 1
    assert Event.objects.filter(type="heal.node").count() == 1
