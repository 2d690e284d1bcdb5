"""Jobs: who may ask for what, who takes them, and what a hostile row or runner can do, on the real server."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.control.clients import client_of
from tests.control.fleet import OPERATOR, Fleet
from tests.control.node_roles import NodeLogin, node_login
from tests.control.roles import Roles
from tests.servers.postgres import Postgres
from tests.servers.processes import wait_for
from wagtail_multihost.control.changes import NotAllowedError, UnknownSiteError
from wagtail_multihost.control.jobs import (
    MOST_AN_HOUR,
    RefusedJobError,
    UnknownJobError,
    cancel_job,
    end_late_jobs,
    prune_jobs,
    visible_jobs,
    want_job,
)
from wagtail_multihost.control.models import Job, Verification
from wagtail_multihost.control.nodes import place_sites, save_group, save_node
from wagtail_multihost.control.roles import OPERATOR as OPERATOR_ROLE
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.nodeapi import jobs_v1
from wagtail_multihost.nodeapi.job_kinds import KINDS, check_job
from wagtail_multihost.nodeapi.job_list import Ending, JobList, TakenJob
from wagtail_multihost.nodeapi.node_states import ACTIVE, ALL, PLACED

EMAIL = {"email": "ada@example.org"}
EXPIRE = "UPDATE control_job SET lease_until = clock_timestamp() - interval '1 second'"


@pytest.fixture(name="nodes")
def _nodes(fleet: Fleet) -> Fleet:
    """Return a fleet of two sites; one node has both, and another one the first alone."""
    return with_nodes(fleet)


def with_nodes(fleet: Fleet) -> Fleet:
    aurora, _ = fleet.add("aurora"), fleet.add("borealis")
    save_group(OPERATOR, "every", ALL)
    save_group(OPERATOR, "few", PLACED)
    save_node(OPERATOR, "web1", "every", state=ACTIVE)
    save_node(OPERATOR, "web2", "few", state=ACTIVE)
    place_sites(OPERATOR, "web2", [aurora])
    return fleet


class Runners:
    """The logins of both nodes, and what they take and report."""

    def __init__(self, fleet: Fleet, logins: dict[str, NodeLogin]) -> None:
        self.fleet, self.logins = fleet, logins

    def run(self, node: str, statement: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self.logins[node].connect() as opened:
            return opened.execute(statement, values).fetchall()

    def jobs(self, node: str) -> JobList:
        return JobList(lambda statement, values: self.run(node, statement, values), "node_api_v1", "node", f"{node}/1")

    def take(self, node: str) -> TakenJob | None:
        return self.jobs(node).take()


@pytest.fixture(name="runners")
def _runners(live_fleet: Fleet, postgres: Postgres) -> Iterator[Runners]:
    Roles(postgres).make()
    with_nodes(live_fleet)
    with ExitStack() as stack:
        names = ("web1", "web2")
        yield Runners(live_fleet, {name: stack.enter_context(node_login(postgres, name)) for name in names})


def want(fleet: Fleet, kind: str = "reload-site", site: str = "aurora", **parameters: str) -> tuple[Job, ...]:
    return want_job(OPERATOR, kind, fleet.site(site), parameters).jobs


def test_wish_makes_a_job_for_each_node_that_has_the_site(nodes: Fleet) -> None:
    """And one for whichever takes it first, where once is enough. The same wish again makes none."""
    first = want_job(OPERATOR, "reload-site", nodes.site("aurora"), {})
    assert first.is_new
    assert [job.node_id for job in first.jobs] == ["web1", "web2"]
    assert len({job.request for job in first.jobs}) == 1
    again = want_job(OPERATOR, "reload-site", nodes.site("aurora"), {})
    assert (again.is_new, {job.pk for job in again.jobs}) == (False, {job.pk for job in first.jobs})
    assert [job.node_id for job in want(nodes, site="borealis")] == ["web1"]
    (job,) = want(nodes, "create-superuser", **EMAIL)
    assert (job.node_id, job.parameters) == (None, EMAIL)
    with pytest.raises(RefusedJobError, match="other parameters"):
        want(nodes, "create-superuser", email="eve@example.org")
    (job,) = want_job(OPERATOR, "restart-site", nodes.site("aurora"), {}, "web2").jobs
    assert job.node_id == "web2"


@pytest.mark.parametrize(
    ("kind", "parameters", "node", "where"),
    [
        ("run", {}, None, "kind"),
        ("reload-site", {"command": "rm"}, None, "command"),
        ("create-superuser", {}, None, "email"),
        ("create-superuser", {"email": 7}, None, "email"),
        ("create-superuser", {"email": "ada@example.org\n--settings=evil"}, None, "email"),
        ("create-superuser", {"email": f"{'a' * 60}@{'b' * 240}.org"}, None, "email"),
        ("verify-hostname", {"hostname": "../../etc/passwd"}, None, "hostname"),
        ("verify-hostname", {"hostname": "new.example"}, None, "hostname"),
        ("reload-site", {}, "web9", "node"),
        ("create-superuser", EMAIL, "web1", "node"),
        ("verify-hostname", {"hostname": "new.example.org"}, "web1", "node"),
    ],
)
def test_wish_that_is_no_job_is_refused(
    nodes: Fleet, kind: str, parameters: dict[str, object], node: str | None, where: str
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        want_job(OPERATOR, kind, nodes.site("aurora"), parameters, node)
    assert [problem.key for problem in raised.value.problems] == [where]
    assert not Job.objects.exists()
    assert not Verification.objects.exists()


def test_site_without_a_node_has_nobody_to_do_it(fleet: Fleet) -> None:
    fleet.add("aurora")
    with pytest.raises(RefusedJobError, match="No node has the site"):
        want(fleet)


def test_wishes_of_one_person_are_bounded(nodes: Fleet) -> None:
    want(nodes)
    Job.objects.update(state="ended")
    one = Job.objects.all()[0]
    for _ in range(MOST_AN_HOUR - 1):
        one.pk, one.request = uuid4(), uuid4()
        one.save(force_insert=True)
    with pytest.raises(RefusedJobError, match="which is the most"):
        want(nodes)
    assert want(nodes, site="borealis")
    Job.objects.update(wanted_at=timezone.now() - timedelta(hours=2))
    assert want(nodes)


@pytest.mark.parametrize("level", ["view", "change", "operate", "admin"])
def test_right_of_the_kind_decides(nodes: Fleet, level: str) -> None:
    """Who has no right over the site learns nothing of it, and of its jobs neither."""
    order = ("view", "change", "operate", "admin")
    authority = nodes.authority("ada", aurora=level)
    parameters = {"create-superuser": EMAIL, "verify-hostname": {"hostname": "new.example.org"}}
    for name, kind in KINDS.items():
        if order.index(level) >= order.index(kind.right):
            assert want_job(authority, name, nodes.site("aurora"), parameters.get(name, {})).jobs
        else:
            with pytest.raises(NotAllowedError):
                want_job(authority, name, nodes.site("aurora"), parameters.get(name, {}))
        with pytest.raises(UnknownSiteError):
            want_job(authority, name, nodes.site("borealis"), parameters.get(name, {}))
    (foreign,) = want(nodes, site="borealis")
    assert foreign not in visible_jobs(authority)
    assert foreign in visible_jobs(OPERATOR)
    with pytest.raises(UnknownJobError):
        cancel_job(authority, foreign)


def test_api_shows_what_may_be_read(nodes: Fleet) -> None:
    """Who may only see the site sees that there is a job, and neither its parameters nor what it printed."""
    (job,) = want(nodes, "create-superuser", **EMAIL)
    Job.objects.update(log="\x1b]0;evil\x07 it was \u202esent", progress="on\nits way", holder="web1/7", state="taken")
    viewer = client_of(nodes.user("vera", aurora="view"))
    admin = client_of(nodes.user("adam", operator=True))
    for client, reads in ((viewer, False), (admin, True)):
        found = client.get(f"/jobs/{job.pk}").body
        assert (found["kind"], found["state"], found["site"]) == ("create-superuser", "taken", "aurora")
        assert found["parameters"] == (EMAIL if reads else None)
        assert found["progress"] == ("on its way" if reads else "")
        assert found["holder"] == ("web1/7" if client is admin else "")
        assert found["log"] == ("\\x1b]0;evil\\x07 it was \\u202esent" if reads else None)
    assert viewer.post(f"/jobs/{job.pk}/cancel").status == 403
    assert client_of(nodes.user("nils", borealis="admin")).get(f"/jobs/{job.pk}").status == 404
    assert admin.post(f"/jobs/{job.pk}/cancel").body["job"]["state"] == "cancelled"
    assert admin.post(f"/jobs/{job.pk}/cancel").status == 409
    entries = client_of(nodes.user("olga", operator=True)).get("/audit").body["entries"]
    assert [entry["action"] for entry in entries if entry["action"].startswith("job.")] == [
        "job.cancelled",
        "job.wanted",
    ]


def test_jobs_of_one_wish_are_listed(nodes: Fleet) -> None:
    client = client_of(nodes.user("olga", operator=True))
    want(nodes)
    jobs = want(nodes, "restart-site")
    assert len(jobs) == 2
    found = client.get(f"/jobs?request={jobs[0].request}").body["jobs"]
    assert {one["id"] for one in found} == {str(job.pk) for job in jobs}


def test_job_that_was_cancelled_meanwhile_is_not_too_late(live_fleet: Fleet, postgres: Postgres) -> None:
    """Who ends late jobs has to wait for who cancels one, and looks at it again then."""
    (job, *_) = want(with_nodes(live_fleet))
    Job.objects.update(deadline=timezone.now() - timedelta(seconds=1))

    def end_in_thread() -> None:
        try:
            end_late_jobs()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool, postgres.connect("test_control") as other:
        other.autocommit = False
        other.execute("UPDATE control_job SET state = 'cancelled', ended_at = now() WHERE id = %s", (job.pk,))
        ending = pool.submit(end_in_thread)
        waits = "SELECT pid FROM pg_locks WHERE NOT granted"
        wait_for(lambda: bool(postgres.execute("test_control", waits)), "the other to wait")
        other.commit()
        ending.result(30)
    job.refresh_from_db()
    assert (job.state, job.problem) == ("cancelled", "")


def test_list_of_jobs_has_pages_and_a_constant_number_of_queries(nodes: Fleet) -> None:
    client = client_of(nodes.user("olga", operator=True))
    client.get("/jobs")
    counts = []
    for site in ("aurora", "borealis"):
        want(nodes, site=site)
        want(nodes, "restart-site", site=site)
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/jobs").status == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]
    seen: list[str] = []
    page = {"next": ""}
    while page["next"] is not None:
        after = f"&before={page['next']}" if page["next"] else ""
        page = client.get(f"/jobs?limit=2{after}").body
        seen += [job["id"] for job in page["jobs"]]
    assert seen == [str(job.pk) for job in visible_jobs(OPERATOR)]
    assert len(seen) == 6
    assert len(client.get("/jobs?site=borealis&kind=restart-site&state=waiting").body["jobs"]) == 1
    assert client.get("/jobs?kind=rm").status == 422


def test_old_jobs_are_deleted(nodes: Fleet) -> None:
    want(nodes)
    Job.objects.filter(node="web1").update(state="ended", ended_at=timezone.now() - timedelta(days=40))
    call_command("multihost_control_prune_events", "--days", 30, verbosity=0)
    assert Job.objects.values_list("node", flat=True).get() == "web2"
    with pytest.raises(ConfigurationError):
        prune_jobs(OPERATOR.narrowed("change", None))


def test_node_takes_the_jobs_of_its_sites_alone(runners: Runners) -> None:
    """Whatever a taken-over web process writes into a row: a node never gets a site that it does not have."""
    want(runners.fleet, site="borealis")
    assert runners.take("web2") is None
    Job.objects.update(node="web2")
    assert runners.take("web2") is None
    Job.objects.update(node=None)
    assert runners.take("web2") is None
    job = runners.take("web1")
    assert job is not None
    assert (job.site, job.kind, job.fence) == ("borealis", "reload-site", 1)
    assert 500 < job.seconds <= 600
    Job.objects.update(state="waiting", site=None, node="web2")
    assert runners.take("web2") is None
    row = Job.objects.get()
    assert (row.state, row.problem) == (
        "failed",
        "site: A job of the kind reload-site is of a site, and this one of none.",
    )


def test_two_runners_race_for_a_job(runners: Runners) -> None:
    """One of them gets it, each time."""
    for number in range(4):
        want(runners.fleet, "create-superuser", email=f"ada{number}@example.org")
        found: list[TakenJob | None] = []
        gate = threading.Barrier(2)

        def take(node: str, gate: threading.Barrier = gate, found: list[TakenJob | None] = found) -> None:
            jobs = runners.jobs(node)
            gate.wait()
            found.append(jobs.take())

        threads = [threading.Thread(target=take, args=(node,)) for node in ("web1", "web2")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(job is not None for job in found) == 1


def test_stale_runner_cannot_report(runners: Runners) -> None:
    """One whose lease has ended loses its job to the next one, and its reports change nothing."""
    want(runners.fleet, "create-superuser", **EMAIL)
    slow, quick = runners.jobs("web1"), runners.jobs("web2")
    first = slow.take()
    assert first is not None
    assert quick.take() is None
    assert slow.go_on(first, progress="half")
    with connection.cursor() as cursor:
        cursor.execute(EXPIRE)
    assert not slow.go_on(first, progress="late")
    second = quick.take()
    assert second is not None
    assert (second.id, second.fence) == (first.id, 2)
    assert not slow.end(first, Ending("It failed."))
    assert not slow.end(second._replace(lease=uuid4()), Ending("It failed."))
    assert quick.end(second, Ending(log="made\0 \x1b[2J it"))
    row = Job.objects.get()
    assert (row.state, row.fence, row.progress, row.log) == ("ended", 2, "half", "made \\x1b[2J it")
    assert not quick.end(second, Ending("Again."))


def test_job_that_loses_its_runners_fails(runners: Runners) -> None:
    want(runners.fleet, site="borealis")
    for fence in range(1, jobs_v1.MOST_TAKINGS + 1):
        job = runners.take("web1")
        assert job is not None
        assert job.fence == fence
        with connection.cursor() as cursor:
            cursor.execute(EXPIRE)
    assert runners.take("web1") is None
    assert Job.objects.get().problem == "Whoever did it fell silent, 3 times."


def test_late_job_ends_although_its_node_is_gone(runners: Runners) -> None:
    want(runners.fleet)
    Job.objects.update(deadline=timezone.now() - timedelta(seconds=1))
    with Roles(runners.logins["web1"].server).connect(OPERATOR_ROLE) as opened:
        assert opened.execute("SELECT operator_v1.end_late_jobs()").fetchone() == (2,)
    assert set(Job.objects.values_list("state", "problem")) == {("failed", "Nobody took it in time.")}
    assert all(job.state == "waiting" for job in want(runners.fleet))


def test_cancelled_job_is_left_by_its_runner(runners: Runners) -> None:
    want(runners.fleet, site="borealis")
    jobs = runners.jobs("web1")
    job = jobs.take()
    assert job is not None
    cancel_job(OPERATOR, Job.objects.get())
    assert not jobs.go_on(job)
    assert Job.objects.get().state == "cancelled"


def test_job_that_is_given_back_is_taken_again(runners: Runners) -> None:
    want(runners.fleet, site="borealis")
    jobs = runners.jobs("web1")
    job = jobs.take()
    assert job is not None
    assert jobs.give_back(job)
    again = jobs.take()
    assert again is not None
    assert (again.id, again.fence) == (job.id, 2)


def test_runner_believes_no_row(runners: Runners) -> None:
    """Whoever can write rows, such as a web process that was taken over, gets a sentence from the runner."""
    for change, problem in (
        ({"kind": "run"}, "There is no kind of job 'run'"),
        ({"parameters": {"command": "id"}}, "The parameter 'command' is not known."),
        ({"kind": "verify-hostname", "parameters": {"hostname": "x.example.org"}}, "is not done by the node"),
        ({"kind": "create-superuser", "parameters": {"email": "--print\n"}}, "is not accepted"),
        ({"kind": "create-superuser", "parameters": [["email"]]}, "It is missing."),
    ):
        want(runners.fleet, site="borealis")
        Job.objects.filter(state="waiting").update(**change)
        assert runners.take("web1") is None
        row = Job.objects.get()
        assert (row.state, problem in row.problem) == ("failed", True), row.problem
        row.delete()


def test_bell_says_nothing_of_the_job(runners: Runners) -> None:
    with runners.logins["web2"].connect() as opened:
        opened.execute(f"LISTEN {jobs_v1.CHANNEL}")
        want(runners.fleet, "create-superuser", site="borealis", **EMAIL)
        (notice,) = opened.notifies(timeout=5, stop_after=1)
    assert (notice.channel, notice.payload) == (jobs_v1.CHANNEL, "")


def test_report_is_bounded(runners: Runners) -> None:
    """A hostile node writes no more than a runner may, into its own job."""
    want(runners.fleet, site="borealis")
    job = runners.take("web1")
    assert job is not None
    values = (job.id, job.lease, "taken", "p" * 10_000, "l\x1b" * 100_000, "q" * 10_000)
    assert runners.run("web1", jobs_v1.report_statement("node_api_v1"), values) == [(True,)]
    row = Job.objects.get()
    assert (len(row.progress), len(row.log), len(row.problem)) == (200, jobs_v1.MOST_LOG_BYTES, 1500)
    assert "\x1b" not in row.log
    for state in ("cancelled", "x"):
        assert runners.run("web1", jobs_v1.report_statement("node_api_v1"), (job.id, job.lease, state, "", "", "")) == [
            (None,)
        ]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        runners.run("web2", "UPDATE public.control_job SET state = 'ended' RETURNING 1", ())


def test_no_regular_expression_is_applied_to_more_than_a_bound(made_roles: None, fleet: Fleet) -> None:
    """Of what a login of no person hands over: it takes many times the memory of its text, in the server."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.oid::regprocedure::text, pg_get_functiondef(p.oid) FROM pg_proc AS p "
            "JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE n.nspname = ANY(%s)",
            [["node_api_v1", "node_join_v1", "operator_v1", "courier_v1"]],
        )
        bodies = dict(cursor.fetchall())
    calls = {name: re.findall(r"regexp_replace\((.{6})", body) for name, body in bodies.items()}
    assert sum(map(len, calls.values())) == 11
    assert {start for found in calls.values() for start in found} == {'"left"'}


def test_check_of_a_job_is_given_to_who_has_taken_it(live_fleet: Fleet, postgres: Postgres) -> None:
    """The challenge of another site's name, or without the job's lease, is not."""
    roles = Roles(postgres)
    roles.make()
    site, other = live_fleet.add("aurora"), live_fleet.add("borealis")
    Verification.objects.create(site=other, name="new.example.org", secret="the-secret-of-another-site")
    (job,) = want_job(OPERATOR, "verify-hostname", site, {"hostname": "new.example.org"}).jobs
    proof = Verification.objects.get(site=site)
    with roles.connect("multihost_courier") as opened:
        taken = opened.execute(jobs_v1.take_statement("courier_v1"), ("one",)).fetchone()
        assert taken is not None
        assert taken[0] == job.pk
        assert opened.execute(jobs_v1.TAKE_CHECK, (job.pk, uuid4(), "one")).fetchall() == []
        ((identifier, _, name, secret),) = opened.execute(jobs_v1.TAKE_CHECK, (job.pk, taken[1], "one")).fetchall()
    assert (identifier, name, secret) == (proof.pk, "new.example.org", proof.secret)
    Verification.objects.filter(pk=proof.pk).update(checked_at=timezone.now())
    Job.objects.update(state="ended")
    with pytest.raises(RefusedJobError, match="less than 10 seconds"):
        want_job(OPERATOR, "verify-hostname", site, {"hostname": "new.example.org"})


def test_parameters_are_kept_as_they_were_read() -> None:
    assert check_job("verify-hostname", {"hostname": "NEW.Example.org"}) == {"hostname": "new.example.org"}
