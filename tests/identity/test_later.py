"""Which of two states of an identity says more: a fixture never brings the one back that says less."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.management import call_command
from django.utils import timezone

from tests.identity.conftest import Become
from wagtail_multihost.exceptions import IdentityError
from wagtail_multihost.identity.claim import is_later_identity
from wagtail_multihost.models import Identity

THEN = "2026-01-01T00:00:00Z"


def state(revision: int, retired_at: str | None = None) -> SimpleNamespace:
    return SimpleNamespace(revision=revision, retired_at=retired_at)


@pytest.mark.parametrize(
    ("found", "given", "expected"),
    [
        (None, state(1), False),
        (state(1), state(1), False),
        (state(2), state(1), True),
        (state(1), state(2), False),
        (state(1, THEN), state(1), True),
        (state(1, THEN), state(2), True),
        (state(1, THEN), state(1, THEN), False),
        (state(1), state(1, THEN), False),
        (state(2), state(1, THEN), True),
        (state(2, THEN), state(1, THEN), True),
    ],
)
def test_later_state_has_a_higher_revision_or_is_retired(found: object, given: object, expected: bool) -> None:
    """A retirement is later than none, at any revision; the same state is not later than itself."""
    assert is_later_identity(found, given) is expected


@pytest.mark.django_db
@pytest.mark.parametrize(("retired", "is_refused"), [(None, True), (THEN, False)])
def test_fixture_does_not_take_a_retirement_back(
    become: Become, tmp_path: Path, retired: str | None, is_refused: bool
) -> None:
    """A backup from before the move, of a higher revision even, leaves the database retired."""
    identity = become()
    Identity.objects.create(**identity.columns(), retired_at=timezone.now())
    fields = {**identity.columns(), "uid": str(identity.uid), "revision": identity.columns()["revision"] + 1}
    fields |= {"claimed_at": THEN, "retired_at": retired}
    fixture = tmp_path / "fixture.json"
    fixture.write_text(json.dumps([{"model": "wagtail_multihost.identity", "pk": 1, "fields": fields}]))
    if is_refused:
        with pytest.raises(IdentityError, match="earlier"):
            call_command("loaddata", str(fixture), verbosity=0)
    else:
        call_command("loaddata", str(fixture), verbosity=0)
    assert Identity.objects.get().retired_at is not None
