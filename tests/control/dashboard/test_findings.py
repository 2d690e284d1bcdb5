"""The page of findings: who is told of what, by which filters, and what repairs it; with hostile nodes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.control.dashboard.hostile import HOSTILE, TERMINAL, found_in, shown_hostility
from tests.control.dashboard.pages import words
from tests.control.dashboard.test_jobs import RIGHTS
from tests.control.dashboard.visits import FINDINGS, signed_in, text_of
from tests.control.fleet import OPERATOR, SHARED, Fleet, prepare_fleet
from tests.control.test_findings import age_events, condition, report
from tests.servers.workshop import CHECKOUT
from wagtail_multihost.control import finding_kinds
from wagtail_multihost.control.changes import CreateSite
from wagtail_multihost.control.dashboard.finding_words import KINDS, SEVERITIES, SUBJECTS, words_of_counts
from wagtail_multihost.control.dashboard.findings import PER_PAGE, row_of
from wagtail_multihost.control.dashboard.foreign_text import can_be_pasted
from wagtail_multihost.control.finding_kinds import Finding, Repair
from wagtail_multihost.control.models import Hold, Job, Placement, Plan
from wagtail_multihost.control.nodes import place_sites, save_group, save_node
from wagtail_multihost.nodeapi.node_states import ACTIVE, PLACED

HOME = "/admin/"


@pytest.fixture(name="shared")
def _shared(db: None) -> Fleet:
    """Return a fleet with two nodes that each have two sites; nothing is wrong with it."""
    fleet = prepare_fleet(SHARED)
    save_group(OPERATOR, "web", PLACED)
    for node in ("web-0", "web-1"):
        save_node(OPERATOR, node, "web", state=ACTIVE, weight=0)
    for name in ("aurora", "borealis"):
        site = fleet.add(name)
        for node in ("web-0", "web-1"):
            place_sites(OPERATOR, node, [site])
    Placement.objects.update(is_serving=True)
    for node in ("web-0", "web-1"):
        report(node, fleet.revision)
    age_events()
    return fleet


def break_it(fleet: Fleet, why: str = "Its codebase is not listed.") -> None:
    """Let a node refuse both sites and find hand edits, and another one fall silent."""
    report("web-0", fleet.revision, condition("Drift", message=why), aurora=why, borealis=why)
    report("web-1", fleet.revision, ago=timedelta(seconds=100))


def found(client: Client, **query: Any) -> list[tuple[str, str]]:
    """Return the name and the title of each finding that is shown."""
    answer = client.get(FINDINGS, query)
    assert answer.status_code == 200, (query, answer.status_code)
    return [(row.name, row.title) for row in answer.context["rows"]]


def test_fleet_that_is_as_it_should_be_has_no_findings(shared: Fleet) -> None:
    client = signed_in(shared.user("olga", operator=True))
    assert "Everything is as it should be." in words(client.get(FINDINGS))
    assert "Not as it should be" not in text_of(client, HOME)


def test_finding_says_what_why_since_when_and_what_repairs_it(shared: Fleet) -> None:
    break_it(shared)
    client = signed_in(shared.user("olga", operator=True))
    answer = client.get(FINDINGS)
    page, rows = words(answer), {(row.name, row.title): row for row in answer.context["rows"]}
    assert list(rows) == [
        ("web-1", "The node is silent"),
        ("web-0", "Files differ"),
        ("aurora", "One node serves it"),
        ("aurora", "A node has refused it"),
        ("borealis", "One node serves it"),
        ("borealis", "A node has refused it"),
    ]
    silent, refused = rows["web-1", "The node is silent"], rows["aurora", "A node has refused it"]
    assert (silent.command, silent.job) == ("manage.py multihost_place drain web-1 --apply", None)
    assert client.get(silent.url).status_code == client.get(refused.url).status_code == 200
    assert silent.since == silent.seen_at is not None
    assert (refused.node, refused.revision, refused.seen_at is not None) == ("web-0", shared.revision, True)
    assert refused.job.kind == "reread-site"
    for text in ("Its codebase is not listed.", silent.command, "Reread site", f"revision {shared.revision:,}"):
        assert text in page
    assert f'data-w-clipboard-value-param="{silent.command}"' in answer.text
    assert "Critical: 1 Warning: 5 Notice: 0" in page
    assert "1 critical, 5 warnings" in text_of(client, HOME)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"severity": "critical"}, ["web-1"]),
        ({"kind": "refused"}, ["aurora", "borealis"]),
        ({"kind": "refused", "site": "aurora"}, ["aurora"]),
        ({"site": "borealis"}, ["borealis", "borealis"]),
        ({"site": "web-1"}, []),
        ({"node": "web-1"}, ["web-1"]),
        ({"node": "web-0"}, ["web-0", "aurora", "borealis"]),
        ({"node": "aurora"}, []),
        ({"severity": "notice"}, []),
        ({"kind": "hold"}, []),
        ({"severity": "x"}, []),
        ({"kind": "x"}, []),
        ({"site": "\0"}, []),
        ({"node": "x" * 5000}, []),
        ({"p": "x", "severity": "critical"}, ["web-1"]),
        ({"p": "9" * 5000, "severity": "critical"}, ["web-1"]),
    ],
)
def test_findings_are_filtered(shared: Fleet, query: dict[str, str], names: list[str]) -> None:
    """What is not understood lets nothing through."""
    break_it(shared)
    client = signed_in(shared.user("olga", operator=True))
    assert [name for name, _ in found(client, **query)] == names
    if not names:
        assert "Nothing matches." in text_of(client, FINDINGS, **query)


def test_people_are_told_of_their_own_sites_alone(shared: Fleet) -> None:
    """And neither what nodes say, nor of nodes without their site, nor commands that they cannot run; at home too."""
    break_it(shared, "It shares a name with borealis, says web-0.")
    client = signed_in(shared.user("ada", aurora="admin"))
    assert found(client) == [("aurora", "One node serves it"), ("aurora", "A node has refused it")]
    for query in ({}, {"site": "borealis"}, {"kind": "drift"}, {"node": "web-0"}):
        page = client.get(FINDINGS, query)
        text = page.text.replace('value="borealis"', "")
        assert [word for word in ("borealis", "shares a name", "manage.py") if word in text] == []
    assert {row.node for row in client.get(FINDINGS).context["rows"]} == {"", "web-0"}
    assert "2 warnings" in text_of(client, HOME)
    assert "critical" not in text_of(client, HOME)
    stranger = signed_in(shared.user("nils"))
    assert stranger.get(FINDINGS).status_code == 404
    assert "Not as it should be" not in text_of(stranger, HOME)


@pytest.mark.parametrize("right", RIGHTS)
def test_job_that_repairs_is_one_click_for_who_may_ask(shared: Fleet, right: str) -> None:
    break_it(shared)
    client = signed_in(shared.user("ada", aurora=right))
    (job,) = [row.job for row in client.get(FINDINGS).context["rows"] if row.title == "A node has refused it"]
    assert (job is not None) is (right in ("operate", "admin"))
    assert ("Reread site" in text_of(client, FINDINGS)) is (job is not None)
    if job is not None:
        assert client.post(job.url, {"kind": job.kind, "node": job.node}).status_code == 302
        assert [*Job.objects.values_list("kind", "node")] == [("reread-site", "web-0")]


def test_operators_job_is_for_the_node_that_it_was_seen_on(shared: Fleet) -> None:
    break_it(shared)
    client = signed_in(shared.user("olga", operator=True))
    (job,) = [row.job for row in client.get(FINDINGS, {"site": "borealis"}).context["rows"] if row.job]
    assert client.post(job.url, {"kind": job.kind, "node": job.node}).status_code == 302
    assert [*Job.objects.values_list("site__identifier", "node")] == [("borealis", "web-0")]


def test_findings_have_pages(shared: Fleet) -> None:
    names = [f"site-{number:03}" for number in range(PER_PAGE)]
    shared.apply(*(CreateSite(name, {"hostnames": [f"{name}.example.com"]}) for name in names))
    Placement.objects.update(is_serving=True)
    break_it(shared)
    client = signed_in(shared.user("olga", operator=True))
    first, second = found(client), found(client, p="2")
    assert (len(first), first[0]) == (PER_PAGE, ("web-1", "The node is silent"))
    assert second and not set(first) & set(second)
    assert "p=2" in text_of(client, FINDINGS, site="", severity="")


def test_pages_ask_as_often_for_many_sites(shared: Fleet) -> None:
    def count(client: Client, path: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            text_of(client, path)
        return len(queries)

    break_it(shared)
    clients = [signed_in(shared.user("olga", operator=True)), signed_in(shared.user("ada", aurora="admin"))]
    pages = [(client, path) for client in clients for path in (FINDINGS, HOME)]
    for client, path in pages:
        text_of(client, path)
    before = [count(client, path) for client, path in pages]
    names = [f"site-{number:03}" for number in range(300)]
    for number in range(2, 12):
        save_node(OPERATOR, f"web-{number}", "web", state=ACTIVE)
    shared.apply(*(CreateSite(name, {"hostnames": [f"{name}.example.com"]}) for name in names))
    for number in range(2, 12):
        report(f"web-{number}", 1, **dict.fromkeys(names, "It is refused."))
    assert [count(client, path) for client, path in pages] == before


def test_what_nodes_and_people_write_is_text(shared: Fleet) -> None:
    """A node says why it refuses; a person, why something is held; both have the worst in mind."""
    break_it(shared, f"{HOSTILE}{'x' * 100_000}")
    until = timezone.now() + timedelta(hours=1)
    for one in ({"site": shared.site("aurora")}, {"node_id": "web-0"}, {}):
        Hold.objects.create(reason=(HOSTILE * 5)[:500], actor="x", until=until, **one)
    Plan.objects.create(kind="fill", actor="x", based_on=1, state="stopped", problem=f"{TERMINAL}{'y' * 300}")
    for user in (shared.user("olga", operator=True), shared.user("ada", aurora="operate")):
        client = signed_in(user)
        for query in ({}, {"site": HOSTILE[:40]}, {"node": TERMINAL[:40]}, {"kind": HOSTILE}, {"severity": HOSTILE}):
            page = client.get(FINDINGS, query)
            assert shown_hostility(page.text) == [], query
            assert all(len(row.reason) <= 500 for row in page.context["rows"])
        assert "onerror" in text_of(client, FINDINGS)


@pytest.mark.parametrize(
    "command",
    [
        "manage.py multihost_place drain web-0; reboot --apply",
        "manage.py multihost_place drain $(reboot) --apply",
        "manage.py multihost_place drain web-0\nreboot",
        "manage.py multihost_place drain `reboot`",
        "manage.py multihost_place drain web-0\x1b[201~",
        "manage.py multihost_place drain w\u0435b-0 --apply",  # a Cyrillic letter
        "manage.py > /etc/passwd",
        " reboot",
        "",
    ],
)
def test_command_that_does_more_is_not_to_be_copied(fleet: Fleet, command: str) -> None:
    """Names are checked where they are written. A page believes no row."""
    assert not can_be_pasted(command)
    row = row_of(OPERATOR, Finding("node", "web-0", "silent", "critical", "It is.", repair=Repair(command)))
    assert not row.can_be_copied
    assert found_in(row.command) == []
    assert row_of(OPERATOR, Finding("node", command or "-/", "silent", "critical", "It is.")).url == ""
    assert "\n" not in row.command


def test_job_that_needs_more_is_no_click(shared: Fleet) -> None:
    """And one of a kind that there is not, or of no site, is none."""
    uid = shared.site("aurora").uid
    for kind, site in (("create-superuser", uid), ("rm", uid), ("reread-site", None), ("", uid)):
        one = Finding("site", "aurora", "refused", "warning", "It is.", repair=Repair(job=kind), uid=site)
        assert row_of(OPERATOR, one).job is None


def test_every_kind_of_finding_is_documented() -> None:
    text = (CHECKOUT / "docs" / "reference" / "control-work.md").read_text(encoding="utf-8")
    assert [title for title in KINDS.values() if f"| {title} |" not in text] == []
    assert [title for title in SEVERITIES.values() if f"*{title}*:" not in text] == []


def test_words_are_there_for_everything() -> None:
    assert set(KINDS) == set(finding_kinds.KINDS)
    assert set(SEVERITIES) == set(finding_kinds.SEVERITIES)
    assert set(SUBJECTS) == {finding_kinds.SITE, finding_kinds.NODE, finding_kinds.GROUP, finding_kinds.FLEET}
    assert words_of_counts({"critical": 2, "warning": 1, "notice": 0}) == "2 critical, 1 warning"
    assert words_of_counts({"critical": 0, "warning": 3, "notice": 2}) == "3 warnings, 2 notices"
    assert words_of_counts({"critical": 0, "warning": 0, "notice": 0}) == ""
