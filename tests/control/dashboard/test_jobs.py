"""Jobs in the dashboard: the list, the page of one, the site's tab; and what a hostile runner writes into them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.control.dashboard.hostile import HOSTILE, TERMINAL, found_in, shown_hostility
from tests.control.dashboard.pages import Pages, words
from tests.control.dashboard.test_lists import NONSENSE
from tests.control.dashboard.visits import JOBS, listed, signed_in, text_of
from tests.control.fleet import OPERATOR, Fleet
from tests.servers.workshop import CHECKOUT
from wagtail_multihost.control.changes import RetireSite
from wagtail_multihost.control.dashboard.addresses import site_address
from wagtail_multihost.control.dashboard.job_forms import WishForm
from wagtail_multihost.control.dashboard.job_words import LATE, SILENT, STATES, title_of_kind
from wagtail_multihost.control.dashboard.tabs import HISTORY
from wagtail_multihost.control.dashboard.tabs import JOBS as JOBS_TAB
from wagtail_multihost.control.jobs import MOST_AN_HOUR, want_job
from wagtail_multihost.control.models import Job
from wagtail_multihost.control.nodes import place_sites, save_group, save_node
from wagtail_multihost.nodeapi import jobs_v1
from wagtail_multihost.nodeapi.job_kinds import KINDS
from wagtail_multihost.nodeapi.node_states import ACTIVE, ALL, PLACED

RIGHTS = ("view", "change", "operate", "admin")
EMAIL = "parameter-email"
HOUR = timedelta(hours=1)


@pytest.fixture(name="nodes")
def _nodes(fleet: Fleet) -> Fleet:
    """Return a fleet of two sites; one node has both, and another one the first alone."""
    aurora, _ = fleet.add("aurora"), fleet.add("borealis")
    save_group(OPERATOR, "every", ALL)
    save_group(OPERATOR, "few", PLACED)
    save_node(OPERATOR, "web1", "every", state=ACTIVE)
    save_node(OPERATOR, "web2", "few", state=ACTIVE)
    place_sites(OPERATOR, "web2", [aurora])
    return fleet


def want(fleet: Fleet, kind: str = "reload-site", site: str = "aurora", **parameters: str) -> tuple[Job, ...]:
    return want_job(OPERATOR, kind, fleet.site(site), parameters).jobs


def address(job: Job) -> str:
    return f"{JOBS}{job.pk}/"


def kinds_offered(page: Any) -> set[str]:
    return {form.kind.name for form in page.context["forms"]}


def test_list_shows_what_is_asked_for(nodes: Fleet) -> None:
    want(nodes)
    want(nodes, "create-superuser", "borealis", email="ada@example.org")
    Job.objects.filter(node="web1").update(
        state="taken", holder="web1/7", lease_until=timezone.now() + HOUR, progress="half of it"
    )
    client = signed_in(nodes.user("olga", operator=True))
    page = words(client.get(JOBS))
    for text in ("Reload site", "Create superuser", "Being done", "Waiting", "web1/7", "half of it", "Operator root"):
        assert text in page
    assert "ada@example.org" not in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["borealis", "aurora", "aurora"]),
        ({"kind": "reload-site"}, ["aurora", "aurora"]),
        ({"site": "borealis"}, ["borealis"]),
        ({"node": "web2"}, ["aurora"]),
        ({"state": "failed"}, ["borealis"]),
        ({"state": ["failed", "waiting"], "node": "web1"}, ["aurora"]),
        ({"q": "bore"}, ["borealis"]),
        ({"q": "web2"}, ["aurora"]),
        ({"kind": "rm"}, []),
        ({"wish": "no uuid"}, []),
        ({"ordering": "site__identifier"}, ["aurora", "aurora", "borealis"]),
    ],
)
def test_list_searches_filters_and_orders(nodes: Fleet, query: dict[str, Any], found: list[str]) -> None:
    want(nodes)
    want(nodes, "create-superuser", "borealis", email="ada@example.org")
    Job.objects.filter(kind="create-superuser").update(state="failed", wanted_at=timezone.now() + HOUR)
    client = signed_in(nodes.user("olga", operator=True))
    assert listed(client, JOBS, **query) == found
    assert listed(client, f"{JOBS}results/", **query) == found


def test_list_has_the_jobs_of_one_wish(nodes: Fleet) -> None:
    job, other = want(nodes)
    want(nodes, "restart-site")
    client = signed_in(nodes.user("olga", operator=True))
    found = client.get(JOBS, {"wish": str(job.request)}).context["object_list"]
    assert {one.pk for one in found} == {job.pk, other.pk}


def test_jobs_of_foreign_sites_are_nowhere(nodes: Fleet) -> None:
    """In no list, count, export, filter or page; a job of no site is for operators."""
    (foreign,) = want(nodes, site="borealis")
    of_none = Job.objects.create(kind="tidy", runner="operator", actor="operator:root", deadline=timezone.now())
    client = signed_in(nodes.user("ada", aurora="admin"))
    for query in ({}, {"q": "bore"}, {"site": "borealis"}, {"wish": str(foreign.request)}, {"export": "csv"}):
        answer = client.get(JOBS, query)
        text = b"".join(answer).decode()
        for asked in query.values():
            text = text.replace(asked, "")
        assert "borealis" not in text and str(foreign.pk) not in text and "tidy" not in text
    for job in (foreign, of_none):
        assert client.get(address(job)).status_code == 404
        assert client.post(address(job)).status_code == 404
    assert set(Job.objects.values_list("state", flat=True)) == {"waiting"}
    operator = signed_in(nodes.user("olga", operator=True))
    assert listed(operator, JOBS) == ["", "borealis"]
    assert operator.get(address(of_none)).status_code == 200
    stranger = signed_in(nodes.user("nils"))
    assert [stranger.get(path).status_code for path in (JOBS, address(foreign))] == [404, 404]


@pytest.mark.parametrize("right", RIGHTS)
def test_what_a_job_said_is_for_who_could_have_asked(nodes: Fleet, right: str) -> None:
    """Parameters, progress, problem and log; in the list, its export, the tab and the page alike."""
    (job,) = want(nodes, "create-superuser", email="secret@example.org")
    secrets = ("secret@example.org", "secret-progress", "secret-problem", "secret-log")
    Job.objects.update(progress=secrets[1], problem=secrets[2], log=secrets[3])
    for user, reads in ((nodes.user("ada", aurora=right), right == "admin"), (nodes.user("olga", operator=True), True)):
        client = signed_in(user)
        page = words(client.get(address(job)))
        assert [secret in page for secret in secrets] == [reads] * 4
        for path, query in ((JOBS, {}), (JOBS, {"export": "csv"}), (JOBS, {"q": "aurora"})):
            assert ("secret" in text_of(client, path, **query)) is reads
        tab = words(Pages(user).get(nodes.site("aurora"), JOBS_TAB))
        assert "Create superuser" in tab
        assert ("secret-problem" in tab) is reads
        assert ("Cancel the job" in page) is reads


@pytest.mark.parametrize("right", RIGHTS)
def test_kinds_are_offered_by_their_right(nodes: Fleet, right: str) -> None:
    """And nothing else is taken, whatever is sent."""
    site, pages = nodes.site("aurora"), Pages(nodes.user("ada", aurora=right))
    allowed = {name for name, kind in KINDS.items() if RIGHTS.index(right) >= RIGHTS.index(kind.right)}
    assert kinds_offered(pages.get(site, JOBS_TAB)) == allowed
    values = {"parameter-hostname": "new.example.org", EMAIL: "ada@example.org"}
    for name in KINDS:
        answer = pages.post(site, JOBS_TAB, kind=name, **values)
        assert answer.status_code == (302 if name in allowed else 404), name
        assert Job.objects.filter(kind=name).exists() is (name in allowed)
        assert pages.post(nodes.site("borealis"), JOBS_TAB, kind=name, **values).status_code == 404
    assert not Job.objects.filter(site=nodes.site("borealis")).exists()
    assert pages.post(site, JOBS_TAB, kind="run", command="rm").status_code == 404


def test_form_is_made_from_the_declaration(nodes: Fleet) -> None:
    """Each kind has a form with its parameters and their meanings, and those on nodes a choice of node."""
    page = Pages(nodes.user("olga", operator=True)).get(nodes.site("aurora"), JOBS_TAB)
    text = words(page)
    assert kinds_offered(page) == set(KINDS)
    for form in page.context["forms"]:
        assert form.title in text and form.kind.meaning in text
        named = {name.removeprefix("parameter-") for name in form.fields if name.startswith("parameter-")}
        assert named == set(form.kind.parameters)
        assert all(parameter.meaning in text for parameter in form.kind.parameters.values())
        choices = [value for value, _ in form.fields["node"].choices] if form.kind.on_each else []
        assert choices == (["", "web1", "web2"] if form.kind.on_each else [])
    assert list(WishForm(KINDS["reload-site"], []).fields) == ["node", "reason"]


def test_wish_of_the_tab_is_a_job(nodes: Fleet) -> None:
    site, user = nodes.site("aurora"), nodes.user("ada", aurora="admin")
    pages = Pages(user)
    assert pages.post(site, JOBS_TAB, kind="reload-site", reason="new theme").status_code == 302
    assert [*Job.objects.order_by("node").values_list("node", "actor")] == [
        (node, f"user:{user.pk}") for node in ("web1", "web2")
    ]
    assert "2 jobs asked for." in pages.get(site, JOBS_TAB).text
    pages.post(site, JOBS_TAB, kind="reload-site")
    assert "It was asked for already: 2 jobs waiting." in pages.get(site, JOBS_TAB).text
    assert pages.post(site, JOBS_TAB, kind="restart-site", node="web2").status_code == 302
    assert Job.objects.get(kind="restart-site").node_id == "web2"
    assert pages.post(site, JOBS_TAB, kind="create-superuser", **{EMAIL: " ada@example.org "}).status_code == 302
    assert Job.objects.get(kind="create-superuser").parameters == {"email": "ada@example.org"}
    history = words(pages.get(site, HISTORY))
    assert "Ask for a job: Reload site" in history and "new theme" in history
    assert "ada@example.org" not in words(Pages(nodes.user("vera", aurora="view")).get(site, HISTORY))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"kind": "create-superuser"}, "This field is required."),
        ({"kind": "create-superuser", EMAIL: "no address"}, "mail"),
        ({"kind": "create-superuser", EMAIL: f"{'a' * 600}@b.org"}, "at most 500 characters"),
        ({"kind": "create-superuser", EMAIL: "a@b.org\0"}, "Null characters are not allowed."),
        ({"kind": "verify-hostname", "parameter-hostname": "../../etc/passwd"}, "../../etc/passwd"),
        ({"kind": "reload-site", "node": "web9"}, "It is none of those that are offered."),
        ({"kind": "reload-site", "reason": "x" * 501}, "at most 500 characters"),
        ({"kind": "reload-site", "reason": "\0"}, "Null characters are not allowed."),
    ],
)
def test_wish_that_is_no_job_is_refused(nodes: Fleet, data: dict[str, str], told: str) -> None:
    """All that is wrong is beside its field, and what was entered is still there."""
    answer = Pages(nodes.user("ada", aurora="admin")).post(nodes.site("aurora"), JOBS_TAB, **data)
    assert answer.status_code == 200
    (form,) = [form for form in answer.context["forms"] if form.errors]
    assert form.kind.name == data["kind"]
    assert told in words(answer)
    assert not Job.objects.exists()


def test_wishes_are_bounded(nodes: Fleet) -> None:
    site, user = nodes.site("aurora"), nodes.user("ada", aurora="operate")
    want(nodes)
    one = Job.objects.all()[0]
    one.state, one.actor = "ended", f"user:{user.pk}"
    for _ in range(MOST_AN_HOUR):
        one.pk, one.request = uuid4(), uuid4()
        one.save(force_insert=True)
    answer = Pages(user).post(site, JOBS_TAB, kind="restart-site")
    assert "which is the most" in words(answer)
    assert not Job.objects.filter(kind="restart-site").exists()


def test_site_without_a_node_has_nobody_to_do_it(fleet: Fleet) -> None:
    pages = Pages(fleet.user("olga", operator=True))
    text = words(pages.get(fleet.add("aurora"), JOBS_TAB))
    assert text.count("No node has the site, so there is nobody to do it.") == 5
    answer = pages.post(fleet.site("aurora"), JOBS_TAB, kind="reload-site")
    assert answer.status_code == 200
    assert not Job.objects.exists()


def test_tab_of_a_viewer_asks_for_nothing(nodes: Fleet) -> None:
    want(nodes)
    text = words(Pages(nodes.user("vera", aurora="view")).get(nodes.site("aurora"), JOBS_TAB))
    assert "You may see the jobs of this site, and ask for none." in text
    assert "Reload site" in text and "Waiting" in text


def test_job_is_cancelled_once(nodes: Fleet) -> None:
    (job,) = want(nodes, site="borealis")
    client = signed_in(nodes.user("ada", borealis="operate"))
    assert client.post(address(job)).headers["Location"] == address(job)
    assert Job.objects.get().state == "cancelled"
    page = words(client.get(address(job)))
    assert "The job is cancelled." in page or "cancelled" in page.lower()
    assert "Cancel the job" not in page
    client.post(address(job))
    assert "It has ended already." in client.get(address(job)).text


@pytest.mark.parametrize("right", RIGHTS)
def test_job_is_cancelled_by_who_could_have_asked(nodes: Fleet, right: str) -> None:
    (job,) = want(nodes, "create-superuser", email="ada@example.org")
    answer = signed_in(nodes.user("ada", aurora=right)).post(address(job))
    assert answer.status_code == (302 if right == "admin" else 404)
    assert (Job.objects.get().state == "cancelled") is (right == "admin")


def test_other_pages_cannot_ask_or_cancel(nodes: Fleet) -> None:
    (job,) = want(nodes, site="borealis")
    pages = Pages(nodes.user("olga", operator=True), checks_csrf=True)
    assert pages.post(nodes.site("aurora"), JOBS_TAB, kind="reload-site").status_code == 403
    assert pages.client.post(address(job)).status_code == 403
    assert [*Job.objects.values_list("state", flat=True)] == ["waiting"]


def test_job_that_is_late_or_silent_is_called_so(nodes: Fleet) -> None:
    """Nobody ends it before the next runner looks."""
    want(nodes)
    past = timezone.now() - HOUR
    Job.objects.filter(node="web1").update(deadline=past)
    Job.objects.filter(node="web2").update(state="taken", lease_until=past, holder="web2/1")
    page = words(signed_in(nodes.user("olga", operator=True)).get(JOBS))
    assert "Waiting, and too late" in page and "Being done, and silent" in page


def test_job_of_a_retired_site_leads_nowhere(nodes: Fleet) -> None:
    (job,) = want(nodes, site="borealis")
    uid = nodes.site("borealis").uid
    nodes.apply(RetireSite(uid))
    client = signed_in(nodes.user("olga", operator=True))
    for path in (JOBS, address(job)):
        page = text_of(client, path)
        assert "borealis" in page and str(uid) not in page


def plant(fleet: Fleet) -> tuple[Job, Job]:
    """Return jobs with hostile text wherever a runner, or a web process that was taken over, can write one."""
    (job,) = want(fleet, "create-superuser", email="ada@example.org")
    Job.objects.update(
        parameters={HOSTILE: HOSTILE, "email": [HOSTILE]},
        holder=HOSTILE[:100],
        progress=HOSTILE[:200],
        problem=HOSTILE,
        log=f"{HOSTILE}\nsecond line\n{'long' * 20_000}",
        state="failed",
    )
    odd = {"kind": TERMINAL[:40], "actor": f"robot:{TERMINAL}", "state": "\u202eodd", "runner": "node"}
    return job, Job.objects.create(site=job.site, deadline=timezone.now(), **odd)


def test_what_runners_write_is_text(nodes: Fleet) -> None:
    """For the browser, for a terminal that it is copied to, and for who reads it."""
    job, other = plant(nodes)
    tab = site_address(nodes.site("aurora").uid, JOBS_TAB)
    for user in (nodes.user("olga", operator=True), nodes.user("ada", aurora="admin")):
        client = signed_in(user)
        for path in (address(job), address(other), JOBS, f"{JOBS}results/", tab):
            assert found_in(text_of(client, path)) == [], path
        for name in ("q", "kind", "state", "site", "node", "wish", "ordering"):
            assert shown_hostility(text_of(client, JOBS, **{name: HOSTILE})) == [], name
        # A spreadsheet is no page: what a browser does not run, it may have.
        assert set(found_in(text_of(client, JOBS, export="csv"))) <= {"<img src=x", "<svg onload"}
        log = text_of(client, address(job))
        assert "\\x1b]0;evil\\x07\\x1b[2J\\x9b31m\\u202egnp.exe\\u2066\\u200b\\u2028next\\rline\nsecond line" in log


def test_page_of_a_job_is_bounded(nodes: Fleet) -> None:
    """However much is in the row: a log of marks is ten times as long when it is escaped."""
    (job,) = want(nodes, "create-superuser", email="ada@example.org")
    much = "\U000e0001" * 300_000
    Job.objects.update(log=much, problem=much, parameters={str(number): much[:1000] for number in range(2000)})
    client = signed_in(nodes.user("olga", operator=True))
    page = client.get(address(job))
    assert len(page.context["log"]) == jobs_v1.MOST_LOG_BYTES
    assert len(page.context["problem"]) == jobs_v1.PROBLEM_LENGTH
    assert len(page.text) < 250_000
    assert len(text_of(client, JOBS)) < 150_000


def test_lists_of_jobs_ask_as_often_for_many(nodes: Fleet) -> None:
    def count(client: Client, path: str, query: dict[str, str]) -> int:
        with CaptureQueriesContext(connection) as found:
            text_of(client, path, **query)
        return len(found)

    def add(number: int) -> None:
        one = Job.objects.all()[0]
        sites = [nodes.site("aurora"), nodes.site("borealis")]
        for n in range(number):
            one.pk, one.request, one.site, one.actor = uuid4(), uuid4(), sites[n % 2], f"user:{n}"
            one.save(force_insert=True)

    want(nodes)
    add(3)
    tab = f"/admin/fleet/sites/{nodes.site('aurora').uid}/jobs/"
    asked: list[tuple[str, dict[str, str]]] = [(JOBS, {}), (JOBS, {"q": "a"}), (JOBS, {"export": "csv"}), (tab, {})]
    clients = [
        signed_in(nodes.user("olga", operator=True)),
        signed_in(nodes.user("ada", aurora="admin", borealis="view")),
    ]
    for client in clients:
        text_of(client, JOBS)
    before = [count(client, *one) for client in clients for one in asked]
    add(120)
    assert [count(client, *one) for client in clients for one in asked] == before


def test_nonsense_in_an_address_is_no_error(nodes: Fleet) -> None:
    client = signed_in(nodes.user("ada", aurora="view"))
    more = [{"node": "\0"}, {"wish": "\0"}, {"kind": "\0"}, {"ordering": "log"}]
    for query in [*NONSENSE, *more]:
        for target in (JOBS, f"{JOBS}results/"):
            assert client.get(target, query).status_code == 200, (target, query)
    assert client.get(f"{JOBS}{uuid4()}/").status_code == 404


def test_columns_filters_and_states_are_documented(nodes: Fleet) -> None:
    want(nodes)
    text = (CHECKOUT / "docs" / "reference" / "control-work.md").read_text(encoding="utf-8")
    _, _, jobs = text.partition("\n## Jobs\n")
    page = signed_in(nodes.user("olga", operator=True)).get(JOBS)
    head = {
        name for line in jobs.splitlines() if line.startswith("| ") for name in line[2:].split(" | ")[0].split(", ")
    }
    labels = [column.label for column in page.context["table"].columns.values()]
    assert len(labels) == 10
    assert [label for label in labels if label not in head] == []
    words = [*STATES.values(), LATE, SILENT, *(field.label for field in page.context["filters"].form)]
    assert [word for word in words if f"*{word}*" not in jobs] == []


def test_words_are_there_for_every_state_and_kind() -> None:
    assert set(STATES) == set(jobs_v1.STATES)
    assert [title_of_kind(name) for name in ("reload-site", "rm\x1b")] == ["Reload site", "rm\\x1b"]
