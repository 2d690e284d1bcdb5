"""The tab Settings."""

from __future__ import annotations

from typing import Any

import pytest

from tests.control.dashboard.pages import Pages, words
from tests.control.fleet import Fleet
from wagtail_multihost.control.changes import EditPlatform, EditSite
from wagtail_multihost.control.dashboard.tabs import SETTINGS
from wagtail_multihost.control.edits import merge_patch, set_value
from wagtail_multihost.control.models import Event


@pytest.fixture(name="operator")
def _operator(fleet: Fleet) -> Pages:
    return Pages(fleet.user("root", operator=True))


def save(pages: Pages, fleet: Fleet, **data: Any) -> Any:
    site = fleet.site("aurora")
    fields = {name.replace("__", "."): value for name, value in data.items()}
    return pages.post(site, SETTINGS, **{"generation": site.generation, "action": "save", **fields})


def test_form_has_every_key_with_its_meaning_and_where_it_comes_from(fleet: Fleet, operator: Pages) -> None:
    fleet.apply(EditPlatform(merge_patch({"nginx": {"rate": 7}, "settings": {"TIME_ZONE": "Europe/Vienna"}})))
    site = fleet.add("aurora", settings={"LANGUAGE_CODE": "de"})
    page = operator.get(site, SETTINGS)
    text = words(page)
    assert "Requests a second that one client may send to the site" in text
    assert "If it is blank: 7 (the platform)." in text
    assert "If it is blank: Europe/Vienna (the platform)." in text
    assert 'value="de"' in page.text
    for name in ('name="uid"', 'name="names', 'name="enabled"', 'name="code.directory"', 'name="database.path"'):
        assert name not in page.text


def test_saved_changes_are_a_revision_with_a_reason(fleet: Fleet, operator: Pages) -> None:
    fleet.add("aurora", labels={"plan": "gold"})
    answer = save(operator, fleet, labels="plan = silver", epoch="2", settings__TIME_ZONE="Europe/Vienna", reason="why")
    assert answer.status_code == 302
    record = fleet.site("aurora").record
    assert (record["labels"], record["epoch"]) == ({"plan": "silver"}, 2)
    assert record["settings"] == {"TIME_ZONE": "Europe/Vienna"}
    assert Event.objects.get(revision=fleet.revision).metadata["reason"] == "why"
    assert save(operator, fleet, epoch="2").status_code == 302
    assert fleet.site("aurora").generation == 2


def test_preview_shows_the_difference_and_saves_nothing(fleet: Fleet, operator: Pages) -> None:
    site = fleet.add("aurora", cache={"backend": "redis", "host": "r", "password": "env:OLD"})
    before = fleet.revision
    page = save(operator, fleet, action="preview", epoch="2", cache__password="env:NEW", reason="kept & shown")
    assert "epoch not stated 2" in words(page)
    assert "cache.password ••• •••" in words(page)
    assert 'value="kept &amp; shown"' in page.text
    assert 'value="env:NEW"' in page.text
    assert fleet.revision == before
    assert fleet.site("aurora").record == site.record
    assert "Nothing would change." in words(save(operator, fleet, action="preview", epoch=""))


def test_all_problems_are_shown_at_once(fleet: Fleet, operator: Pages) -> None:
    fleet.add("aurora")
    data = {
        "epoch": "none",
        "labels": "plan",
        "settings.TIME_ZONE": "Nowhere/At_All",
        "nginx.rate": "-1",
        "adminss": "x",
    }
    page = operator.post(fleet.site("aurora"), SETTINGS, generation=1, **data)
    text = words(page)
    assert "It must be a whole number without quotes, not a string." in text
    assert "Line 1 is not accepted: write NAME = value." in text
    assert "adminss is not known. Did you mean admins?" in text
    for field in ("epoch", "labels", "settings.TIME_ZONE", "nginx.rate"):
        start = page.text.index(f'data-contentpath="{field}"')
        assert "error-message" in page.text[start : start + 700], field
    assert 'value="Nowhere/At_All"' in page.text
    assert fleet.site("aurora").generation == 1


def test_change_of_somebody_else_is_not_lost(fleet: Fleet, operator: Pages) -> None:
    site = fleet.add("aurora", admins=["a@b.org"], labels={"plan": "bronze"})
    fleet.apply(EditSite(site.uid, set_value(("labels",), {"plan": "gold"})))
    data = {"admins": "new@b.org", "labels": "plan = bronze", "generation": 1}
    page = operator.post(site, SETTINGS, **data)
    text = words(page)
    assert "Someone else changed the record" in text
    assert "labels.plan bronze gold" in text
    assert 'name="generation" value="2"' in page.text
    assert "plan = gold</textarea>" in page.text
    assert "new@b.org</textarea>" in page.text
    assert fleet.site("aurora").record["admins"] == ["a@b.org"]
    operator.post(site, SETTINGS, admins="new@b.org", labels="plan = gold", generation=2)
    record = fleet.site("aurora").record
    assert (record["admins"], record["labels"]) == (["new@b.org"], {"plan": "gold"})


@pytest.mark.parametrize("generation", [None, "", "x", "-1", "9" * 30, "1.0", "\u0663"])
def test_form_without_its_generation_is_refused(fleet: Fleet, operator: Pages, generation: str | None) -> None:
    site = fleet.add("aurora")
    data = {"epoch": "2"} if generation is None else {"epoch": "2", "generation": generation}
    assert operator.post(site, SETTINGS, **data).status_code == 400
    assert fleet.site("aurora").generation == 1


def test_generation_that_never_was_is_stale(fleet: Fleet, operator: Pages) -> None:
    site = fleet.add("aurora")
    page = operator.post(site, SETTINGS, epoch="2", generation=2**63 - 1)
    assert "Someone else changed the record" in words(page)
    assert fleet.site("aurora").generation == 1


def test_people_of_a_site_change_what_is_theirs(fleet: Fleet) -> None:
    fleet.add("aurora", database={"engine": "postgresql", "host": "db", "password": "env:AURORA_DB"})
    pages = Pages(fleet.user("ada", aurora="change"))
    page = pages.get(fleet.site("aurora"), SETTINGS)
    assert 'name="admins"' in page.text
    assert 'name="settings.TIME_ZONE"' in page.text
    for name in ('name="database.host"', 'name="labels"', 'name="epoch"'):
        assert name not in page.text
    assert "database.host db this site" in words(page)
    assert "AURORA_DB" not in page.text
    assert "database.password" not in page.text
    assert save(pages, fleet, admins="ada@example.com").status_code == 302
    assert fleet.site("aurora").record["admins"] == ["ada@example.com"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", "borealis"),
        ("identifier", "borealis"),
        ("uid", "00000000-0000-4000-8000-000000000000"),
        ("names.database", "other"),
        ("revision", "9"),
        ("enabled", "false"),
        ("state", "suspended"),
        ("labels", "plan = gold"),
        ("database.host", "evil"),
        ("database.password", "env:NEIGHBOUR"),
        ("database.path", "/etc/shadow"),
        ("code.directory", "/srv/evil"),
        ("nginx.site_include", "/etc/passwd"),
        ("hostnames", "neighbour.example.com"),
        ("retired_at", "2020-01-01"),
    ],
)
def test_nothing_is_assigned_that_the_form_does_not_have(fleet: Fleet, name: str, value: str) -> None:
    before = fleet.add("aurora")
    pages = Pages(fleet.user("ada", aurora="change"))
    page = pages.post(before, SETTINGS, generation=1, admins="ada@example.com", **{name: value})
    assert page.status_code == 200
    assert "is not known" in words(page) or "It cannot be changed here." in words(page)
    after = fleet.site("aurora")
    assert (after.record, after.generation, after.enabled, after.state) == (before.record, 1, True, "active")


@pytest.mark.parametrize("name", ["uid", "names.database", "enabled", "state", "hostnames", "code.directory"])
def test_operators_neither_change_these_here(fleet: Fleet, operator: Pages, name: str) -> None:
    before = fleet.add("aurora")
    operator.post(before, SETTINGS, generation=1, **{name: "x"})
    assert fleet.site("aurora").record == before.record


def test_who_only_views_sees_and_changes_nothing(fleet: Fleet) -> None:
    site = fleet.add("aurora", admins=["ada@example.com"])
    pages = Pages(fleet.user("ada", aurora="view"))
    page = pages.get(site, SETTINGS)
    assert "ada@example.com" in words(page)
    assert "Preview the changes" not in words(page)
    assert save(pages, fleet, admins="x@example.com").status_code == 404
    assert fleet.site("aurora").generation == 1


def test_keys_are_found_by_name_and_meaning(fleet: Fleet, operator: Pages) -> None:
    site = fleet.add("aurora")
    page = operator.get(site, SETTINGS, q="time_zone")
    assert 'name="settings.TIME_ZONE"' in page.text
    assert 'name="epoch"' not in page.text
    assert 'name="nginx.rate"' in operator.get(site, SETTINGS, q="requests a SECOND").text
    text = words(operator.get(site, SETTINGS, q="adminz"))
    assert "No key has “adminz”" in text
    assert "Did you mean admins?" in text


def test_secret_in_the_clear_is_refused_and_not_repeated(fleet: Fleet, operator: Pages) -> None:
    fleet.add("aurora")
    page = save(operator, fleet, secret_key="k" * 60)
    assert "A secret is never kept here." in words(page)
    assert fleet.site("aurora").generation == 1
