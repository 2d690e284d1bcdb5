"""The table of identities: one row, which no fixture carries from one site to another."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction

from tests.identity.conftest import OTHER_UID, Become
from wagtail_multihost.exceptions import IdentityError
from wagtail_multihost.models import Identity


@pytest.mark.django_db
def test_migrations_are_complete() -> None:
    """No change of the model lacks a migration."""
    call_command("makemigrations", "wagtail_multihost", check=True, dry_run=True, verbosity=0)
    assert not Identity._meta.default_permissions


@pytest.mark.django_db
def test_there_is_one_row(become: Become) -> None:
    """The database refuses a second identity, under the same key and under another."""
    Identity.objects.create(**become().columns())
    for key in (1, 2):
        with pytest.raises(IntegrityError), transaction.atomic():
            Identity.objects.create(id=key, **become().columns())


@pytest.mark.django_db
def test_fixtures_leave_the_identity_out(become: Become) -> None:
    """dumpdata, by which content is copied to other sites, does not see the row."""
    Identity.objects.create(**become().columns())
    out = io.StringIO()
    call_command("dumpdata", "wagtail_multihost", stdout=out)
    assert json.loads(out.getvalue()) == []
    assert Identity.objects.get().uid == become().uid


@pytest.mark.django_db
def test_fixture_with_an_earlier_state_is_refused(become: Become, tmp_path: Path) -> None:
    """An old backup of the row lets no stale machine in."""
    identity = become()
    Identity.objects.create(**identity.columns())
    fields = {**identity.columns(), "uid": str(identity.uid), "revision": 1, "claimed_at": "2026-01-01T00:00:00Z"}
    fixture = tmp_path / "fixture.json"
    fixture.write_text(json.dumps([{"model": "wagtail_multihost.identity", "pk": 1, "fields": fields}]))
    with pytest.raises(IdentityError, match="earlier"):
        call_command("loaddata", str(fixture), verbosity=0)
    assert Identity.objects.get().revision == identity.revision


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("uid", "environment", "is_refused"),
    [(OTHER_UID, "development", True), (None, "staging", True), (None, "development", False)],
)
def test_fixture_with_another_identity_is_refused(
    become: Become, tmp_path: Path, uid: object, environment: str, is_refused: bool
) -> None:
    """A fixture made with --all cannot lock a site out of its database; the site's own backup loads."""
    identity = become()
    fields = {**identity.columns(), "uid": str(uid or identity.uid), "environment": environment}
    fixture = tmp_path / "fixture.json"
    fields["claimed_at"] = "2026-01-01T00:00:00Z"
    fixture.write_text(json.dumps([{"model": "wagtail_multihost.identity", "pk": 1, "fields": fields}]))
    if is_refused:
        with pytest.raises(IdentityError):
            call_command("loaddata", str(fixture), verbosity=0)
    else:
        call_command("loaddata", str(fixture), verbosity=0)
    assert Identity.objects.count() == (0 if is_refused else 1)
