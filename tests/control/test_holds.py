"""Holds: who may make and end them, that they end by themselves, and that nodes are told."""

from __future__ import annotations

import json
import re
from io import StringIO

import psycopg
import pytest
from django.core.management import CommandError, call_command
from wagtail.models import ModelLogEntry

from tests.control.clients import client_of, operator_client
from tests.control.fleet import OPERATOR, Fleet
from tests.control.node_roles import node_login
from tests.control.roles import Roles
from tests.servers.postgres import Postgres
from wagtail_multihost.control.authority import authority_of
from wagtail_multihost.control.changes import EditSite, NotAllowedError, RetireSite, UnknownSiteError
from wagtail_multihost.control.edits import set_value
from wagtail_multihost.control.holds import (
    Target,
    current_holds,
    find_target,
    hold,
    release_hold,
    release_target,
    visible_holds,
)
from wagtail_multihost.control.models import Event, Hold
from wagtail_multihost.control.nodes import save_group, save_node
from wagtail_multihost.control.registration import apply_changes
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.nodeapi.node_states import ALL
from wagtail_multihost.nodeapi.v1 import CHANNEL
from wagtail_multihost.spec.time_lengths import DAY, HOUR


def make_node(name: str = "web1") -> None:
    save_group(OPERATOR, "every", ALL)
    save_node(OPERATOR, name, "every")


def test_hold_takes_no_revision_and_is_in_the_audit_log(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    before = (fleet.revision, Event.objects.count())
    made = hold(OPERATOR, site, seconds=2 * HOUR, reason="restore")
    assert (made.until - made.since).total_seconds() == 2 * HOUR
    assert [one.site for one in current_holds()] == [site]
    release_hold(OPERATOR, made.pk, reason="done")
    assert not current_holds().exists()
    entries = ModelLogEntry.objects.filter(object_id=str(site.uid), action__startswith="multihost.hold")
    assert [(one.action, one.data["reason"]) for one in entries.order_by("timestamp")] == [
        ("multihost.hold.made", "restore"),
        ("multihost.hold.ended", "done"),
    ]
    assert (fleet.revision, Event.objects.count()) == before


def test_hold_ends_by_the_clock_of_the_database(fleet: Fleet) -> None:
    made = hold(OPERATOR, fleet.add("aurora"), seconds=60, reason="x")
    Hold.objects.filter(pk=made.pk).update(until=made.since)
    assert not current_holds().exists()


@pytest.mark.parametrize("closing", ["disabled", "suspended", "retired"])
def test_people_keep_no_site_open_that_an_operator_closes(fleet: Fleet, closing: str) -> None:
    """Their holds end with the change; an operator's own stays, and so does what concerns other sites."""
    aurora, borealis = fleet.add("aurora"), fleet.add("borealis")
    authority = authority_of(fleet.user("ada", aurora="operate", borealis="operate"))
    hold(authority, aurora, seconds=HOUR, reason="x")
    own = hold(OPERATOR, aurora, seconds=HOUR, reason="x")
    other = hold(authority, borealis, seconds=HOUR, reason="x")
    values = {"disabled": (("enabled",), False), "suspended": (("state",), "suspended")}
    if closing == "retired":
        fleet.apply(RetireSite(aurora.uid))
    else:
        fleet.apply(EditSite(aurora.uid, set_value(*values[closing])))
        with pytest.raises(NotAllowedError, match="disabled or suspended"):
            hold(authority, aurora, seconds=60, reason="x")
    assert {one.pk for one in current_holds()} == {own.pk, other.pk}
    [entry] = ModelLogEntry.objects.filter(action="multihost.hold.ended")
    assert entry.data["reason"] == "An operator of the platform closed the site."


def test_people_who_close_their_site_hold_it_still(fleet: Fleet) -> None:
    """It is their own order, and their own hold; so is a page for visitors during maintenance."""
    aurora = fleet.add("aurora")
    authority = authority_of(fleet.user("ada", aurora="operate"))
    hold(authority, aurora, seconds=HOUR, reason="x")
    apply_changes(authority, [EditSite(aurora.uid, set_value(("state",), "maintenance"))])
    assert hold(authority, aurora, seconds=HOUR, reason="x")
    assert current_holds().count() == 2


def test_people_of_a_site_hold_it_alone_and_not_for_long(fleet: Fleet) -> None:
    aurora, borealis = fleet.add("aurora"), fleet.add("borealis")
    authority = authority_of(fleet.user("ada", aurora="operate"))
    viewer = authority_of(fleet.user("bert", aurora="change"))
    assert hold(authority, aurora, seconds=DAY, reason="x")
    with pytest.raises(ConfigurationError) as error:
        hold(authority, aurora, seconds=DAY + 1, reason=" ")
    assert [problem.where for problem in error.value.problems] == ["For", "Reason"]
    with pytest.raises(NotAllowedError):
        hold(viewer, aurora, seconds=60, reason="x")
    with pytest.raises(UnknownSiteError):
        hold(authority, borealis, seconds=60, reason="x")
    with pytest.raises(NotAllowedError):
        hold(authority, seconds=60, reason="x")


def test_hold_of_an_operator_is_ended_by_operators(fleet: Fleet) -> None:
    aurora = fleet.add("aurora")
    authority = authority_of(fleet.user("ada", aurora="admin"))
    made = hold(OPERATOR, aurora, seconds=60, reason="x")
    with pytest.raises(NotAllowedError):
        release_hold(authority, made.pk)
    own = hold(authority, aurora, seconds=60, reason="x")
    release_hold(authority, own.pk)
    release_hold(OPERATOR, made.pk)
    assert not current_holds().exists()


def test_holds_of_a_target_are_ended_together_or_not_at_all(fleet: Fleet) -> None:
    aurora = fleet.add("aurora")
    authority = authority_of(fleet.user("ada", aurora="operate"))
    hold(authority, aurora, seconds=60, reason="x")
    hold(OPERATOR, aurora, seconds=120, reason="x")
    with pytest.raises(NotAllowedError):
        release_target(authority, Target(site=aurora))
    assert current_holds().count() == 2
    assert len(release_target(OPERATOR, Target(site=aurora))) == 2


def test_holds_of_nodes_and_of_others_are_not_shown(fleet: Fleet) -> None:
    make_node()
    aurora, borealis = fleet.add("aurora"), fleet.add("borealis")
    authority = authority_of(fleet.user("ada", aurora="view"))
    for target in (aurora, borealis):
        hold(OPERATOR, target, seconds=60, reason="x")
    hold(OPERATOR, node=find_target(OPERATOR, "web1").node, seconds=60, reason="x")
    hold(OPERATOR, seconds=60, reason="x")
    assert [one.site for one in visible_holds(authority)] == [aurora, None]
    assert visible_holds(OPERATOR).count() == 4


def test_target_that_could_be_two_is_asked_for(fleet: Fleet) -> None:
    make_node("aurora")
    site = fleet.add("aurora")
    with pytest.raises(ConfigurationError, match="Both a site and a node"):
        find_target(OPERATOR, "aurora")
    assert find_target(OPERATOR, "site:aurora").site == site
    assert find_target(OPERATOR, "node:aurora").node is not None
    with pytest.raises(ConfigurationError, match="no site and no node"):
        find_target(OPERATOR, "borealis")
    for text, sentence in (("node:borealis", "no node 'borealis'"), ("sight:aurora", "no node 'sight:aurora'")):
        with pytest.raises(ConfigurationError, match=sentence):
            find_target(OPERATOR, text)


def test_list_of_nothing_says_so(fleet: Fleet) -> None:
    out = StringIO()
    call_command("multihost_hold", "--list", stdout=out)
    assert out.getvalue() == "Nothing is held.\n"


def test_list_of_a_target_has_what_holds_it(fleet: Fleet) -> None:
    """Its own holds, and those of everything."""
    for name in ("aurora", "borealis"):
        fleet.add(name)
    for name in ("aurora", "borealis", "ALL"):
        call_command("multihost_hold", name, "--for", "2h", "--reason", f"of {name}", stdout=StringIO())

    def listed(*arguments: str) -> list[str]:
        out = StringIO()
        call_command("multihost_hold", *arguments, "--list", stdout=out)
        return sorted(line.rpartition(": of ")[2] for line in out.getvalue().splitlines())

    assert listed("aurora") == ["ALL", "aurora"]
    assert listed("ALL") == ["ALL"]
    assert listed() == ["ALL", "aurora", "borealis"]
    with pytest.raises(CommandError) as error:
        call_command("multihost_hold", "none", "--list", stderr=StringIO())
    assert error.value.returncode == 2
    out = StringIO()
    call_command("multihost_hold", "aurora", "--list", stdout=out)
    assert re.search(r"^aurora is held until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC by ", out.getvalue(), re.MULTILINE)


def test_command_holds_lists_and_releases(fleet: Fleet) -> None:
    fleet.add("aurora")
    call_command("multihost_hold", "aurora", "--for", "2h", "--reason", "restore", stdout=StringIO())
    out = StringIO()
    call_command("multihost_hold", "--list", "--json", stdout=out)
    (row,) = json.loads(out.getvalue())
    assert (row["site"], row["node"], row["reason"]) == ("aurora", None, "restore")
    out = StringIO()
    call_command("multihost_hold", "aurora", "--release", "--json", stdout=out)
    assert [one["id"] for one in json.loads(out.getvalue())] == [row["id"]]
    with pytest.raises(CommandError) as error:
        call_command("multihost_hold", "aurora", "--release", stderr=StringIO())
    assert error.value.returncode == 1
    with pytest.raises(CommandError, match="--for how long"):
        call_command("multihost_hold", "aurora", "--reason", "x", stderr=StringIO())
    with pytest.raises(CommandError) as error:
        call_command("multihost_hold", "aurora", "--for", "8d", "--reason", "x", stderr=StringIO())
    assert error.value.returncode == 2


def test_api_makes_lists_and_ends_holds(fleet: Fleet) -> None:
    make_node()
    fleet.add("aurora")
    fleet.add("borealis")
    operator = operator_client(fleet)
    made = operator.post("/holds", {"site": "aurora", "seconds": 60, "reason": "x"})
    assert (made.status, made.body["revision"]) == (201, fleet.revision)
    assert operator.post("/holds", {"node": "web1", "seconds": 60, "reason": "x"}).status == 201
    assert operator.post("/holds", {"everything": True, "seconds": 60, "reason": "why"}).status == 201
    assert operator.post("/holds", {"node": "web2", "seconds": 60, "reason": "x"}).status == 404
    assert operator.post("/holds", {"site": "aurora", "node": "web1", "seconds": 60, "reason": "x"}).status == 422
    ada = client_of(fleet.user("ada", aurora="operate"), "operate")
    listed = ada.get("/holds").body["holds"]
    assert [(one["site"], one["node"], one["reason"]) for one in listed] == [("aurora", None, "x"), (None, None, "")]
    assert ada.post("/holds", {"node": "web1", "seconds": 60, "reason": "x"}).status == 403
    assert ada.post("/holds", {"site": "borealis", "seconds": 60, "reason": "x"}).status == 404
    assert ada.delete(f"/holds/{made.body['hold']['id']}").status == 403
    narrow = client_of(fleet.user("nora", operator=True), "operate", [fleet.site("aurora")])
    assert [one["reason"] for one in narrow.get("/holds").body["holds"]] == ["x", ""]
    reader = client_of(fleet.user("bert", aurora="admin"), "read")
    assert reader.post("/holds", {"site": "aurora", "seconds": 60, "reason": "x"}).status == 403
    assert operator.delete(f"/holds/{made.body['hold']['id']}").status == 200
    assert operator.delete(f"/holds/{made.body['hold']['id']}").status == 404


def test_node_reads_the_holds_that_concern_it_and_hears_a_bell(live_fleet: Fleet, postgres: Postgres) -> None:
    """Of a site that was retired meanwhile too: its hold holds that as well."""
    Roles(postgres).make()
    make_node()
    save_node(OPERATOR, "web2", "every")
    aurora = live_fleet.add("aurora")
    with node_login(postgres, "web1") as login:
        with postgres.connect(login.database) as listening:
            listening.execute(f'LISTEN "{CHANNEL}"')
            hold(OPERATOR, aurora, seconds=60, reason="restore")
            assert list(listening.notifies(timeout=5, stop_after=1))
        hold(OPERATOR, node=find_target(OPERATOR, "web2").node, seconds=60, reason="x")
        (held,) = login.read()["holds"]
        assert (held["site"], held["node"], held["reason"]) == ("aurora", None, "restore")
        assert 50 < held["seconds"] <= 60
        live_fleet.apply(RetireSite(aurora.uid))
        assert [one["site"] for one in login.read()["holds"]] == ["aurora"]
        with login.connect() as opened, pytest.raises(psycopg.errors.InsufficientPrivilege):
            opened.execute("DELETE FROM public.control_hold")
        assert live_fleet.apply(EditSite(live_fleet.add("corona").uid, set_value(("enabled",), False)))


def test_reason_of_a_hold_forges_no_line(fleet: Fleet) -> None:
    """The people of a site write it, and operators list it."""
    site = fleet.add("aurora")
    hold(
        fleet.authority("ada", aurora="operate"), site, seconds=60, reason="x\nALL is held until 2100 by operator:root"
    )
    out = StringIO()
    call_command("multihost_hold", "--list", stdout=out)
    (line,) = out.getvalue().splitlines()
    assert line.startswith("aurora is held until")
