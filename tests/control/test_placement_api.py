"""Nodes, groups and plans by the API and by commands, and what is refused of them."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from wagtail.models import ModelLogEntry

from tests.control.clients import ApiClient, client_of, operator_client
from tests.control.fleet import OPERATOR, SHARED, Fleet, prepare_fleet
from wagtail_multihost.control.changes import EditPlatform, EditSite, NotAllowedError
from wagtail_multihost.control.edits import merge_patch, set_value
from wagtail_multihost.control.models import Event, Node, NodeGroup, Placement, Plan, Report
from wagtail_multihost.control.nodes import place_sites, save_group, save_node
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.nodeapi.node_states import ACTIVE, ALL, PLACED

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
    assert (refused.status, refused.errors[0]["key"]) == (422, "Node web-1: state")
    assert client.delete("/groups/web", if_match="*").status == 422
    client.patch("/nodes/web-1", {"state": "away"}, if_match="*")
    assert client.delete("/nodes/web-1", if_match="*").status == 200
    assert client.delete("/groups/web", if_match="*").status == 200
    assert (client.get("/nodes").body["nodes"], client.get("/groups").body["groups"]) == ([], [])


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
    assert client.put("/nodes/web-2/sites/aurora", None).errors[0]["message"].endswith("Take it from there first.")
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
    assert client.post(f"{path}/apply").status == 422
    assert [plan["state"] for plan in client.get("/placements/plans").body["plans"]] == ["cancelled"]
    for body in ({"kind": "drain", "node": "none"}, {"kind": "fill", "node": "web-1"}, {"kind": "move"}):
        assert client.post("/placements/plans", body).status == 422
    with pytest.raises(CommandError, match="drain needs the id of a node"):
        run("multihost_place", "drain")
    listed = json.loads(run("multihost_nodes", "--json"))
    assert [(node["id"], node["sites"], node["seen_at"]) for node in listed] == [
        (f"web-{number}", 0, None) for number in range(3)
    ]
    assert "web-0  active  group web (placed), zone a, weight 100, 0 sites, seen never" in run("multihost_nodes")
    assert "proposed" in run("multihost_place", "rebalance")
    assert Plan.objects.count() == 2


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


def test_fleet_without_such_nodes_has_nothing_to_adopt(fleet: Fleet) -> None:
    with pytest.raises(CommandError, match="has no nodes"):
        run("multihost_place", "adopt", "web")
