"""Bulk actions: what they change, and what they refuse."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.control.dashboard.visits import bulk_address, signed_in
from tests.control.fleet import Fleet
from wagtail_multihost.control.changes import CreateSite, EditSite, RetireSite
from wagtail_multihost.control.edits import set_value
from wagtail_multihost.control.models import Event, Grant

SITES = "/admin/fleet/sites/"


@pytest.fixture(name="uids")
def _uids(fleet: Fleet) -> dict[str, UUID]:
    """A fleet with 20 sites, of which two are disabled and one is under maintenance."""
    records = {f"site{number:02}": {"hostnames": [f"s{number}.example.com"]} for number in range(20)}
    records["site00"]["enabled"] = records["site01"]["enabled"] = False  # type: ignore[assignment]
    records["site02"]["state"] = "maintenance"  # type: ignore[assignment]
    fleet.apply(*(CreateSite(name, record) for name, record in records.items()))
    return {name: fleet.site(name).uid for name in records}


def show(client: Client, address: str) -> HttpResponse:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer


def confirm(client: Client, address: str, **values: str) -> HttpResponse:
    """Look at the page before a bulk action, and confirm what it says."""
    seen = show(client, address).context["seen"]
    return client.post(address, {"seen": seen, **values})


def states(fleet: Fleet, *names: str) -> list[tuple[bool, str]]:
    return [(fleet.site(name).enabled, fleet.site(name).state) for name in names]


@pytest.mark.parametrize(
    ("action", "after"),
    [
        ("enable", [(True, "active"), (True, "maintenance"), (True, "active")]),
        ("maintenance", [(False, "maintenance"), (True, "maintenance"), (True, "maintenance")]),
        ("activate", [(False, "active"), (True, "active"), (True, "active")]),
    ],
)
def test_action_changes_what_is_not_so_already(
    fleet: Fleet, uids: dict[str, UUID], action: str, after: list[tuple[bool, str]]
) -> None:
    names = ("site00", "site02", "site03")
    before, expected = fleet.revision, sum(a != b for a, b in zip(states(fleet, *names), after, strict=True))
    client = signed_in(fleet.user("ada", operator=True))
    address = bulk_address(action, [uids[name] for name in names])
    page = show(client, address)
    assert len(page.context["changed"]) == expected
    assert fleet.revision == before
    answer = confirm(client, address, reason="a storm")
    assert answer.headers["Location"] == SITES
    assert states(fleet, *names) == after
    events = Event.objects.filter(revision__gt=before)
    assert len(events) == expected
    assert {(event.request, event.actor) for event in events} == {(events[0].request, events[0].actor)}
    assert events[0].metadata["reason"] == "a storm"


def test_page_before_lists_each_change(fleet: Fleet, uids: dict[str, UUID]) -> None:
    client = signed_in(fleet.user("ada", operator=True))
    page = show(client, bulk_address("maintenance", [uids["site02"], uids["site03"], uids["site04"]]))
    assert [(str(one.site), one.rows[0].key, one.rows[0].after) for one in page.context["changed"]] == [
        ("site03", "state", "maintenance"),
        ("site04", "state", "maintenance"),
    ]
    assert [str(site) for site in page.context["unchanged"]] == ["site02"]
    assert "2 sites will be changed" in page.content.decode()


def test_nothing_to_change_has_nothing_to_confirm(fleet: Fleet, uids: dict[str, UUID]) -> None:
    client = signed_in(fleet.user("ada", operator=True))
    page = show(client, bulk_address("enable", [uids["site05"]])).content.decode()
    assert "Nothing of it changes." in page
    assert 'name="seen"' not in page


def test_labels_are_looked_at_before_they_are_given(fleet: Fleet, uids: dict[str, UUID]) -> None:
    client = signed_in(fleet.user("ada", operator=True))
    address = bulk_address("label", [uids["site03"], uids["site04"]])
    values = {"key": "plan", "value": "gold", "reason": ""}
    before = fleet.revision
    page = client.post(address, values)
    assert fleet.revision == before
    assert [one.rows[0].key for one in page.context["changed"]] == ["labels.plan", "labels.plan"]
    client.post(address, {**values, "seen": page.context["seen"]})
    assert fleet.site("site03").labels == fleet.site("site04").labels == {"plan": "gold"}
    gone = {**values, "value": ""}
    page = client.post(address, gone)
    client.post(address, {**gone, "seen": page.context["seen"]})
    assert fleet.site("site03").labels == {}
    assert "labels" not in fleet.site("site03").record


def test_other_label_than_the_one_looked_at_is_shown_first(fleet: Fleet, uids: dict[str, UUID]) -> None:
    client = signed_in(fleet.user("ada", operator=True))
    address = bulk_address("label", [uids["site03"]])
    seen = client.post(address, {"key": "plan", "value": "gold"}).context["seen"]
    page = client.post(address, {"key": "plan", "value": "lead", "seen": seen})
    assert page.status_code == 200
    assert fleet.site("site03").labels == {}


def test_many_sites_stop_only_with_their_number(fleet: Fleet, uids: dict[str, UUID]) -> None:
    client = signed_in(fleet.user("ada", operator=True))
    address = bulk_address("disable", [uids[f"site{number:02}"] for number in range(10)])
    assert "Type 8 to confirm" in show(client, address).content.decode()  # two of the ten are disabled
    before = fleet.revision
    for number in ("", "7", "ten", "-8"):
        assert confirm(client, address, confirmed=number).status_code == 200
        assert fleet.revision == before
    assert "must type their number" in confirm(client, address, confirmed="7").content.decode()
    assert confirm(client, address, confirmed="8").status_code == 302
    assert fleet.revision == before + 8


def test_single_site_stops_without_its_number(fleet: Fleet, uids: dict[str, UUID]) -> None:
    client = signed_in(fleet.user("ada", operator=True))
    assert confirm(client, bulk_address("disable", [uids["site09"]])).status_code == 302
    assert not fleet.site("site09").enabled


def test_all_of_500_problems_are_shown_and_nothing_is_changed(fleet: Fleet) -> None:
    names = [f"site{number:03}" for number in range(500)]
    fleet.apply(*(CreateSite(name, {"hostnames": [f"{name}.example.com"]}) for name in names))
    client = signed_in(fleet.user("ada", operator=True))
    before, address = fleet.revision, bulk_address("label", ["all"])
    values = {"key": "<b>no key</b>", "value": "gold"}
    seen = client.post(address, values).context["seen"]
    page = client.post(address, {**values, "seen": seen})
    text = page.content.decode()
    assert len(page.context["problems"]) == 500
    assert [name for name in names if f"Site {name}: labels" not in text] == []
    assert "Nothing was changed: 500 problems" in text
    assert "<b>no key" not in text
    assert fleet.revision == before


def test_change_meanwhile_is_shown_before_it_is_confirmed(fleet: Fleet, uids: dict[str, UUID]) -> None:
    client = signed_in(fleet.user("ada", operator=True))
    address = bulk_address("maintenance", ["all"], state="active")
    seen = show(client, address).context["seen"]
    fleet.apply(EditSite(uids["site00"], set_value(("enabled",), True)))
    before = fleet.revision
    page = client.post(address, {"seen": seen})
    assert "Something changed since" in page.content.decode()
    assert fleet.revision == before
    assert client.post(address, {"seen": page.context["seen"]}).status_code == 302


def test_all_means_those_of_the_list(fleet: Fleet, uids: dict[str, UUID]) -> None:
    client = signed_in(fleet.user("ada", operator=True))
    for query, count in (({"q": "site1"}, 10), ({"state": "disabled"}, 2), ({"state": "none"}, 0), ({}, 20)):
        page = client.get(bulk_address("label", ["all"], **query))
        assert len(page.context["items"]) == count


def test_all_are_only_those_that_may_be_seen(fleet: Fleet, uids: dict[str, UUID]) -> None:
    client = signed_in(fleet.user("ada", site03="operate", site04="view"))
    page = show(client, bulk_address("maintenance", ["all"]))
    assert [str(one.site) for one in page.context["changed"]] == ["site03"]
    assert [str(site) for site in page.context["items_with_no_access"]] == ["site04"]
    assert "site05" not in page.content.decode()


def test_foreign_site_is_refused_as_one_that_is_not_there(fleet: Fleet, uids: dict[str, UUID]) -> None:
    client = signed_in(fleet.user("ada", site03="operate"))
    retired = uids["site04"]
    Grant.objects.create(site_id=retired, group=Grant.objects.get().group, action="operate")
    fleet.apply(RetireSite(retired))
    before = fleet.revision
    for chosen in ([uids["site05"]], [uids["site03"], uids["site05"]], [uuid4()], [retired], ["x"], ["\0"], [""], []):
        address = bulk_address("maintenance", chosen)
        answers = [client.get(address), client.post(address, {"seen": "x"})]
        assert [answer.status_code for answer in answers] == [404, 404], chosen
    assert fleet.revision == before


def test_who_may_only_look_changes_nothing(fleet: Fleet, uids: dict[str, UUID]) -> None:
    viewer = signed_in(fleet.user("ada", site03="view", site04="change"))
    operates = signed_in(fleet.user("bob", site03="operate", site04="view"))
    before = fleet.revision
    for action in ("enable", "disable", "maintenance", "activate", "label"):
        assert viewer.get(bulk_address(action, [uids["site03"]])).status_code == 404
        assert viewer.post(bulk_address(action, [uids["site03"]]), {"seen": "x"}).status_code == 404
    assert operates.get(bulk_address("label", [uids["site03"]])).status_code == 404
    page = show(operates, bulk_address("maintenance", [uids["site04"]]))
    assert not page.context["changed"]
    operates.post(bulk_address("maintenance", [uids["site04"]]), {"seen": page.context["seen"]})
    assert fleet.revision == before


def test_boxes_and_actions_are_for_those_who_may(fleet: Fleet, uids: dict[str, UUID]) -> None:
    def offered(client: Client) -> list[str]:
        return [action.label for action in client.get(SITES).context["bulk_actions"]]

    assert offered(signed_in(fleet.user("ada", site03="change"))) == []
    assert offered(signed_in(fleet.user("bob", site03="operate"))) == [
        "Enable",
        "Disable",
        "Maintenance",
        "Back to active",
    ]
    assert "Label" in offered(signed_in(fleet.user("root", operator=True)))
    assert "data-bulk-action-checkbox" not in signed_in(fleet.user("eve", site03="view")).get(SITES).content.decode()


def test_other_pages_cannot_send_the_form(fleet: Fleet, uids: dict[str, UUID]) -> None:
    client = signed_in(fleet.user("ada", operator=True), enforce_csrf_checks=True)
    address = bulk_address("maintenance", [uids["site03"]])
    seen = show(client, address).context["seen"]
    assert client.post(address, {"seen": seen}).status_code == 403
    assert fleet.site("site03").state == "active"
    token = client.cookies["csrftoken"].value
    assert client.post(address, {"seen": seen, "csrfmiddlewaretoken": token}).status_code == 302


def test_way_back_leads_to_no_other_site(fleet: Fleet, uids: dict[str, UUID]) -> None:
    client = signed_in(fleet.user("ada", operator=True))
    for target, expected in (
        ("https://evil.example/", SITES),
        ("//evil.example", SITES),
        (f"{SITES}?p=2", f"{SITES}?p=2"),
    ):
        address = bulk_address("activate", [uids["site02"]], next=target)
        assert show(client, address).context["next"] == expected


def test_it_is_one_change_of_the_registry(fleet: Fleet, uids: dict[str, UUID]) -> None:
    """It locks the registry once, however many sites there are."""
    client = signed_in(fleet.user("ada", operator=True))
    address = bulk_address("maintenance", [uids["site03"], uids["site04"]])
    seen = show(client, address).context["seen"]
    with CaptureQueriesContext(connection) as found:
        client.post(address, {"seen": seen})
    locks = [query for query in found.captured_queries if "RETURNING incarnation" in query["sql"]]
    assert len(locks) == 1
    assert fleet.site("site04").state == "maintenance"
