"""Holds in the dashboard: the banner on every page, and who makes and ends which hold."""

from __future__ import annotations

import html
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.control.dashboard.looks import fall
from tests.control.dashboard.nodes import HOLDS, NODES, WAVES, add_nodes
from tests.control.dashboard.pages import Pages, words
from tests.control.dashboard.visits import LISTS, bulk_address, signed_in
from tests.control.declared_routes import EVERYONE, ROUTES
from tests.control.fleet import OPERATOR, Fleet
from tests.control.routes import Route, walk_routes
from wagtail_multihost.control.authority import authority_of
from wagtail_multihost.control.dashboard.addresses import node_address, site_address
from wagtail_multihost.control.dashboard.tabs import DEPLOYMENT, HISTORY
from wagtail_multihost.control.holds import current_holds, hold
from wagtail_multihost.control.jobs import want_job
from wagtail_multihost.control.models import Hold, ManagedSite, Node, Verification
from wagtail_multihost.control.placing.plans import make_plan
from wagtail_multihost.control.recipients import save_recipient
from wagtail_multihost.control.webhooks import save_webhook
from wagtail_multihost.nodeapi.node_states import PLACED
from wagtail_multihost.spec.time_lengths import DAY, HOUR

SCRIPT = '"><img src=x onerror=window.pwned=1>'
#: How the names of parts of pages end.
PARTS = ("_results", "site_proof", "site_availability_now")
BANNER = 'aria-label="Holds"'


def make(client: Client, length: str = "1h", reason: str = "A reason", **target: Any) -> Any:
    return client.post(HOLDS, {"length": length, "reason": reason, **target})


def end(client: Client, made: Hold) -> Any:
    return client.post(f"{HOLDS}{made.pk}/end/")


def banner(page: Any) -> str:
    """Return what people read of the banner of a page; blank if there is none."""
    if BANNER not in page.text:
        return ""
    part = page.text.partition(BANNER)[2].partition("</section>")[0]
    return words(type("Part", (), {"text": f"<section {part}"}))


def pages_to_read(site: ManagedSite, group: Group) -> list[str]:
    """Return the addresses of all pages of the dashboard that an operator reads, but the parts of pages."""
    plan = make_plan(OPERATOR, "fill")
    proof = Verification.objects.create(site=site, name="proof.example.net", secret="s" * 43)
    [job] = want_job(OPERATOR, "verify-hostname", site, {"hostname": proof.name}).jobs
    hook = save_webhook(OPERATOR, "https://hooks.example.net/")
    values = {"uid": site.uid, "group": group.pk, "revision": site.revision, "node": "few-1", "plan": plan.pk}
    values |= {"proof": proof.pk, "job": job.pk, "webhook": hook.pk, "incident": fall(timezone.now(), site).pk}
    values |= {"label": save_recipient(OPERATOR, "night").pk}
    shown = [route for route in walk_routes() if route.is_ours and not route.is_api and is_page(route)]
    return ["/admin/", *(route.address(values) for route in shown)]


def is_page(route: Route) -> bool:
    rule = ROUTES[route.label]
    return rule.get not in (None, EVERYONE) and not route.label.endswith(PARTS)


def test_banner_is_on_every_page(fleet: Fleet) -> None:
    add_nodes("few-1", group="few", holds=PLACED)
    root = fleet.user("root", operator=True)
    site, client = fleet.add("aurora"), signed_in(root)
    pages = [*pages_to_read(site, root.groups.get()), bulk_address("disable", [site.uid])]
    assert len(pages) >= 22
    for page in pages:
        answer = client.get(page)
        assert (answer.status_code, banner(answer)) == (200, ""), page
    hold(OPERATOR, seconds=HOUR, reason="network work")
    for page in pages:
        assert "Everything is held until" in banner(client.get(page)), page
        assert "by Operator root: network work" in banner(client.get(page)), page
    question = client.post(node_address("few-1"), {"action": "leave"})
    assert "Everything is held until" in banner(question)


def test_banner_has_what_someone_may_see(fleet: Fleet) -> None:
    """Of everything that it is held, not why; of nodes and foreign sites nothing."""
    add_nodes("web-1")
    site, foreign = fleet.add("aurora"), fleet.add("borealis")
    ada, bob = fleet.user("ada", aurora="view"), fleet.user("bob")
    hold(OPERATOR, foreign, seconds=HOUR, reason="foreign reason")
    hold(OPERATOR, node=Node.objects.get(), seconds=HOUR, reason="node reason")
    for page in ("/admin/", *LISTS, HOLDS, site_address(site.uid)):
        assert banner(signed_in(ada).get(page)) == "", page
    hold(OPERATOR, seconds=HOUR, reason="secret reason")
    hold(OPERATOR, site, seconds=HOUR, reason="restore")
    for page in ("/admin/", *LISTS, HOLDS, site_address(site.uid)):
        answer = signed_in(ada).get(page)
        text = banner(answer)
        assert "Everything is held until" in text and "by An operator" in text
        assert "The site aurora is held until" in text and "restore" in text
        for word in ("secret reason", "foreign reason", "borealis", "node reason", "web-1"):
            assert word not in answer.text, (page, word)
    assert banner(signed_in(bob).get("/admin/")) == ""
    assert signed_in(bob).get(HOLDS).status_code == 404


def test_hold_that_has_ended_is_in_no_banner(fleet: Fleet) -> None:
    client = signed_in(fleet.user("root", operator=True))
    made = hold(OPERATOR, fleet.add("aurora"), seconds=HOUR, reason="restore")
    assert "restore" in banner(client.get(HOLDS))
    Hold.objects.update(until=timezone.now())
    assert banner(client.get(HOLDS)) == ""
    assert end(client, made).status_code == 404


def test_banner_is_short_and_has_the_sites_own_holds(fleet: Fleet) -> None:
    root = fleet.user("root", operator=True)
    for number in range(8):
        hold(OPERATOR, fleet.add(f"site{number}"), seconds=HOUR + number, reason="x")
    pages = Pages(root)
    own = pages.get(fleet.site("site7"))
    assert banner(own).count("is held until") == 5
    assert "There are more holds" in banner(own)
    assert "The site site7 is held" in banner(own)
    assert "site7" not in banner(pages.get(fleet.site("site0")))
    hold(OPERATOR, seconds=DAY, reason="network work")
    assert banner(own := pages.get(fleet.site("site7"))).startswith("Everything is held")
    assert "The site site7 is held" in banner(own)
    assert all(f"The site site{number}" in words(pages.client.get(HOLDS)) for number in range(8))


def test_banner_asks_as_often_for_many_holds(fleet: Fleet) -> None:
    client = signed_in(fleet.user("root", operator=True))

    def count(path: str) -> int:
        with CaptureQueriesContext(connection) as found:
            client.get(path)
        return len(found)

    hold(OPERATOR, fleet.add("site0"), seconds=HOUR, reason="x")
    paths = (HOLDS, WAVES, NODES, "/admin/")
    for path in paths:
        count(path)
    before = [count(path) for path in paths]
    for number in range(1, 40):
        hold(OPERATOR, fleet.add(f"site{number}"), seconds=HOUR, reason="x")
    assert [count(path) for path in paths] == before


@pytest.mark.parametrize("role", ["view", "change", "operate", "admin", "operator"])
def test_site_is_held_by_who_may_operate_it(fleet: Fleet, role: str) -> None:
    site = fleet.add("aurora")
    user = fleet.user("ada", **({"operator": True} if role == "operator" else {"aurora": role}))
    pages = Pages(user)
    may = role in ("operate", "admin", "operator")
    assert ('name="length"' in pages.get(site, DEPLOYMENT).text) == may
    answer = make(pages.client, "2h", "restore", site=site.uid)
    assert (answer.status_code, Hold.objects.count()) == ((302, 1) if may else (404, 0))
    if not may:
        return
    assert answer.headers["Location"] == site_address(site.uid, DEPLOYMENT)
    made = Hold.objects.get()
    assert (made.site, made.reason, made.actor) == (site, "restore", f"user:{user.pk}")
    assert made.is_of_operator == (role == "operator")
    assert (made.until - made.since).total_seconds() == 2 * HOUR
    assert "End the hold" in pages.get(site, DEPLOYMENT).text
    assert end(pages.client, made).headers["Location"] == site_address(site.uid, DEPLOYMENT)
    assert not current_holds().exists()


def test_site_that_is_closed_is_held_by_operators_alone(fleet: Fleet) -> None:
    site = fleet.add("aurora", enabled=False)
    answer = make(signed_in(fleet.user("ada", aurora="admin")), site=site.uid)
    assert "only operators of the platform hold it then" in words(answer)
    assert not Hold.objects.exists()
    assert make(signed_in(fleet.user("root", operator=True)), site=site.uid).status_code == 302


@pytest.mark.parametrize("role", ["operator", "admin"])
def test_nodes_and_everything_are_held_by_operators(fleet: Fleet, role: str) -> None:
    add_nodes("web-1")
    fleet.add("aurora")
    client = signed_in(fleet.user("ada", **({"operator": True} if role == "operator" else {"aurora": "admin"})))
    may = role == "operator"
    assert ("Hold everything" in words(client.get("/admin/"))) == may
    assert ('name="everything"' in client.get(HOLDS).text) == may
    answers = [make(client, node="web-1"), make(client, everything="yes")]
    assert [answer.status_code for answer in answers] == ([302, 302] if may else [404, 404])
    assert Hold.objects.count() == (2 if may else 0)
    if may:
        assert answers[0].headers["Location"] == node_address("web-1")
        page = client.get(node_address("web-1"))
        assert page.text.count("End the hold") == 2
        for made in current_holds():
            end(client, made)
    else:
        for made in (hold(OPERATOR, node=Node.objects.get(), seconds=60, reason="x"), everything()):
            assert end(client, made).status_code == 404
            made.refresh_from_db()
            assert made in current_holds()


def everything() -> Hold:
    return hold(OPERATOR, seconds=60, reason="x")


def test_hold_of_an_operator_is_ended_by_operators(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    made = hold(OPERATOR, site, seconds=HOUR, reason="restore")
    pages = Pages(fleet.user("ada", aurora="admin"))
    page = pages.get(site, DEPLOYMENT)
    assert "restore" in words(page)
    assert "End the hold" not in page.text
    assert end(pages.client, made).status_code == 404
    assert current_holds().count() == 1
    own = hold(authority_of(fleet.user("eve", aurora="operate")), site, seconds=HOUR, reason="move")
    assert pages.get(site, DEPLOYMENT).text.count("End the hold") == 1
    assert end(pages.client, own).status_code == 302


def test_holds_of_foreign_sites_are_neither_made_nor_ended(fleet: Fleet) -> None:
    fleet.add("aurora")
    foreign = fleet.add("borealis")
    made = hold(authority_of(fleet.user("bert", borealis="admin")), foreign, seconds=HOUR, reason="x")
    client = signed_in(fleet.user("ada", aurora="admin"))
    assert make(client, site=foreign.uid).status_code == 404
    assert make(client, site=uuid4()).status_code == 404
    assert end(client, made).status_code == 404
    assert [one.pk for one in current_holds()] == [made.pk]


@pytest.mark.parametrize(
    "target",
    [{}, {"site": "x"}, {"node": "\0"}, {"node": "none"}, {"node": "web-1", "everything": "yes"}],
)
def test_only_what_there_is_can_be_held(fleet: Fleet, target: dict[str, str]) -> None:
    add_nodes("web-1")
    assert make(signed_in(fleet.user("root", operator=True)), **target).status_code == 404
    assert not Hold.objects.exists()


@pytest.mark.parametrize(
    ("role", "length", "reason", "said"),
    [
        ("operate", "2d", "x", "It must be at least a second, and at most 1 d."),
        ("operator", "8d", "x", "It must be at least a second, and at most 7 d."),
        ("operator", "long", "x", "'long' is no length of time. Accepted: 90s, 30m, 2h, 1d."),
        ("operator", "", "x", "This field is required."),
        ("operator", "1h", " ", "This field is required."),
        ("operator", "1h", "x" * 501, "at most 500 characters"),
        ("operator", "1h", "x\0", "Null characters are not allowed."),
    ],
)
def test_length_and_reason_are_bounded(fleet: Fleet, role: str, length: str, reason: str, said: str) -> None:
    """What was entered is shown again, with what is wrong, and with what was to be held."""
    site = fleet.add("aurora")
    user = fleet.user("ada", **({"operator": True} if role == "operator" else {"aurora": role}))
    answer = make(signed_in(user), length, reason, site=site.uid)
    assert said in html.unescape(words(answer))
    assert f'value="{site.uid}"' in answer.text
    assert "Hold the site aurora" in words(answer)
    assert not Hold.objects.exists()


def test_what_people_wrote_is_text_on_one_line(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    root = fleet.user("root", operator=True)
    root.first_name = SCRIPT
    root.save()
    client = signed_in(root)
    make(client, "1h", f"\u202e{SCRIPT}\n{SCRIPT}", site=site.uid)
    assert Hold.objects.count() == 1
    for page in (HOLDS, "/admin/", site_address(site.uid, DEPLOYMENT), site_address(site.uid, HISTORY)):
        text = client.get(page).text
        assert "<img src=x" not in text
        assert html.escape(SCRIPT) in text
        assert "\u202e" not in banner(client.get(page))
    assert "<img src=x" not in make(client, SCRIPT[:10], SCRIPT, site=site.uid).text


def test_other_pages_cannot_send_the_forms(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    made = hold(OPERATOR, site, seconds=HOUR, reason="x")
    client = signed_in(fleet.user("root", operator=True), enforce_csrf_checks=True)
    assert make(client, site=site.uid).status_code == 403
    assert end(client, made).status_code == 403
    assert current_holds().count() == 1


def test_form_of_the_first_page_is_sent_with_its_own_token(fleet: Fleet) -> None:
    client = signed_in(fleet.user("root", operator=True), enforce_csrf_checks=True)
    page = client.get("/admin/").text.partition("Hold everything")[2]
    token = page.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
    assert token
    assert make(client, everything="yes", csrfmiddlewaretoken=token).status_code == 302
    assert current_holds().count() == 1
