"""The platform's page."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.control.dashboard.pages import words
from tests.control.dashboard.visits import signed_in
from tests.control.fleet import Fleet
from wagtail_multihost.control.changes import CreateSite, EditPlatform
from wagtail_multihost.control.edits import merge_patch
from wagtail_multihost.control.models import Event, Platform

PLATFORM = "/admin/fleet/platform/"


@pytest.fixture(name="operator")
def _operator(fleet: Fleet) -> Client:
    return signed_in(fleet.user("root", operator=True))


def save(client: Client, action: str = "save", **fields: Any) -> Any:
    generation = Platform.objects.get(pk=1).generation
    sent = {name.replace("__", "."): value for name, value in fields.items()}
    return client.post(PLATFORM, {"generation": generation, "action": action, **sent})


def test_page_is_for_operators_alone(fleet: Fleet) -> None:
    fleet.add("aurora")
    before = Platform.objects.get(pk=1).record
    for user in (fleet.user("ada", aurora="admin"), fleet.user("bob")):
        client = signed_in(user)
        assert client.get(PLATFORM).status_code == 404
        assert save(client, origin="http://{hostname}").status_code == 404
    assert Platform.objects.get(pk=1).record == before


def test_record_is_shown_and_saved(fleet: Fleet, operator: Client) -> None:
    fleet.add("aurora")
    page = words(operator.get(PLATFORM))
    assert "each of the 1 site is read again" in page
    assert "How visitors reach a hostname" in page
    assert save(operator, origin="http://{hostname}:8080", reason="no TLS here").headers["Location"] == PLATFORM
    assert Platform.objects.get(pk=1).record == {"name": "aviary", "origin": "http://{hostname}:8080"}
    event = Event.objects.get(revision=fleet.revision)
    assert (event.type, event.metadata["reason"]) == ("platform.changed", "no TLS here")
    assert 'value="http://{hostname}:8080"' in operator.get(PLATFORM).text


def test_preview_shows_the_difference_and_saves_nothing(fleet: Fleet, operator: Client) -> None:
    before = fleet.revision
    page = save(operator, "preview", origin="http://{hostname}")
    assert "origin not stated http://{hostname}" in words(page)
    assert fleet.revision == before


def test_nodes_keys_are_not_offered_and_not_taken(fleet: Fleet, operator: Client) -> None:
    page = operator.get(PLATFORM).text
    for name in ("user", "data", "templates", "secret_key", "include"):
        assert f'name="{name}"' not in page
    before = fleet.revision
    assert "user is not known." in words(save(operator, user="root"))
    assert fleet.revision == before


def test_all_problems_of_all_sites_are_shown_with_their_names(fleet: Fleet, operator: Client) -> None:
    """What a site states beside the platform's engine may be wrong with another one."""
    fleet.apply(EditPlatform(merge_patch({"cache": {"backend": "redis", "host": "r"}})))
    names = [f"site{number}" for number in range(120)]
    fleet.apply(
        *(CreateSite(name, {"hostnames": [f"{name}.example.com"], "cache": {"host": "other"}}) for name in names)
    )
    before = fleet.revision
    page = save(operator, cache__backend="", cache__host="")
    text = page.content.decode()
    assert [name for name in names if f"Site {name}: " not in text] == []
    assert fleet.revision == before


def test_change_of_somebody_else_is_not_overwritten(fleet: Fleet, operator: Client) -> None:
    fleet.apply(EditPlatform(merge_patch({"origin": "http://{hostname}"})))
    sent = {"generation": 1, "action": "save", "origin": "https://{hostname}"}
    page = operator.post(PLATFORM, sent)
    assert "Someone else changed the record" in words(page)
    assert Platform.objects.get(pk=1).record["origin"] == "http://{hostname}"


def test_other_pages_cannot_send_the_form(fleet: Fleet) -> None:
    client = signed_in(fleet.user("root", operator=True), enforce_csrf_checks=True)
    assert save(client, origin="http://{hostname}").status_code == 403
