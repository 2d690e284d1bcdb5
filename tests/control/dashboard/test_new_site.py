"""The form of a new site."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from tests.control.dashboard.pages import Pages, words
from tests.control.fleet import Fleet
from wagtail_multihost.control.models import ManagedSite


def create(pages: Pages, **data: Any) -> Any:
    return pages.client.post(reverse("multihost:new_site"), data)


def test_operator_makes_a_site(fleet: Fleet) -> None:
    pages = Pages(fleet.user("root", operator=True))
    answer = create(
        pages, identifier="aurora", hostnames="aurora.org\r\nwww.aurora.org", labels="plan = gold", reason="new"
    )
    site = fleet.site("aurora")
    assert answer.headers["Location"] == f"/admin/fleet/sites/{site.uid}/"
    assert site.record["hostnames"] == ["aurora.org", "www.aurora.org"]
    assert site.labels == {"plan": "gold"}


def test_settings_are_copied_and_nothing_of_data_or_secrets(fleet: Fleet) -> None:
    fleet.add(
        "aurora",
        settings={"TIME_ZONE": "Europe/Vienna"},
        nginx={"rate": 5},
        admins=["ada@example.com"],
        labels={"plan": "gold"},
        database={"engine": "postgresql", "host": "db", "password": "env:AURORA"},
        secret_key="env:AURORA_KEY",
        enabled=False,
    )
    pages = Pages(fleet.user("root", operator=True))
    create(pages, identifier="borealis", hostnames="b.example.com", copied="aurora")
    record = fleet.site("borealis").record
    assert record.keys() == {"hostnames", "settings", "nginx", "admins", "uid", "names"}
    assert record["settings"] == {"TIME_ZONE": "Europe/Vienna"}


def test_all_problems_are_beside_their_fields(fleet: Fleet) -> None:
    fleet.add("aurora")
    pages = Pages(fleet.user("root", operator=True))
    data = {"identifier": "aurora", "hostnames": "no host", "labels": "plan", "copied": "auror"}
    text = words(create(pages, **data))
    assert "There is a site 'aurora' already." in text
    assert "Line 1 is not accepted: write NAME = value." in text
    assert "There is no site 'auror'. Did you mean aurora?" in text
    assert "no host" in words(create(pages, identifier="borealis", hostnames="no host"))
    assert "is missing" in words(create(pages, identifier="borealis"))
    assert "belongs to the site aurora" in words(create(pages, identifier="borealis", hostnames="aurora.example.com"))
    assert ManagedSite.objects.count() == 1


def test_only_operators_make_sites(fleet: Fleet) -> None:
    fleet.add("aurora")
    pages = Pages(fleet.user("ada", aurora="admin"))
    assert create(pages, identifier="borealis", hostnames="b.example.com").status_code == 404
    assert pages.client.get(reverse("multihost:new_site")).status_code == 404
    assert ManagedSite.objects.count() == 1
