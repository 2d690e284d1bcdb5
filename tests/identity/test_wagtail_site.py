"""What becomes of Wagtail's Site rows."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from wagtail.models import Site

from tests.identity.conftest import Become
from wagtail_multihost.identity import claim, wagtail_site
from wagtail_multihost.identity.wagtail_site import (
    SiteRow,
    canonical_address,
    forget_root_paths,
    is_untouched,
    plan_for,
)
from wagtail_multihost.models import Identity
from wagtail_multihost.spec import TlsSpec

WANTED = ("aurora.example.org", 443)
DEFAULT = SiteRow(1, "old.example.org", 80, True)
NAMED = SiteRow(2, *WANTED, False)
OTHER = SiteRow(3, "shop.example.org", 443, False)
TLS = TlsSpec(certificate="/c.pem", key="/k.pem")


@pytest.mark.parametrize(
    ("origin", "tls", "address"),
    [
        ("https://{hostname}", None, ("aurora.example.org", 443)),
        ("http://{hostname}", None, ("aurora.example.org", 80)),
        ("http://{hostname}:8000", None, ("aurora.example.org", 8000)),
        ("https://{hostname}:8443", None, ("aurora.example.org", 8443)),
        ("http://{hostname}", TLS, ("aurora.example.org", 443)),
    ],
)
def test_address_is_the_canonical_origins(become: Become, origin: str, tls: Any, address: tuple[str, int]) -> None:
    """The port is the origin's own, or that of its scheme."""
    assert canonical_address(become({"tls": tls}, origin=origin)) == address


@pytest.mark.parametrize(
    ("rows", "changes", "kept"),
    [
        ([DEFAULT], {1: {"hostname": WANTED[0], "port": WANTED[1]}}, []),
        ([DEFAULT, OTHER], {1: {"hostname": WANTED[0], "port": WANTED[1]}}, [OTHER]),
        ([DEFAULT, NAMED, OTHER], {1: {"is_default_site": False}, 2: {"is_default_site": True}}, [OTHER]),
        ([NAMED, OTHER], {2: {"is_default_site": True}}, [OTHER]),
        ([SiteRow(1, *WANTED, True), OTHER], {}, [OTHER]),
        ([SiteRow(1, "AURORA.example.org", 443, True)], {1: {"hostname": WANTED[0], "port": WANTED[1]}}, []),
        ([SiteRow(1, WANTED[0], 80, True)], {1: {"hostname": WANTED[0], "port": WANTED[1]}}, []),
    ],
)
def test_plan_changes_the_default_row_alone(
    rows: list[SiteRow], changes: dict[int, dict[str, object]], kept: list[SiteRow]
) -> None:
    """The default row gets the address, or the row that has it becomes the default one; no other row changes."""
    plan = plan_for(WANTED, rows)
    assert {step.pk: step.values for step in plan.steps} == changes
    assert list(plan.kept) == kept
    assert plan.problem == ""


@pytest.mark.parametrize(
    "rows", [[], [OTHER], [DEFAULT, DEFAULT._replace(pk=9)], [DEFAULT, NAMED._replace(is_default=True)]]
)
def test_plan_that_would_be_a_guess_is_a_problem(rows: list[SiteRow]) -> None:
    """Without exactly one default row nothing is changed."""
    plan = plan_for(WANTED, rows)
    assert plan.problem
    assert plan.steps == ()


@pytest.mark.parametrize(
    ("row", "untouched"),
    [
        (SiteRow(1, "localhost", 80, True), True),
        (SiteRow(1, "localhost", 8000, True), False),
        (SiteRow(1, "localhost", 80, False), False),
        (SiteRow(1, "example.org", 80, True), False),
    ],
)
def test_only_wagtails_own_row_is_untouched(row: SiteRow, untouched: bool) -> None:
    """A row that somebody has edited, or a second one, is an editor's."""
    assert is_untouched([row]) is untouched
    assert is_untouched([row, OTHER]) is False


@pytest.mark.django_db
def test_migrate_claims_and_names_the_first_site_row(
    become: Become, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first migrate makes the identity's row and gives Wagtail's row the hostname; the next changes nothing."""
    monkeypatch.delattr("django.core.mail.outbox")
    identity = become(origin="https://{hostname}")
    claim.after_migrate("default", 1)
    row = Identity.objects.get()
    assert (row.uid, row.environment, row.revision, row.digest) == (identity.uid, "development", 10, identity.digest)
    assert list(Site.objects.values_list("hostname", "port")) == [WANTED]
    assert len(capsys.readouterr().out.splitlines()) == 2
    become({"hostnames": ("new.example.org",)}, revision=12)
    claim.after_migrate("default", 1)
    later = Identity.objects.get()
    assert (later.revision, later.claimed_at) == (12, row.claimed_at)
    assert list(Site.objects.values_list("hostname", "port")) == [WANTED]
    assert capsys.readouterr().out == ""


FIRST = (
    ([("www.aurora.example.org", 80)], [WANTED], "Site row www.aurora.example.org:80 becomes aurora.example.org:443."),
    ([("localhost", 8000)], [WANTED], "Site row localhost:8000 becomes aurora.example.org:443."),
    ([WANTED], [WANTED], ""),
    ([WANTED, ("shop.example.org", 443)], [WANTED, ("shop.example.org", 443)], ""),
    ([("borealis.example.org", 443)], None, "left as they are. The Site row has the hostname 'borealis.example.org'"),
    ([("aurora.example.org", 80), ("shop.example.org", 443)], None, "left as they are. There are 2 Site rows"),
    ([], None, "left as they are. No Site row is marked as the default"),
)


@pytest.mark.django_db
@pytest.mark.parametrize(("rows", "after", "said"), FIRST, ids=range(len(FIRST)))
def test_first_claim_names_the_only_row_or_says_why_not(
    become: Become,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    rows: list[tuple[str, int]],
    after: list[tuple[str, int]] | None,
    said: str,
) -> None:
    """The row of a site that was live gets the site's address; several, another site's and none are told of, once."""
    monkeypatch.delattr("django.core.mail.outbox")
    become(origin="https://{hostname}")
    root = Site.objects.get().root_page
    Site.objects.all().delete()
    for number, (hostname, port) in enumerate(rows):
        Site.objects.create(hostname=hostname, port=port, root_page=root, is_default_site=number == 0)
    claim.after_migrate("default", 1)
    assert list(Site.objects.order_by("pk").values_list("hostname", "port")) == (rows if after is None else after)
    claimed, *more = capsys.readouterr().out.splitlines()
    assert claimed == "The database now belongs to the site aurora."
    assert [said in line for line in more] == ([True] if said else [])
    claim.after_migrate("default", 1)
    assert capsys.readouterr().out == ""


@pytest.mark.django_db
def test_migrate_keeps_rows_that_editors_made(become: Become, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where somebody has given the Site row a name that is not the site's, migrate leaves it."""
    monkeypatch.delattr("django.core.mail.outbox")
    become()
    Site.objects.update(hostname="own.example.org")
    claim.after_migrate("default", 0)
    assert Site.objects.get().hostname == "own.example.org"
    assert Identity.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("using", ["default", "other"])
def test_test_runner_and_other_aliases_claim_nothing(become: Become, using: str) -> None:
    """The database of a test run (Django has made mail.outbox) stays nobody's."""
    become()
    claim.after_migrate(using, 0)
    assert Identity.objects.count() == 0


@pytest.mark.django_db
def test_migrate_without_the_tables_goes_on(become: Become, monkeypatch: pytest.MonkeyPatch) -> None:
    """When other apps are migrated first, or this one is taken back, there is nothing to claim."""
    monkeypatch.delattr("django.core.mail.outbox")
    become()
    monkeypatch.setattr(connection.introspection, "table_names", lambda cursor=None: [])
    claim.after_migrate("default", 0)
    assert Identity.objects.count() == 0


def test_cache_of_root_paths_is_emptied() -> None:
    """Wagtail asks the rows again."""
    cache.set("wagtail_site_root_paths", ["old"], version=2)
    assert forget_root_paths() is True
    assert cache.get("wagtail_site_root_paths", version=2) is None


def test_cache_that_is_down_is_reported(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A cache that cannot be reached is a warning: the rows are right, and the old addresses expire."""
    monkeypatch.setattr(Site, "clear_site_root_paths_cache", lambda: 1 / 0)
    assert forget_root_paths() is False
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_constants_are_wagtails() -> None:
    """The columns that are read are those of Wagtail's model."""
    assert {field.name for field in Site._meta.get_fields()} >= set(wagtail_site.FIELDS) - {"pk"}
