"""The tab Domains."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.control.dashboard.pages import Pages, words
from tests.control.fleet import Fleet
from wagtail_multihost.control.dashboard.tabs import DOMAINS
from wagtail_multihost.control.models import ManagedSite, Verification
from wagtail_multihost.control.ownership import PATIENCE
from wagtail_multihost.control.proofs import MOST_OPEN, PAUSE


def hosts(fleet: Fleet, site: str = "aurora") -> tuple[Any, Any]:
    record = fleet.site(site).record
    return record["hostnames"], record.get("aliases")


def prove(proof: Verification) -> None:
    """Do what the courier does."""
    now = timezone.now()
    Verification.objects.filter(pk=proof.pk).update(proven_at=now, checked_at=now, wanted_at=None, method="dns")


def test_operator_adds_moves_and_removes_names(fleet: Fleet) -> None:
    site = fleet.add("aurora", "a.org")
    pages = Pages(fleet.user("root", operator=True))
    pages.post(site, DOMAINS, action="add", name=" B.org ", role="hostname")
    pages.post(site, DOMAINS, action="add", name="c.org", role="alias")
    assert hosts(fleet) == (["a.org", "b.org"], ["c.org"])
    text = words(pages.get(site, DOMAINS))
    assert "a.org The canonical hostname" in text
    assert "c.org An alias" in text
    pages.post(site, DOMAINS, action="canonical", name="c.org")
    assert hosts(fleet) == (["c.org", "a.org", "b.org"], [])
    pages.post(site, DOMAINS, action="role", name="b.org", role="alias")
    pages.post(site, DOMAINS, action="remove", name="a.org")
    assert hosts(fleet) == (["c.org"], ["b.org"])
    assert "needs at least one hostname" in words(pages.post(site, DOMAINS, action="remove", name="c.org"))
    assert "no host" in words(pages.post(site, DOMAINS, action="add", name="no host"))


def test_people_of_a_site_prove_a_name_and_use_it(fleet: Fleet) -> None:
    site = fleet.add("aurora", "a.org")
    pages = Pages(fleet.user("ada", aurora="change"))
    assert "not proven" in words(pages.post(site, DOMAINS, action="add", name="b.org"))
    pages.post(site, DOMAINS, action="prove", name="B.org")
    proof = Verification.objects.get()
    page = pages.get(site, DOMAINS)
    assert f"named _multihost-challenge.b.org with the text {proof.secret}" in words(page)
    assert f"http://b.org/.well-known/multihost-challenge/{proof.pk}" in words(page)
    assert "data-w-session-interval-value" not in page.text
    assert "not proven" in words(pages.post(site, DOMAINS, action="use", proof=proof.pk))
    pages.post(site, DOMAINS, action="check", proof=proof.pk)
    wanted = Verification.objects.get().wanted_at
    assert wanted is not None
    pages.post(site, DOMAINS, action="check", proof=proof.pk)
    assert Verification.objects.get().wanted_at == wanted
    assert "data-w-session-interval-value" in pages.get(site, DOMAINS).text
    result = f"{proof.pk}/"
    assert "It is being checked." in words(pages.get(site, DOMAINS, result))
    Verification.objects.update(wanted_at=wanted - timedelta(minutes=3))
    assert "It takes longer than it should" in words(pages.get(site, DOMAINS, result))
    prove(proof)
    page = pages.get(site, DOMAINS, result)
    assert "It is proven, by the TXT record." in words(page)
    assert "multihost:settled" in page.text
    pages.post(site, DOMAINS, action="use", proof=proof.pk, role="alias")
    assert hosts(fleet) == (["a.org"], ["b.org"])
    assert "Proven on" in words(pages.get(site, DOMAINS))


def test_courier_is_not_asked_all_the_time(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    pages = Pages(fleet.user("ada", aurora="change"))
    pages.post(site, DOMAINS, action="prove", name="b.org")
    proof = Verification.objects.get()
    Verification.objects.update(checked_at=timezone.now(), problem="There is no such record.")
    assert "Wait a little." in words(pages.post(site, DOMAINS, action="check", proof=proof.pk))
    assert Verification.objects.get().wanted_at is None
    assert "Not proven yet. There is no such record." in words(pages.get(site, DOMAINS))


def test_old_proof_is_asked_for_again(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    pages = Pages(fleet.user("ada", aurora="change"))
    pages.post(site, DOMAINS, action="prove", name="b.org")
    Verification.objects.update(proven_at=timezone.now() - timedelta(days=8))
    assert "is too old" in words(pages.get(site, DOMAINS))
    use = pages.post(site, DOMAINS, action="use", proof=Verification.objects.get().pk)
    assert "not proven" in words(use)


def test_names_that_wait_are_few(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    pages = Pages(fleet.user("ada", aurora="change"))
    for number in range(MOST_OPEN + 1):
        page = pages.post(site, DOMAINS, action="prove", name=f"b{number}.org")
    assert "which is the most" in words(page)
    assert Verification.objects.count() == MOST_OPEN
    assert pages.post(site, DOMAINS, action="prove", name="b0.org").status_code == 302
    pages.post(site, DOMAINS, action="cancel", proof=Verification.objects.get(name="b0.org").pk)
    assert pages.post(site, DOMAINS, action="prove", name="b20.org").status_code == 302


def test_name_that_is_given_up_is_not_checked_again_at_once(fleet: Fleet) -> None:
    """With a new challenge each time, somebody could send the courier to a stranger's servers without a pause."""
    site = fleet.add("aurora")
    pages = Pages(fleet.user("ada", aurora="change"))
    pages.post(site, DOMAINS, action="prove", name="b.org")
    proof = Verification.objects.get()
    pages.post(site, DOMAINS, action="check", proof=proof.pk)
    assert "Wait a little." in words(pages.post(site, DOMAINS, action="cancel", proof=proof.pk))
    Verification.objects.update(wanted_at=None, checked_at=timezone.now())
    assert "Wait a little." in words(pages.post(site, DOMAINS, action="cancel", proof=proof.pk))
    Verification.objects.update(checked_at=timezone.now() - PAUSE)
    assert pages.post(site, DOMAINS, action="cancel", proof=proof.pk).status_code == 302
    assert not Verification.objects.exists()


def test_name_that_no_courier_checks_is_given_up(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    pages = Pages(fleet.user("ada", aurora="change"))
    pages.post(site, DOMAINS, action="prove", name="b.org")
    Verification.objects.update(wanted_at=timezone.now() - PATIENCE)
    pages.post(site, DOMAINS, action="cancel", proof=Verification.objects.get().pk)
    assert not Verification.objects.exists()


@pytest.mark.parametrize(("name", "sentence"), [("no host", "is not accepted"), ("a.localhost", "reserved"), ("", "")])
def test_name_that_cannot_be_proven_is_refused(fleet: Fleet, name: str, sentence: str) -> None:
    site = fleet.add("aurora")
    page = Pages(fleet.user("ada", aurora="change")).post(site, DOMAINS, action="prove", name=name)
    assert page.status_code == 200
    assert sentence in words(page)
    assert not Verification.objects.exists()


def test_owner_of_a_name_is_named_only_to_who_may_see_the_site(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    fleet.add("borealis", "taken.org")
    user = fleet.user("ada", aurora="change")
    Verification.objects.create(name="taken.org", site=site, secret="x", proven_at=timezone.now())
    text = words(Pages(user).post(site, DOMAINS, action="use", proof=Verification.objects.get().pk))
    assert "belongs to another site" in text
    assert "borealis" not in text
    text = words(Pages(fleet.user("root", operator=True)).post(site, DOMAINS, action="add", name="taken.org"))
    assert "belongs to the site borealis" in text


def test_nothing_of_another_site_is_reached(fleet: Fleet) -> None:
    """Neither a proof nor a hostname of another site, whatever is sent."""
    site, other = fleet.add("aurora", "a.org"), fleet.add("borealis", "b.org", "b2.org")
    proof = Verification.objects.create(name="c.org", site=other, secret="hidden-text", proven_at=timezone.now())
    pages = Pages(fleet.user("ada", aurora="admin"))
    assert pages.get(site, DOMAINS, f"{proof.pk}/").status_code == 404
    assert pages.get(other, DOMAINS, f"{proof.pk}/").status_code == 404
    for action in ("check", "use", "cancel"):
        assert pages.post(site, DOMAINS, action=action, proof=proof.pk).status_code == 404
    for action in ("remove", "canonical", "role"):
        assert pages.post(site, DOMAINS, action=action, name="b2.org", role="alias").status_code == 404
    assert pages.post(site, DOMAINS, action="check", proof="no-uuid").status_code == 404
    assert pages.post(other, DOMAINS, action="remove", name="b2.org").status_code == 404
    assert hosts(fleet, "borealis") == (["b.org", "b2.org"], None)
    assert "hidden-text" not in pages.get(site, DOMAINS).text
    assert ManagedSite.objects.get(uid=site.uid).generation == 1


def test_who_only_views_changes_no_name(fleet: Fleet) -> None:
    site = fleet.add("aurora", "a.org", "b.org")
    pages = Pages(fleet.user("ada", aurora="view"))
    assert "Remove" not in words(pages.get(site, DOMAINS))
    for data in ({"action": "prove", "name": "c.org"}, {"action": "remove", "name": "b.org"}):
        assert pages.post(site, DOMAINS, **data).status_code == 404
    assert not Verification.objects.exists()
