"""To take over a database with another identity, with Wagtail's rows, in one transaction."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from wagtail.models import Site

from tests.identity.conftest import OTHER_UID, Become
from wagtail_multihost.exceptions import IdentityError
from wagtail_multihost.identity.adoption import carry_out_adoption, describe_adoption, prepare_adoption
from wagtail_multihost.identity.own import OwnIdentity
from wagtail_multihost.models import Identity

pytestmark = pytest.mark.django_db


def claimed(own: OwnIdentity, **columns: Any) -> Identity:
    return Identity.objects.create(**{**own.columns(), **columns})


@pytest.fixture
def _clone(become: Become) -> OwnIdentity:
    """The database of another site, with a Site row of its own beside the default one."""
    own = become()
    claimed(own, uid=OTHER_UID, platform="other", revision=99, digest="elsewhere", retired_at=timezone.now())
    Site.objects.update(hostname="other.example.org")
    Site.objects.create(hostname="shop.example.org", port=443, root_page=Site.objects.get().root_page)
    return own


def test_adoption_makes_the_database_the_sites_own(_clone: OwnIdentity) -> None:
    """Every column becomes the process's own, the default Site row canonical; other rows stay."""
    Identity.objects.update(claimed_at=timezone.now() - timedelta(days=1))
    before = Identity.objects.get().claimed_at
    carry_out_adoption(prepare_adoption(_clone, retires=False))
    row = Identity.objects.get()
    assert {name: getattr(row, name) for name in _clone.columns()} == _clone.columns()
    assert row.retired_at is None
    assert row.claimed_at > before
    rows = set(Site.objects.values_list("hostname", "port", "is_default_site"))
    assert rows == {("aurora.example.org", 443, True), ("shop.example.org", 443, False)}
    assert not prepare_adoption(_clone, retires=False).is_needed


def test_adoption_says_what_it_will_do(_clone: OwnIdentity) -> None:
    """The lines have the database, both identities, the Site row that changes and those that stay, and what remains."""
    text = "\n".join(describe_adoption(prepare_adoption(_clone, retires=False)))
    for words in (
        str(connection.settings_dict["NAME"]),
        str(OTHER_UID),
        str(_clone.uid),
        "other.example.org:80 becomes aurora.example.org:443",
        "shop.example.org:443",
        "sessions",
        "API tokens",
    ):
        assert words in text


def test_unclaimed_database_is_claimed(become: Become) -> None:
    """Adopting a database without a row claims it and names the Site row."""
    own = become()
    adoption = prepare_adoption(own, retires=False)
    assert adoption.found is None
    assert adoption.is_needed
    carry_out_adoption(adoption)
    assert Identity.objects.get().uid == own.uid
    assert Site.objects.get().hostname == "aurora.example.org"


def test_site_rows_that_leave_no_choice_do_not_stop_an_adoption(become: Become) -> None:
    """Without a default row the identity is taken over and the rows stay, which is said."""
    own = become()
    Site.objects.update(is_default_site=False)
    adoption = prepare_adoption(own, retires=False)
    assert adoption.plan.problem in "\n".join(describe_adoption(adoption))
    carry_out_adoption(adoption)
    assert Identity.objects.get().uid == own.uid
    assert Site.objects.get().hostname == "localhost"


def test_change_after_the_question_is_noticed(_clone: OwnIdentity) -> None:
    """What was confirmed is done, or nothing: a row that has changed meanwhile stops it."""
    adoption = prepare_adoption(_clone, retires=False)
    Identity.objects.update(platform="third")
    with pytest.raises(IdentityError):
        carry_out_adoption(adoption)
    assert Identity.objects.get().uid == OTHER_UID
    assert Site.objects.filter(hostname="aurora.example.org").count() == 0


def test_failure_writes_nothing(_clone: OwnIdentity, monkeypatch: pytest.MonkeyPatch) -> None:
    """Identity and Site rows change together or not at all."""
    adoption = prepare_adoption(_clone, retires=False)
    monkeypatch.setattr("wagtail_multihost.identity.wagtail_site.take_steps", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        carry_out_adoption(adoption)
    assert Identity.objects.get().uid == OTHER_UID


@pytest.mark.parametrize("is_claimed", [True, False])
def test_retirement_is_of_the_sites_own_database(become: Become, is_claimed: bool) -> None:
    """A site retires its database, claimed or not; Wagtail's rows stay as they are."""
    own = become()
    if is_claimed:
        claimed(own, revision=7)
    carry_out_adoption(prepare_adoption(own, retires=True))
    row = Identity.objects.get()
    assert (row.uid, row.retired_at is None) == (own.uid, False)
    assert row.revision == (7 if is_claimed else own.revision)
    assert Site.objects.get().hostname == "localhost"
    assert not prepare_adoption(own, retires=True).is_needed
    assert prepare_adoption(own, retires=False).is_needed


@pytest.mark.parametrize("columns", [{"uid": OTHER_UID}, {"environment": "staging"}])
def test_retirement_of_anothers_database_is_refused(become: Become, columns: dict[str, object]) -> None:
    """A wrong address does not retire a neighbour."""
    own = become()
    claimed(own, **columns)
    with pytest.raises(IdentityError):
        prepare_adoption(own, retires=True)
    assert Identity.objects.get().retired_at is None


def test_database_without_a_table_is_an_error(become: Become, monkeypatch: pytest.MonkeyPatch) -> None:
    """Migrations come first, and the error has the command."""
    own = become()
    monkeypatch.setattr(connection.introspection, "table_names", lambda cursor=None: [])
    with pytest.raises(IdentityError, match="multihost_as aurora migrate"):
        prepare_adoption(own, retires=False)


def test_project_without_wagtails_tables_is_adopted(become: Become, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are no Site rows the identity is taken over, and that is said."""
    own = become()
    claimed(own, uid=OTHER_UID)
    monkeypatch.setattr("wagtail_multihost.identity.wagtail_site.apps.is_installed", lambda name: False)
    adoption = prepare_adoption(own, retires=False)
    carry_out_adoption(adoption)
    assert Identity.objects.get().uid == own.uid
    assert adoption.plan.problem
