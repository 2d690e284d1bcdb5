"""Nodes, groups and plans by the API and by commands, and what is refused of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from wagtail.models import ModelLogEntry

from tests.control.clients import ApiClient, Reply, client_of, operator_client
from tests.control.fleet import OPERATOR, SHARED, Fleet, prepare_fleet
from wagtail_multihost.control.api import nodes as api_nodes
from wagtail_multihost.control.changes import EditPlatform, EditSite, NotAllowedError
from wagtail_multihost.control.edits import merge_patch, set_value
from wagtail_multihost.control.models import Event, Move, Node, NodeGroup, Placement, Plan, Report
from wagtail_multihost.control.nodes import place_sites, remove_node, save_group, save_node
from wagtail_multihost.control.placing.plans import prune_plans
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.nodeapi.node_states import ACTIVE, ALL, AWAY, FRONT, PLACED
from wagtail_multihost.spec.site import MOST_REPLICAS

GROUP = {"holds": "placed", "replicas": 2}


def run(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


@pytest.fixture(name="shared")
def _shared(db: None) -> Fleet:
    """Return a fleet whose sites can be on several nodes."""
    return prepare_fleet(SHARED)


@pytest.fixture(name="client")
def _client(shared: Fleet) -> ApiClient:
    return operator_client(shared)


def test_node_is_made_changed_and_removed(shared: Fleet, client: ApiClient) -> None:
    made = client.put("/groups/web", GROUP)
    assert (made.status, made.body["group"]["is_default"]) == (201, True)
    assert client.put("/groups/web", GROUP).status == 200
    assert made.body["revision"] == shared.revision, "what changes nothing took a revision"
    body = {"group": "web", "address": "10.0.0.1:80", "zone": "north"}
    node = client.put("/nodes/web-1", body)
    assert (node.status, node.body["node"]["state"], node.body["node"]["report"]) == (201, "joining", None)
    assert client.put("/nodes/web-1", body, if_none_match="*").status == 412
    assert client.put("/nodes/web-2", body, if_match="*").status == 412
    assert client.put("/nodes/%00", body).status == client.put("/groups/%00", GROUP).status == 422
    assert client.patch("/nodes/web-1", {"weight": 7}).status == 428
    assert client.patch("/nodes/web-1", {"weight": 7}, if_match='"1"').status == 412
    changed = client.patch("/nodes/web-1", {"weight": 7, "reason": "smaller"}, if_match=node.etag)
    assert changed.body["node"]["weight"] == 7
    entry = ModelLogEntry.objects.get(action="multihost.node.changed", data__reason="smaller")
    assert entry.data["changes"] == [{"key": "weight", "before": 100, "after": 7}]
    assert Event.objects.get(pk=shared.revision).metadata == {"node": "web-1", "group": "web", "reason": "smaller"}
    assert client.delete("/nodes/web-1").status == 428
    refused = client.delete("/nodes/web-1", if_match="*")
    assert (refused.status, refused.errors[0]["key"]) == (409, "Node web-1: state")
    assert client.delete("/groups/web", if_match="*").status == 409
    client.patch("/nodes/web-1", {"state": "away"}, if_match="*")
    assert client.delete("/nodes/web-1", if_match="*").status == 200
    assert client.delete("/groups/web", if_match="*").status == 200
    assert (client.get("/nodes").body["nodes"], client.get("/groups").body["groups"]) == ([], [])


def test_request_overwrites_nothing_that_came_meanwhile(
    shared: Fleet, client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the node, by which the request is judged, and the change."""
    client.put("/groups/web", GROUP)
    look = api_nodes.find_node

    def answer_while(change: Callable[[], object], method: str, body: object = None, **headers: str) -> Reply:
        def look_first(identifier: str) -> Any:
            found = look(identifier)
            monkeypatch.setattr(api_nodes, "find_node", look)
            change()
            return found

        monkeypatch.setattr(api_nodes, "find_node", look_first)
        return client.ask(method, "/nodes/web-1", body, **headers)

    def make() -> None:
        save_node(OPERATOR, "web-1", "web", weight=5)

    body = {"group": "web", "weight": 5}
    for headers in ({"if_none_match": "*"}, {}):
        reply = answer_while(make, "put", {"group": "web", "weight": 7}, **headers)
        assert (reply.status, reply.errors[0]["key"], Node.objects.get().weight) == (412, "revision", 5)
        save_node(OPERATOR, "web-1", state=AWAY)
        remove_node(OPERATOR, "web-1")
    make()
    reply = answer_while(lambda: save_node(OPERATOR, "web-1", weight=9, state=AWAY), "put", body)
    assert (reply.status, Node.objects.get().weight) == (412, 9), "what changed nothing a moment before changed it back"
    etag = client.get("/nodes/web-1").etag
    for if_match, status in ((etag, 412), ("*", 422)):
        assert answer_while(lambda: remove_node(OPERATOR, "web-1"), "delete", if_match=if_match).status == status
        save_node(OPERATOR, "web-1", "web", state=AWAY)


def test_all_that_is_wrong_with_a_node_is_said_at_once(client: ApiClient) -> None:
    client.put("/groups/web", GROUP)
    client.put("/nodes/web-1", {"group": "web", "address": "10.0.0.1:80"})
    reply = client.put("/nodes/web-2", {"group": "none", "address": "http://x", "zone": "North!"})
    assert reply.status == 422
    assert [one["key"] for one in reply.errors] == ["Node web-2: address", "Node web-2: zone", "Node web-2: group"]
    same = client.put("/nodes/web-2", {"group": "web", "address": "10.0.0.1:80"})
    assert [one["key"] for one in same.errors] == ["Node web-2: address"]
    assert client.put("/nodes/Web", {"group": "web"}).errors[0]["key"] == "Nodes"
    assert client.put("/groups/web--2", GROUP).errors[0]["key"] == "Groups"
    for body in ({"weight": 1001}, {"weight": -1}, {"state": "gone"}, {"weight": True}, {"replicas": 2}):
        assert client.patch("/nodes/web-1", body, if_match="*").status == 422
    assert client.put("/groups/front", {"holds": "front", "is_default": True}).status == 422
    for value in (0, 101):
        with pytest.raises(ConfigurationError, match="number of replicas"):
            save_group(OPERATOR, "web", replicas=value)


def test_what_a_group_holds_stays_while_sites_are_placed(shared: Fleet, client: ApiClient) -> None:
    save_group(OPERATOR, "web", PLACED)
    save_node(OPERATOR, "web-1", "web")
    save_group(OPERATOR, "every", ALL)
    place_sites(OPERATOR, "web-1", [shared.add("aurora")])
    assert client.patch("/groups/web", {"holds": "all"}, if_match="*").errors[0]["key"] == "Group web: holds"
    assert client.patch("/nodes/web-1", {"group": "every"}, if_match="*").errors[0]["key"] == "Node web-1: group"
    save_node(OPERATOR, "web-2", "every")
    with pytest.raises(ConfigurationError, match="holds all"):
        place_sites(OPERATOR, "web-2", [shared.site("aurora")])
    listed = client.get("/placements?site=aurora").body
    assert [(one["site"], one["node"], one["is_serving"]) for one in listed["placements"]] == [
        ("aurora", "web-1", False)
    ]
    other = save_group(OPERATOR, "other", PLACED, is_default=True)
    assert not NodeGroup.objects.get(pk="web").is_default
    assert other.is_default


def test_site_with_data_on_its_node_is_placed_by_hand(shared: Fleet, client: ApiClient) -> None:
    """It has one node at a time, and is taken from one that is heard only where another one serves it."""
    save_group(OPERATOR, "web", PLACED)
    for node in ("web-1", "web-2"):
        save_node(OPERATOR, node, "web")
    shared.add("aurora", cache={"backend": "locmem"})
    assert client.put("/nodes/web-1/sites/aurora", None).status == 200
    before = shared.revision
    assert client.put("/nodes/web-1/sites/aurora", None).body["revision"] == before
    elsewhere = client.put("/nodes/web-2/sites/aurora", None)
    assert (elsewhere.status, elsewhere.errors[0]["message"][-25:]) == (409, "Take it from there first.")
    heard = Report.objects.create(node_id="web-1", seen_at=timezone.now(), boot=uuid4())
    assert client.delete("/nodes/web-1/sites/aurora").errors[0]["key"] == "Site aurora"
    heard.seen_at -= timedelta(minutes=5)
    heard.save()
    assert client.delete("/nodes/web-1/sites/aurora?reason=restored").status == 200
    assert client.put("/nodes/web-2/sites/aurora", None).status == 200
    assert Placement.objects.get(is_gone=False).node_id == "web-2"
    assert client.put("/nodes/web-3/sites/aurora", None).status == client.delete("/nodes/web-1/sites/x").status == 404


def test_others_change_no_node(shared: Fleet) -> None:
    shared.add("aurora")
    ada = shared.authority("ada", aurora="admin")
    for call in (lambda: save_group(ada, "web"), lambda: save_node(ada, "web-1", "web")):
        with pytest.raises(NotAllowedError):
            call()
    client = client_of(shared.user("bert", aurora="admin"))
    for method, path in (("get", "/nodes"), ("put", "/nodes/x"), ("get", "/placements"), ("post", "/placements/plans")):
        assert client.ask(method, path, {"kind": "fill"} if method == "post" else {}).status == 404
    assert client.get("/findings").body["findings"] == []


def test_plan_is_proposed_shown_and_applied(shared: Fleet, client: ApiClient) -> None:
    save_group(OPERATOR, "web", PLACED)
    shared.add("aurora")
    for number, zone in enumerate(("a", "b", "b")):
        save_node(OPERATOR, f"web-{number}", "web", zone=zone, state=ACTIVE)
    made = client.post("/placements/plans", {"kind": "fill"})
    assert (made.status, len(made.body["plan"]["moves"])) == (201, 2)
    path = f"/placements/plans/{made.body['plan']['id']}"
    assert client.get(path).body["state"] == "proposed"
    assert json.loads(run("multihost_place", "show", made.body["plan"]["id"], "--json"))["state"] == "proposed"
    assert not Placement.objects.exists()
    assert client.post(f"{path}/apply").body["plan"]["state"] == "running"
    assert "is running: 2 waiting" in run("multihost_place", "show", made.body["plan"]["id"])
    assert client.post(f"{path}/cancel").body["plan"]["state"] == "cancelled"
    assert client.post(f"{path}/apply").status == 409
    assert [plan["state"] for plan in client.get("/placements/plans").body["plans"]] == ["cancelled"]
    for body in ({"kind": "drain", "node": "none"}, {"kind": "fill", "node": "web-1"}, {"kind": "move"}):
        assert client.post("/placements/plans", body).status == 422
    with pytest.raises(CommandError, match="drain needs the id of a node"):
        run("multihost_place", "drain")
    listed = json.loads(run("multihost_nodes", "--json"))
    assert [(node["id"], node["sites"], node["seen_at"]) for node in listed] == [
        (f"web-{number}", 0, None) for number in range(3)
    ]
    assert "web-0  active  group web (placed), zone a, weight 100, 0 sites, never seen" in run("multihost_nodes")
    save_group(OPERATOR, "every", ALL)
    save_group(OPERATOR, "fronts", FRONT)
    for node, group in (("all-1", "every"), ("front-1", "fronts")):
        save_node(OPERATOR, node, group)
    text = run("multihost_nodes")
    assert "all-1  joining  group every (all), weight 100, all sites" in text
    assert "front-1  joining  group fronts (front), weight 100, no sites" in text
    assert {node["id"]: node["sites"] for node in client.get("/nodes").body["nodes"]} == {
        **{f"web-{number}": 0 for number in range(3)},
        **{"all-1": None, "front-1": None},
    }
    assert "is done: nothing to move." in run("multihost_place", "rebalance")
    with CaptureQueriesContext(connection) as queries:
        plans = json.loads(run("multihost_place", "list", "--json"))
    assert len(queries) == 1
    assert [(one["kind"], one["state"], "moves" in one) for one in plans] == [
        ("rebalance", "done", False),
        ("fill", "cancelled", False),
    ]


def test_plan_has_so_many_moves_at_most(shared: Fleet, client: ApiClient) -> None:
    """Of any kind; and one that has nothing to do does not wait for anybody."""
    save_group(OPERATOR, "web", PLACED)
    for name in ("aurora", "borealis", "corona"):
        shared.add(name)
    for number in range(2):
        save_node(OPERATOR, f"web-{number}", "web", state=ACTIVE)
    assert "6 waiting" in run("multihost_place", "fill")
    limited = json.loads(run("multihost_place", "fill", "--limit", "3", "--json"))
    assert (len(limited["moves"]), limited["state"]) == (3, "proposed")
    assert len(client.post("/placements/plans", {"kind": "fill", "limit": 4}).body["plan"]["moves"]) == 4
    assert client.post("/placements/plans", {"kind": "fill", "limit": 0}).status == 422
    with pytest.raises(CommandError, match="The number 0 is not accepted"):
        run("multihost_place", "fill", "--limit", "0")
    assert "is done: nothing to move." in run("multihost_place", "rebalance", "--apply")
    empty = client.post("/placements/plans", {"kind": "rebalance"}).body["plan"]
    assert (empty["state"], empty["ended_at"] is None) == ("done", False)
    assert client.post(f"/placements/plans/{empty['id']}/apply").body["plan"]["state"] == "done"
    drained = client.post("/placements/plans", {"kind": "drain", "node": "web-1"}).body["plan"]
    assert (drained["state"], drained["moves"]) == ("proposed", []), "the node would be asked for ever"


def test_nodes_of_imported_records_are_adopted_in_one_step(shared: Fleet) -> None:
    """The records keep them, for readers that no fleet manages."""
    addresses = {"web-1": "10.0.0.1:80", "web-2": "10.0.0.2:80", "web-3": "10.0.0.3:80"}
    shared.apply(EditPlatform(merge_patch({"nodes": addresses, "nginx": {"fronts": ["10.0.0.9"]}})))
    for site, nodes in (("aurora", ["web-1", "web-2"]), ("borealis", ["web-2"]), ("corona", ["web-1", "web-3"])):
        shared.add(site, nodes=nodes)
    assert run("multihost_place", "adopt", "web") == "3 nodes and 5 placements were made in the group web.\n"
    assert run("multihost_place", "adopt", "web") == "0 nodes and 0 placements were made in the group web.\n"
    assert (NodeGroup.objects.get().holds, NodeGroup.objects.get().replicas) == (PLACED, 2)
    assert Node.objects.get(pk="web-3").address == "10.0.0.3:80"
    placed = Placement.objects.filter(site__identifier="corona").values_list("node", flat=True)
    assert sorted(placed) == ["web-1", "web-3"]
    assert shared.site("corona").record["nodes"] == ["web-1", "web-3"]
    shared.apply(EditSite(shared.site("corona").uid, set_value(("admins",), ["a@example.com"])))


def test_more_nodes_than_a_site_can_have_replicas_are_adopted_where_all_hold_all(shared: Fleet) -> None:
    addresses = {f"web-{number}": f"10.0.0.{number}:80" for number in range(1, MOST_REPLICAS + 2)}
    shared.apply(EditPlatform(merge_patch({"nodes": addresses, "nginx": {"fronts": ["10.0.1.9"]}})))
    shared.add("aurora")
    assert run("multihost_place", "adopt", "web").startswith(f"{len(addresses)} nodes and 0 placements")
    assert NodeGroup.objects.get().holds == ALL


def test_fleet_without_such_nodes_has_nothing_to_adopt(fleet: Fleet) -> None:
    with pytest.raises(CommandError, match="has no nodes"):
        run("multihost_place", "adopt", "web")


def test_plans_that_ended_long_ago_are_deleted(fleet: Fleet) -> None:
    """With their moves, and no others, by the command that deletes events and jobs of that age."""
    site = fleet.add("aurora")
    now = timezone.now()
    ended = [("done", 40), ("cancelled", 40), ("done", 20), ("stopped", None), ("running", None), ("proposed", None)]
    for state, days in ended:
        plan = Plan.objects.create(kind="fill", actor="x", based_on=1, state=state, made_at=now - timedelta(days=50))
        Plan.objects.filter(pk=plan.pk).update(ended_at=None if days is None else now - timedelta(days=days))
        for place in (1, 2):
            Move.objects.create(plan=plan, place=place, site=site, why="x")
    with pytest.raises(ConfigurationError, match="Only an operator"):
        prune_plans(OPERATOR.narrowed("change", None), 30)
    with pytest.raises(ConfigurationError, match="1 or more"):
        prune_plans(OPERATOR, 0)
    printed = StringIO()
    call_command("multihost_control_prune_events", "--days", 30, verbosity=0, stdout=printed)
    assert "2 plans of moves were deleted." in printed.getvalue()
    assert sorted(Plan.objects.values_list("state", flat=True)) == ["done", "proposed", "running", "stopped"]
    assert Move.objects.count() == 8
