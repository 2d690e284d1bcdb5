"""Waves: a change of many sites, or of the platform, that reaches the nodes one after the other."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from wagtail.models import ModelLogEntry

from tests.control.agents import AgentProcess
from tests.control.clients import client_of, operator_client
from tests.control.fleet import OPERATOR, Fleet
from tests.control.node_roles import node_login
from tests.control.roles import PASSWORD, Roles
from tests.control.waves import WaveFleet, acting, values_of
from tests.servers.postgres import Postgres
from tests.servers.processes import wait_for
from wagtail_multihost.control.changes import (
    CreateSite,
    EditPlatform,
    EditSite,
    NotAllowedError,
    RetireSite,
    WaveRunsError,
)
from wagtail_multihost.control.edits import merge_patch, set_value
from wagtail_multihost.control.models import Event, Node, Report, Wave, WaveItem
from wagtail_multihost.control.node_status import sync_status
from wagtail_multihost.control.nodes import save_group, save_node
from wagtail_multihost.control.printing import outcome_text
from wagtail_multihost.control.pruning import prune_events
from wagtail_multihost.control.roles import OPERATOR as OPERATOR_ROLE
from wagtail_multihost.control.roles import WEB
from wagtail_multihost.control.wave_plans import BAKE_SETTING, SITES_SETTING
from wagtail_multihost.control.waves import abandon_wave, finish_wave, resume_wave, running_waves
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.nodeapi.node_states import (
    ACTIVE,
    ALL,
    AWAY,
    DONE,
    DRAINING,
    FRONT,
    ONE,
    REST,
    RUNNING,
    STOPPED,
    TENTH,
)

NEW, OLD = {"uwsgi": {"processes": 7}}, {"uwsgi": {"processes": 2}}


def others(waves: WaveFleet, node: str) -> list[str]:
    return [one for one in ("web1", "web2", "web3") if one != node]


def processes(waves: WaveFleet, node: str) -> set[int | None]:
    return set(values_of(waves.records(node), "uwsgi", "processes").values())


def test_change_of_many_sites_reaches_one_node_then_a_tenth_then_the_rest(waves: WaveFleet) -> None:
    sites = waves.add_sites(3, **OLD)
    revision = waves.fleet.revision
    outcome = waves.change(*sites, **NEW)
    first = waves.first()
    assert outcome.wave == waves.wave.pk
    assert (waves.wave.stage, waves.wave.state) == (ONE, RUNNING)
    assert processes(waves, first) == {7}
    assert all(processes(waves, node) == {2} for node in others(waves, first))
    assert {event.metadata["wave"] for event in Event.objects.filter(revision__gt=revision)} == {str(outcome.wave)}
    assert waves.tick() == 0, "nobody has applied it"
    waves.advance()
    assert (waves.wave.stage, len(waves.wave.admitted)) == (TENTH, 2)
    waves.advance()
    assert (waves.wave.stage, len(waves.wave.admitted)) == (REST, 3)
    assert all(processes(waves, node) == {7} for node in ("web1", "web2", "web3"))
    waves.advance()
    assert waves.wave.state == DONE
    kinds = Event.objects.filter(actor="operator:waves").order_by("revision").values_list("type", flat=True)
    assert list(kinds) == ["wave.advanced", "wave.advanced", "wave.done"]
    assert set(WaveItem.objects.values_list("former", flat=True)[0]) == set()


def test_node_reads_again_when_its_turn_comes(waves: WaveFleet) -> None:
    """Nobody has changed the records since, and what is not of the wave is not read."""
    sites = waves.add_sites(4, **OLD)
    for node in ("web1", "web2", "web3"):
        waves.follow(node)
    waves.change(*sites[:3], **NEW)
    before = {node: waves.follow(node) for node in ("web1", "web2", "web3")}
    late = [node for node, records in before.items() if records["site0"]["uwsgi"]["processes"] == 2]
    assert len(late) == 2
    since = waves.fleet.revision
    waves.advance()
    waves.advance()
    read = waves.read(late[0], since)
    assert sorted(read["sites"]) == ["site0", "site1", "site2"]
    for node in late:
        assert values_of(waves.follow(node), "uwsgi", "processes") == {
            "site0": 7,
            "site1": 7,
            "site2": 7,
            "site3": 2,
        }
    admitted = next(node for node in before if node not in late)
    assert waves.read(admitted, since)["sites"] == {}, "it has them since it was the first"


def test_change_of_the_platform_is_a_wave(waves: WaveFleet) -> None:
    waves.add_sites(1)
    outcome = waves.change_platform(nginx={"timeout": 77})
    assert outcome.wave is not None
    first = waves.first()
    assert waves.platform(first)["nginx"] == {"timeout": 77}
    assert all("nginx" not in waves.platform(node) for node in others(waves, first))
    since = waves.fleet.revision
    waves.advance()
    waves.advance()
    assert all(waves.platform(node)["nginx"] == {"timeout": 77} for node in others(waves, first))
    late = next(node for node, turn in waves.wave.admitted.items() if turn > since)
    assert waves.read(late, since)["platform"] is not None


@pytest.mark.parametrize("is_finished_by_hand", [False, True])
def test_fronts_read_again_when_a_wave_is_done(waves: WaveFleet, *, is_finished_by_hand: bool) -> None:
    """They were given the former records until then, and nobody changes anything afterwards."""
    sites = waves.add_sites(3, nginx={"timeout": 60})
    save_group(OPERATOR, "fronts", FRONT)
    waves.add_node("front1", "fronts")
    since = waves.fleet.revision
    waves.change(*sites, nginx={"timeout": 77})
    for _ in range(2):
        waves.advance()
        read = waves.read_front("front1", since)
        assert set(values_of(read, "nginx", "timeout").values()) <= {60}
        since = waves.fleet.revision
    assert waves.wave.stage == REST
    if is_finished_by_hand:
        finish_wave(OPERATOR)
    else:
        waves.advance()
    assert waves.wave.state == DONE
    assert values_of(waves.read_front("front1", since), "nginx", "timeout") == {
        "site0": 77,
        "site1": 77,
        "site2": 77,
    }
    assert waves.read_front("front1", waves.fleet.revision) == {}, "it reads nothing for ever"


def test_fronts_read_the_platform_again_when_its_wave_is_done(waves: WaveFleet) -> None:
    waves.add_sites(1)
    save_group(OPERATOR, "fronts", FRONT)
    waves.add_node("front1", "fronts")
    waves.change_platform(nginx={"timeout": 77})
    waves.advance()
    waves.advance()
    since = waves.fleet.revision
    waves.advance()
    assert waves.wave.state == DONE
    assert waves.read_front_platform("front1", since) == {"name": "aviary", "nginx": {"timeout": 77}}


def test_few_sites_and_few_nodes_make_no_wave(waves: WaveFleet) -> None:
    sites = waves.add_sites(3, **OLD)
    assert waves.change(*sites[:2], **NEW).wave is None
    for node in ("web2", "web3"):
        save_node(OPERATOR, node, "web", state=AWAY)
    assert waves.change(*sites, **{"uwsgi": {"processes": 9}}).wave is None
    assert waves.change_platform(nginx={"timeout": 77}).wave is None
    assert processes(waves, "web1") == {9}


def test_what_stops_or_names_a_site_is_everywhere_at_once(waves: WaveFleet) -> None:
    """Many sites are disabled in one change: no wave; and a wave's former records say so too."""
    sites = waves.add_sites(3, **OLD)
    patch = {"enabled": False, "state": "suspended", "hostnames": None, "epoch": 2}
    changes = [
        EditSite(site.uid, merge_patch({**patch, "hostnames": [f"new-{site.identifier}.example.com"]}))
        for site in sites
    ]
    assert waves.fleet.apply(*changes, confirmed=3).wave is None
    for site in sites:
        waves.fleet.apply(EditSite(site.uid, merge_patch({"enabled": True, "state": "active"})))
    waves.change(*sites, **NEW)
    first = waves.first()
    [late, _] = others(waves, first)
    revision = waves.read(late)["sites"]["site0"]["revision"]
    waves.fleet.apply(EditSite(sites[0].uid, merge_patch({"enabled": False, "hostnames": ["kept.example.com"]})))
    row = waves.read(late)["sites"]["site0"]
    assert row["revision"] > revision
    assert (row["record"]["enabled"], row["record"]["hostnames"]) == (False, ["kept.example.com"])
    assert row["record"]["uwsgi"] == {"processes": 2}, "the wave holds the rest back still"
    assert waves.read(first)["sites"]["site0"]["record"]["uwsgi"] == {"processes": 7}


def test_hostname_that_moves_during_a_wave_is_on_no_node_twice(waves: WaveFleet) -> None:
    sites = waves.add_sites(3, **OLD)
    waves.change(*sites, **NEW)
    move = [
        EditSite(sites[0].uid, merge_patch({"hostnames": ["other.example.com"]})),
        EditSite(sites[1].uid, merge_patch({"hostnames": ["site1.example.com", "site0.example.com"]})),
    ]
    waves.fleet.apply(*move)
    waves.fleet.apply(CreateSite("late", {"hostnames": ["late.example.com"]}))
    for node in ("web1", "web2", "web3"):
        names = [name for record in waves.records(node).values() for name in record["hostnames"]]
        assert sorted(names) == sorted(set(names))
        assert waves.records(node)["site1"]["hostnames"] == ["site1.example.com", "site0.example.com"]
    assert waves.wave.items.filter(is_current=True).count() == 3


def test_single_change_supersedes_the_wave(waves: WaveFleet) -> None:
    sites = waves.add_sites(3, **OLD)
    waves.change(*sites, **NEW)
    waves.change(sites[0], uwsgi={"processes": 5})
    for node in ("web1", "web2", "web3"):
        assert waves.records(node)["site0"]["uwsgi"] == {"processes": 5}
    assert waves.wave.items.filter(is_current=True).count() == 2
    waves.fleet.apply(RetireSite(sites[1].uid))
    assert all("site1" not in waves.records(node) for node in ("web1", "web2", "web3"))
    late = others(waves, waves.first())[0]
    assert waves.records(late)["site2"]["uwsgi"] == {"processes": 2}


def test_change_of_what_a_wave_holds_costs_the_same_for_many_sites(waves: WaveFleet) -> None:
    sites = waves.add_sites(12, **OLD)
    waves.change(*sites, **NEW)
    counts = []
    for chosen in (sites[:1], sites[1:]):
        with CaptureQueriesContext(connection) as queries:
            waves.change(*chosen, admins=["a@example.com"])
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert waves.wave.items.filter(is_current=True).count() == 12


def test_second_wave_waits_and_what_needs_none_does_not(waves: WaveFleet) -> None:
    sites = waves.add_sites(4, **OLD)
    waves.change(*sites[:3], **NEW)
    before = waves.fleet.revision
    with pytest.raises(WaveRunsError, match="multihost_wave"):
        waves.change(*sites[1:], uwsgi={"processes": 9})
    with pytest.raises(WaveRunsError, match="multihost_wave"):
        waves.change_platform(nginx={"timeout": 9})
    assert waves.fleet.revision == before
    waves.change(sites[3], **NEW)
    assert waves.change_platform(at_once=True, nginx={"timeout": 9}).wave is None
    assert all(waves.platform(node)["nginx"] == {"timeout": 9} for node in ("web1", "web2", "web3"))


def test_move_of_data_is_never_in_two_places(waves: WaveFleet) -> None:
    """Nodes that disagree on where data is would write to two places, and the identity fuse would stop one of them."""
    sites = waves.add_sites(3, **OLD)
    assert waves.change(*sites, cache={"backend": "redis", "host": "cache1"}, **NEW).wave is None
    assert waves.change_platform(cache={"backend": "redis", "host": "cache2"}).wave is None
    places = [[record["cache"] for record in waves.records(node).values()] for node in ("web1", "web2")]
    assert places[0] == places[1]


def test_former_record_that_would_claim_something_else_is_not_held(waves: WaveFleet) -> None:
    storage = {"backend": "s3", "endpoint": "https://s3.example.net", "bucket": "one"}
    first = waves.fleet.add("first", storage={**storage, "public_endpoint": "https://files.example.net"})
    sites = [first, *waves.add_sites(3, **OLD)]
    changes = [EditSite(site.uid, merge_patch(NEW)) for site in sites]
    free = EditSite(first.uid, merge_patch({**NEW, "storage": {"public_endpoint": "https://s3.example.net"}}))
    waves.fleet.apply(*changes[1:], free)
    assert sorted(waves.wave.items.values_list("site__identifier", flat=True)) == ["site0", "site1", "site2"]
    waves.fleet.add("second", "files.example.net")
    for node in ("web1", "web2", "web3"):
        assert "files.example.net" not in waves.records(node)["first"]["storage"]["public_endpoint"]


def test_site_that_the_former_platform_would_not_accept_waits(waves: WaveFleet) -> None:
    """On nodes that the wave has not reached it could not be served, or would claim what is another one's."""
    sites = waves.add_sites(1, storage={"backend": "files"})
    storage = {"backend": "s3", "bucket": "one"}
    shared = {"backend": "s3", "endpoint": "https://s3.example.net", "public_endpoint": "https://old.example.net"}
    waves.change_platform(at_once=True, storage=shared)
    assert waves.change_platform(storage={"public_endpoint": "https://new.example.net"}).wave is not None
    with pytest.raises(WaveRunsError, match="former platform"):
        waves.fleet.apply(EditSite(sites[0].uid, merge_patch({"storage": storage})))
    waves.fleet.apply(EditSite(sites[0].uid, merge_patch({"enabled": False})))
    finish_wave(OPERATOR)
    waves.fleet.apply(EditSite(sites[0].uid, merge_patch({"storage": storage})))


@pytest.mark.parametrize("how", ["refused", "fails", "silent"])
def test_wave_stops_on_what_is_new_and_goes_on_when_resumed(waves: WaveFleet, how: str) -> None:
    sites = waves.add_sites(3, **OLD)
    waves.change(*sites, **NEW)
    first = waves.first()
    if how == "silent":
        waves.silence(first)
    else:
        waves.report(first, fails=how == "fails", **({"site1": "No."} if how == "refused" else {}))
    assert waves.tick() == 1
    wave = waves.wave
    assert (wave.state, wave.stage) == (STOPPED, ONE)
    assert first in wave.reason
    assert waves.tick() == 0
    late = others(waves, first)
    assert all(processes(waves, node) == {2} for node in late)
    assert Event.objects.latest("revision").type == "wave.stopped"
    [row] = running_waves()
    assert (row.state, row.reason) == (STOPPED, wave.reason)
    resume_wave(OPERATOR, wave.pk)
    assert ModelLogEntry.objects.get(action="multihost.wave.resumed").object_id == str(wave.pk)
    for node in late:
        waves.report(node)
    waves.report(first, **({"site1": "No."} if how == "refused" else {}))
    for _ in range(3):
        waves.tick(2)
        for node in late:
            waves.report(node)
    assert waves.wave.state == DONE, waves.wave.reason


def test_node_that_was_not_well_before_stops_no_wave(waves: WaveFleet) -> None:
    """Nor is it the first, nor waited for; and a refusal of a site that is not in the wave is nothing to it."""
    sites = waves.add_sites(5, **OLD)
    waves.report("web1", applied=1, fails=True)
    waves.report("web2", site0="No.")
    waves.report("web3", site0="No.", site4="No.")
    waves.change(*sites[:4], **NEW)
    assert "web1" not in waves.wave.admitted
    for _ in range(3):
        waves.report("web2", site0="No.", site4="No.")
        waves.report("web3", site0="No.")
        waves.report("web1", applied=1, fails=True)
        waves.tick(2)
    assert waves.wave.state == DONE, waves.wave.reason
    assert processes(waves, "web1") == {2, 7}, "it is given it all the same"


def test_hostile_report_stops_its_own_wave_at_most(waves: WaveFleet) -> None:
    sites = waves.add_sites(3, **OLD)
    waves.change(*sites, **NEW)
    first = waves.first()
    revision = waves.fleet.revision
    for conditions, refused in (("7", "[]"), ('["x", null, {"type": 4}]', '"x"'), ("null", "null")):
        with acting(f"multihost_node_{first}"), connection.cursor() as cursor:
            cursor.execute(
                "SELECT node_api_v1.report(%s, %s, '0.2', %s::jsonb, %s::jsonb, '7')",
                [waves.boots[first], revision, conditions, refused],
            )
        waves.tick(1)
    assert waves.wave.state == RUNNING
    assert waves.wave.reason == ""


def test_row_of_another_form_does_not_keep_waves_from_being_judged(waves: WaveFleet) -> None:
    """No node can write one; whoever did, the wave goes on."""
    waves.change(*waves.add_sites(3, **OLD), **NEW)
    waves.report_all()
    assert Report.objects.filter(pk=waves.first()).update(conditions=7, sites=7) == 1
    assert waves.tick(2) == 2
    assert waves.wave.stage == TENTH


def test_another_node_is_tried_where_the_first_leaves(waves: WaveFleet) -> None:
    """A wave that nobody has tried does not go on."""
    sites = waves.add_sites(3, **OLD)
    waves.change(*sites, **NEW)
    first = waves.first()
    save_node(OPERATOR, first, "web", state=DRAINING)
    assert waves.tick() == 1
    assert (waves.wave.stage, len(waves.wave.admitted)) == (ONE, 2)
    for node in others(waves, first):
        save_node(OPERATOR, node, "web", state=DRAINING)
    assert waves.tick(2) == 0
    assert waves.wave.stage == ONE


def test_stage_lasts_as_long_as_it_bakes(waves: WaveFleet) -> None:
    sites = waves.add_sites(3, **OLD)
    with override_settings(**{BAKE_SETTING: 600}):
        waves.change(*sites, **NEW)
    waves.report_all()
    assert waves.tick(3) == 1
    assert waves.wave.settled_at is not None
    with connection.cursor() as cursor:
        cursor.execute("UPDATE control_wave SET settled_at = clock_timestamp() - interval '601 seconds'")
    assert waves.tick() == 1
    assert waves.wave.stage == TENTH


def test_first_node_is_one_that_has_the_sites(waves: WaveFleet) -> None:
    sites = waves.add_sites(3, **OLD)
    for node in ("web1", "web2", "web3"):
        save_node(OPERATOR, node, "few")
    waves.place("web2", *sites)
    waves.report_all()
    waves.change(*sites, **NEW)
    assert waves.first() == "web2"


def test_node_that_joins_has_to_wait_for_its_turn(waves: WaveFleet) -> None:
    sites = waves.add_sites(3, **OLD)
    waves.change(*sites, **NEW)
    waves.add_node("web4")
    assert processes(waves, "web4") == {2}
    waves.advance()
    waves.advance()
    waves.add_node("web5")
    assert processes(waves, "web4") == processes(waves, "web5") == {7}


def test_wave_is_abandoned(waves: WaveFleet) -> None:
    """The former records are a new change, which all nodes get at once; what was changed since stays."""
    sites = waves.add_sites(3, **OLD)
    waves.change(*sites, **NEW)
    waves.change(sites[0], uwsgi={"processes": 5})
    waves.fleet.apply(EditSite(sites[1].uid, set_value(("admins",), ["a@example.com"])))
    since = waves.fleet.revision
    for node in ("web1", "web2", "web3"):
        waves.follow(node)
    outcome = abandon_wave(OPERATOR, reason="it was wrong")
    assert outcome.revision == waves.fleet.revision
    assert [changed.identifier for changed in outcome.changed] == ["site1", "site2"]
    for node in ("web1", "web2", "web3"):
        found = waves.follow(node)
        assert values_of(found, "uwsgi", "processes") == {"site0": 5, "site1": 2, "site2": 2}
        assert found == waves.records(node)
        assert found["site1"]["admins"] == ["a@example.com"]
    events = Event.objects.filter(revision__gt=since).order_by("revision")
    assert [event.type for event in events] == ["site.changed", "site.changed", "wave.abandoned"]
    assert events[0].metadata["at_once"] is True
    assert (waves.wave.state, waves.wave.reason) == (DONE, "abandoned")
    entry = ModelLogEntry.objects.get(action="multihost.wave.abandoned")
    assert (entry.data["reason"], entry.data["revision"]) == ("it was wrong", outcome.revision)


def test_wave_of_the_platform_is_abandoned(waves: WaveFleet) -> None:
    waves.add_sites(1)
    waves.change_platform(nginx={"timeout": 77})
    assert "\n1 change. The revision is " in outcome_text(abandon_wave(OPERATOR))
    assert all("nginx" not in waves.platform(node) for node in ("web1", "web2", "web3"))
    assert waves.change_platform(nginx={"timeout": 77}).wave is not None, "the next one can begin"


def test_wave_is_finished_at_once(waves: WaveFleet) -> None:
    sites = waves.add_sites(3, **OLD)
    waves.change(*sites, **NEW)
    for node in ("web1", "web2", "web3"):
        waves.follow(node)
    revision = finish_wave(OPERATOR)
    assert ModelLogEntry.objects.get(action="multihost.wave.finished").data["revision"] == revision
    for node in ("web1", "web2", "web3"):
        assert set(values_of(waves.follow(node), "uwsgi", "processes").values()) == {7}
    with pytest.raises(ConfigurationError, match="No wave runs"):
        finish_wave(OPERATOR)


def test_operators_alone_give_it_to_all_nodes_at_once(waves: WaveFleet) -> None:
    sites = waves.add_sites(3, **OLD)
    assert waves.change(*sites, at_once=True, **NEW).wave is None
    assert all(processes(waves, node) == {7} for node in ("web1", "web2", "web3"))
    assert Event.objects.latest("revision").metadata["at_once"] is True
    person = waves.fleet.authority("ada", site0="admin", site1="admin", site2="admin")
    with pytest.raises(NotAllowedError):
        waves.fleet.apply(
            *(EditSite(site.uid, set_value(("admins",), ["a@example.com"])) for site in sites),
            by=person,
            at_once=True,
        )
    waves.fleet.apply(EditSite(sites[0].uid, merge_patch(OLD)))
    waves.change(*sites, uwsgi={"processes": 3})
    for steer in (resume_wave, finish_wave, abandon_wave):
        with pytest.raises(NotAllowedError):
            steer(person)


def test_database_has_one_wave_at_a_time(waves: WaveFleet) -> None:
    sites = waves.add_sites(3, **OLD)
    waves.change(*sites, **NEW)
    values = {name: getattr(waves.wave, name) for name in ("revision", "stage_revision", "stage_at", "bake_seconds")}
    with pytest.raises(DatabaseError, match="control_wave_one_runs"), transaction.atomic():
        Wave.objects.create(state=RUNNING, **values)


def test_web_process_begins_waves_by_its_own_role(waves: WaveFleet) -> None:
    sites = waves.add_sites(3, **OLD)
    with acting(WEB):
        assert waves.change(*sites, **NEW).wave is not None
        abandon_wave(OPERATOR)
        assert waves.change(*sites, **NEW).wave is not None
        finish_wave(OPERATOR)


def test_waves_that_are_done_go_with_their_events(waves: WaveFleet) -> None:
    sites = waves.add_sites(3, **OLD)
    waves.change(*sites, **NEW)
    finish_wave(OPERATOR)
    prune_events(OPERATOR, 1)
    assert Wave.objects.count() == 1
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")  # as at the end of a transaction
        cursor.execute("UPDATE control_event SET at = at - interval '2 days'")
    waves.fleet.add("aurora")
    prune_events(OPERATOR, 1)
    assert not Wave.objects.exists()
    assert all(processes(waves, node) == {7, None} for node in ("web1", "web2"))


def test_import_of_a_new_fleet_is_no_wave(waves: WaveFleet) -> None:
    """Everything in it is new, or the platform had no record."""
    changes = [CreateSite(f"new{number}", {"hostnames": [f"new{number}.example.com"]}) for number in range(5)]
    assert waves.fleet.apply(EditPlatform(merge_patch({"origin": "http://{hostname}"})), *changes).wave is not None
    for node in ("web1", "web2", "web3"):
        assert len(waves.records(node)) == 5


def test_api_shows_waves_to_operators_and_steers_them(waves: WaveFleet) -> None:
    sites = waves.add_sites(3, **OLD)
    client = operator_client(waves.fleet)
    body = {"changes": [{"action": "patch", "id": site.identifier, "generation": "*", "record": NEW} for site in sites]}
    dry = client.post("/sites:batch?dry_run=1", body)
    assert dry.body["wave"] is not None
    assert not Wave.objects.exists()
    wave = client.post("/sites:batch", body).body["wave"]
    [shown] = client.get("/waves").body["waves"]
    assert (shown["id"], shown["state"], shown["sites"]) == (wave, RUNNING, ["site0", "site1", "site2"])
    refused = client.patch("/platform", {"record": {"nginx": {"timeout": 7}}}, if_match="*")
    assert refused.status == 409
    assert "multihost_wave" in refused.errors[0]["message"]
    assert client.post(f"/waves/{wave}/resume").status == 409
    assert client.post(f"/waves/{wave}/abandon", {"reason": "no"}).body["waves"][0]["state"] == DONE
    assert client.post(f"/waves/{wave}/finish").status == 404
    assert client.post("/sites:batch?at_once=1", body).body["wave"] is None
    person = client_of(waves.fleet.user("ada", site0="admin"))
    assert person.get("/waves").status == person.post(f"/waves/{wave}/finish").status == 404
    assert Node.objects.count() == 3


def test_change_of_one_site_says_that_it_goes_in_a_wave(waves: WaveFleet) -> None:
    """As it does where every change is to go in one."""
    waves.add_sites(1, **OLD)
    with override_settings(**{SITES_SETTING: 0}):
        reply = operator_client(waves.fleet).patch("/sites/site0", {"record": NEW}, if_match="*")
    assert reply.body["wave"] == str(waves.wave.pk)


def test_agents_take_their_turns(live_fleet: Fleet, postgres: Postgres, tmp_path: Path) -> None:
    """Two agents as processes: until its turn comes, a node keeps the former record, whatever its revision is."""
    Roles(postgres).make()
    save_group(OPERATOR, "web", ALL)
    names = ("web1", "web2")
    for node in names:
        save_node(OPERATOR, node, "web")
    sites = [live_fleet.add(name, **OLD) for name in ("aurora", "borealis", "corona")]
    with ExitStack() as stack:
        stack.enter_context(override_settings(**{SITES_SETTING: 2, BAKE_SETTING: 0}))
        agents = {}
        for node in names:
            agents[node] = AgentProcess(tmp_path / node, stack.enter_context(node_login(postgres, node)))
            agents[node].give_key(*(site.identifier for site in sites))
            stack.enter_context(agents[node].running())
        for agent in agents.values():
            agent.wait_until_applied(live_fleet.revision - 1)
        wait_for(lambda: Node.objects.filter(state=ACTIVE).count() == 2, "both nodes to be active")
        outcome = live_fleet.apply(*(EditSite(site.uid, merge_patch(NEW)) for site in sites))
        [first] = Wave.objects.get().admitted
        [late] = [node for node in names if node != first]
        for agent in agents.values():
            agent.wait_until_applied(outcome.revision)
        assert (told(agents[first]), told(agents[late])) == ({7}, {2})
        assert [one.node.id for one in sync_status(outcome.revision).nodes if not one.has_it] == [late]
        live_fleet.apply(EditSite(sites[0].uid, merge_patch({"enabled": False})))
        agents[late].wait_until_applied(live_fleet.revision)
        assert agents[late].vassals == ["borealis", "corona"]
        revisions = published_revisions(agents[late])

        def is_done() -> bool:
            with postgres.connect(str(connection.settings_dict["NAME"]), OPERATOR_ROLE, PASSWORD) as opened:
                opened.execute("SELECT operator_v1.advance_waves()")
            return Wave.objects.get().state == DONE

        wait_for(is_done, "the wave to be done")
        assert (told(agents[first]), told(agents[late])) == ({7}, {7})
        assert sync_status(outcome.revision).synced
        after = published_revisions(agents[late])
        assert all(after[site] >= revisions[site] for site in ("borealis", "corona")), "snapshots never go back"


def told(agent: AgentProcess) -> set[int]:
    """Return how many processes uWSGI is told to run for each site."""
    texts = [path.read_text() for path in agent.output.glob("uwsgi/*.ini")]
    return {int(number) for text in texts for number in re.findall(r"^processes\s*=\s*(\d+)", text, re.MULTILINE)}


def published_revisions(agent: AgentProcess) -> dict[str, int]:
    found = {}
    for path in agent.snapshots.glob("*.json"):
        [revision] = set(re.findall(r'"revision":\s*(\d+)', path.read_text()))
        found[path.stem] = int(revision)
    return found
