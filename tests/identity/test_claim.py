"""What migrate says and writes of a database's identity, and what a fixture may not."""

from __future__ import annotations

import io
import re
from types import SimpleNamespace
from typing import Any

import pytest
from django.core import mail
from django.db import connection, transaction
from wagtail.models import Site

from tests.identity.conftest import OTHER_UID, Become, Database
from wagtail_multihost import running
from wagtail_multihost.exceptions import IdentityError
from wagtail_multihost.identity import adoption, claim, own, wagtail_site
from wagtail_multihost.identity.adoption import describe_adoption, prepare_adoption
from wagtail_multihost.identity.wagtail_site import SiteRow, SiteRowPlan, SiteRowStep
from wagtail_multihost.models import Identity
from wagtail_multihost.running import Running

LINES = ["The database now belongs to the site aurora.", "Site row localhost:80 becomes aurora.example.org:443."]


@pytest.fixture(name="migrates")
def _migrates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what shows that tests run."""
    monkeypatch.delattr(mail, "outbox")


@pytest.mark.django_db
@pytest.mark.parametrize(("verbosity", "lines"), [(0, []), (1, LINES), (2, LINES)])
def test_migrate_says_what_it_has_done(
    become: Become, migrates: None, capsys: pytest.CaptureFixture[str], verbosity: int, lines: list[str]
) -> None:
    """Each line by itself, on the stream that the command has or the process's, and nothing where it is to be quiet."""
    become()
    stream = io.StringIO()
    claim.after_migrate("default", verbosity, stdout=stream)
    assert stream.getvalue().splitlines() == lines
    assert capsys.readouterr().out == ""
    Identity.objects.all().delete()
    claim.after_migrate("default", verbosity)
    assert capsys.readouterr().out.splitlines() == lines[:1]


@pytest.mark.django_db
def test_migrate_speaks_where_nobody_says_how_much(
    become: Become, migrates: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """A caller of the signal without a verbosity is told."""
    become()
    claim.after_migrate("default")
    assert capsys.readouterr().out.splitlines() == LINES


@pytest.mark.django_db
@pytest.mark.parametrize("reason", ["no site", "another alias", "a test run"])
def test_nothing_is_claimed_without_a_reason(become: Become, monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    """One of the three is enough."""
    become()
    if reason != "a test run":
        monkeypatch.delattr(mail, "outbox")
    if reason == "no site":
        monkeypatch.setattr(running, "_current", None)
    claim.after_migrate("other" if reason == "another alias" else "default", 1)
    assert Identity.objects.count() == 0


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("columns", "is_noted"),
    [
        ({"revision": 9}, True),
        ({"revision": 10}, False),
        ({"revision": 11}, False),
        ({"revision": 9, "uid": OTHER_UID}, False),
        ({"revision": 9, "retired_at": "2026-01-01T00:00:00Z"}, False),
    ],
)
def test_migrate_notes_a_later_revision_of_the_sites_own(
    become: Become, columns: dict[str, Any], is_noted: bool
) -> None:
    """An earlier state, another site's and a retired one stay as they are."""
    identity = become()
    Identity.objects.create(**{**identity.columns(), "digest": "before", **columns})
    assert list(claim.claim(identity, "default")) == []
    row = Identity.objects.get()
    assert (row.revision, row.digest) == ((10, identity.digest) if is_noted else (columns["revision"], "before"))


@pytest.mark.django_db
@pytest.mark.parametrize("is_view", [True, False])
def test_claim_is_of_a_table_alone(become: Become, monkeypatch: pytest.MonkeyPatch, is_view: bool) -> None:
    """What stands in the table's place is looked at first; no table yet is nothing to do."""
    asked: list[tuple[object, ...]] = []

    def require(*arguments: object) -> None:
        asked.append(arguments)
        if is_view:
            raise IdentityError("It is no table.")

    identity = become()
    monkeypatch.setattr(claim, "require_table", require)
    monkeypatch.setattr(claim, "has_table", lambda table, using: False)
    if is_view:
        with pytest.raises(IdentityError):
            list(claim.claim(identity, "default"))
    else:
        assert list(claim.claim(identity, "default")) == []
    assert asked == [(connection, "wagtail_multihost_identity", "aurora")]


@pytest.mark.django_db
def test_tables_are_found_by_their_names() -> None:
    """A table is there or not."""
    assert claim.has_table("wagtail_multihost_identity", "default") is True
    assert claim.has_table("nonesuch", "default") is False


@pytest.mark.parametrize(
    ("autocommit", "in_atomic_block", "commits"), [(True, False, 0), (False, False, 1), (False, True, 0)]
)
def test_block_is_committed_where_nobody_else_does(
    monkeypatch: pytest.MonkeyPatch, autocommit: bool, in_atomic_block: bool, commits: int
) -> None:
    """Without autocommit a transaction stays open behind Django's own, unless the project has one around it."""
    done: list[object] = []
    fake = SimpleNamespace(autocommit=autocommit, in_atomic_block=in_atomic_block, commit=lambda: done.append("commit"))

    class Atomic:
        def __init__(self, using: str) -> None:
            done.append(using)

        def __enter__(self) -> None:
            pass

        def __exit__(self, *exception: object) -> None:
            done.append("end")

    monkeypatch.setattr(claim, "connections", {"one": fake})
    monkeypatch.setattr(transaction, "atomic", Atomic)
    with claim.commit_at_end("one"):
        done.append("work")
    assert done == ["one", "work", "end", *["commit"] * commits]


def test_failure_is_not_committed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a block wrote before its error is taken back."""
    opened = database.connect(AUTOCOMMIT=False)
    monkeypatch.setattr(claim, "connections", {"default": opened})
    monkeypatch.setattr(transaction, "get_connection", lambda using=None: opened)
    opened.connection.execute("CREATE TABLE t (a)")
    opened.connection.commit()
    with pytest.raises(ZeroDivisionError), claim.commit_at_end("default"):
        opened.connection.execute("INSERT INTO t VALUES (1)")
        raise ZeroDivisionError
    with claim.commit_at_end("default"):
        opened.connection.execute("INSERT INTO t VALUES (2)")
    assert database.connect().cursor().execute("SELECT a FROM t").fetchall() == [(2,)]


# Fixtures


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("raw", "columns", "said"),
    [
        (True, {}, None),
        (True, {"revision": 9}, "earlier identity of aurora"),
        (True, {"uid": OTHER_UID}, "identity of another site"),
        (True, {"environment": "staging"}, "identity of another site"),
        (False, {"uid": OTHER_UID, "revision": 1}, None),
    ],
)
def test_fixture_is_the_sites_own_and_no_earlier_one(
    become: Become, monkeypatch: pytest.MonkeyPatch, raw: bool, columns: dict[str, Any], said: str | None
) -> None:
    """Only what a fixture brings is looked at, and only in a process of a site."""
    identity = become()
    Identity.objects.create(pk=1, **identity.columns())
    given = Identity(pk=1, **{**identity.columns(), **columns})
    if said:
        with pytest.raises(IdentityError, match=said):
            claim.refuse_foreign_fixture(given, raw)
    else:
        claim.refuse_foreign_fixture(given, raw, "default")
    monkeypatch.setattr(running, "_current", None)
    claim.refuse_foreign_fixture(given, raw)


# Adoption


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("found", "plan", "retires", "is_needed"),
    [
        (None, SiteRowPlan(), False, True),
        ({}, SiteRowPlan(), False, False),
        ({"uid": OTHER_UID}, SiteRowPlan(), False, True),
        ({"retired_at": "then"}, SiteRowPlan(), False, True),
        ({}, SiteRowPlan((SiteRowStep(1, {}, "line"),)), False, True),
        ({}, SiteRowPlan(problem="no choice"), False, False),
        (None, SiteRowPlan(), True, True),
        ({}, SiteRowPlan(), True, True),
        ({"retired_at": "then"}, SiteRowPlan(), True, False),
    ],
)
def test_adoption_is_needed_where_something_would_change(
    become: Become, found: dict[str, Any] | None, plan: SiteRowPlan, retires: bool, is_needed: bool
) -> None:
    """An identity, a Site row or a retirement that is not there yet."""
    identity = become()
    known = None if found is None else adoption.FoundIdentity(**{**identity.columns(), "retired_at": None, **found})
    assert adoption.Adoption(identity, known, plan, retires).is_needed is is_needed


@pytest.mark.django_db
def test_lines_say_what_is_found_and_what_becomes_of_it(become: Become) -> None:
    """Each fact has a line of its own, and a retirement says no more than it does."""
    identity = become()
    name = adoption.database_name(connection)
    unclaimed = [f"Database:       {name}", "Identity found: none: no site has claimed it"]
    assert describe_adoption(prepare_adoption(identity, retires=True)) == [
        *unclaimed,
        "It will be retired: no process of aurora will connect to it any more.",
    ]
    new = [f"New identity:   {identity}"]
    row = ["Wagtail:        Site row localhost:80 becomes aurora.example.org:443."]
    assert describe_adoption(prepare_adoption(identity, retires=False)) == [
        *unclaimed,
        *new,
        *row,
        adoption.NOT_CHANGED,
    ]
    Site.objects.update(hostname="aurora.example.org", port=443)
    Site.objects.create(hostname="shop.example.org", port=443, root_page=Site.objects.get().root_page)
    Site.objects.create(hostname="blog.example.org", port=80, root_page=Site.objects.first().root_page)
    Identity.objects.create(**identity.columns())
    right = ["Wagtail:        the default Site row is correct."]
    kept = ["Site rows kept: shop.example.org:443, blog.example.org:80"]
    lines = describe_adoption(prepare_adoption(identity, retires=False))
    assert lines == [unclaimed[0], f"Identity found: {identity}", *new, *right, *kept, adoption.NOT_CHANGED]


# Site rows and the process's own identity


@pytest.mark.parametrize(
    ("rows", "lines"),
    [
        ([SiteRow(1, "old", 80, True)], ["Site row old:80 becomes new:443."]),
        (
            [SiteRow(1, "old", 80, True), SiteRow(2, "new", 443, False)],
            ["Site row old:80 is no longer the default.", "Site row new:443 becomes the default."],
        ),
        ([SiteRow(2, "new", 443, True)], []),
    ],
)
def test_plan_says_each_step(rows: list[SiteRow], lines: list[str]) -> None:
    """The row that gives way is told before the one that takes its place."""
    assert list(wagtail_site.plan_for(("new", 443), rows).lines) == lines


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (None, "no table of Site rows"),
        (
            [SiteRow(1, "a", 1, True), SiteRow(2, "b", 1, True), SiteRow(3, "c", 1, True)],
            "^3 Site rows are marked as the default",
        ),
        ([SiteRow(1, "a", 1, True), SiteRow(2, "new", 443, True)], "^2 Site rows are marked as the default"),
        ([SiteRow(1, "a", 1, False)], "^No Site row is marked as the default"),
    ],
)
def test_plan_without_a_choice_says_why(rows: list[SiteRow] | None, problem: str) -> None:
    """Nothing is changed or kept, and the reason is told."""
    plan = wagtail_site.plan_for(("new", 443), rows)
    assert (plan.steps, plan.kept) == ((), ())
    assert re.search(problem, plan.problem)


@pytest.mark.django_db
def test_site_rows_are_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them, by their numbers; none where Wagtail is not installed or its table is not made."""
    first = Site.objects.get()
    second = Site.objects.create(hostname="a.example.org", port=8000, root_page=first.root_page)
    assert wagtail_site.site_rows("default") == (
        SiteRow(first.pk, "localhost", 80, True),
        SiteRow(second.pk, "a.example.org", 8000, False),
    )
    with monkeypatch.context() as patch:
        patch.setattr(connection.introspection, "table_names", lambda cursor=None: ["other"])
        assert wagtail_site.site_rows("default") is None
    monkeypatch.setattr(wagtail_site.apps, "is_installed", lambda name: name != "wagtail")
    assert wagtail_site.site_rows("default") is None


@pytest.mark.parametrize("missing", [None, "platform", "site", "ephemeral"])
def test_identity_is_a_whole_sites(monkeypatch: pytest.MonkeyPatch, missing: str | None, become: Become) -> None:
    """A process without platform or site, or of a test run, has none."""
    identity = become()
    parts: dict[str, Any] = {"platform": identity.platform, "site": identity.site, "ephemeral": False}
    if missing:
        parts[missing] = True if missing == "ephemeral" else None
    monkeypatch.setattr(running, "_current", Running(**parts))
    assert own.own_identity() == (None if missing else identity)
