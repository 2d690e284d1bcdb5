"""What sites run: what nodes may say of it, who sees it, and which sites a filter finds."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.models import F
from django.test import override_settings
from django.utils import timezone

from tests.control.agents import agent_of
from tests.control.clients import ApiClient, client_of, operator_client
from tests.control.dashboard.nodes import add_nodes
from tests.control.dashboard.pages import Pages, words
from tests.control.dashboard.visits import SITES, listed, signed_in, text_of
from tests.control.fleet import OPERATOR, Fleet
from tests.control.node_roles import NodeLogin, node_login
from tests.control.roles import Roles
from tests.servers.postgres import Postgres
from wagtail_multihost.control.dashboard.addresses import site_address
from wagtail_multihost.control.models import Inventory, Vulnerability
from wagtail_multihost.control.nodes import displace_sites, place_sites, save_group, save_node
from wagtail_multihost.control.releases import SETTING
from wagtail_multihost.control.roles import READER, WEB
from wagtail_multihost.nodeapi import inventory_v1
from wagtail_multihost.nodeapi.node_states import ALL, FRONT, PLACED
from wagtail_multihost.nodeapi.version_file import MOST_PACKAGES

SAID = {"python": "3.12.3", "packages": {"django": "5.2.7", "wagtail": "8.0.1"}, "dropped": 0}


@pytest.fixture(name="logins")
def _logins(live_fleet: Fleet, postgres: Postgres) -> Iterator[dict[str, NodeLogin]]:
    """Return a node with placed sites, one with all, and a front server."""
    Roles(postgres).make()
    with ExitStack() as stack:
        found = {}
        for name, group, holds in (("web1", "few", PLACED), ("web2", "every", ALL), ("front1", "front", FRONT)):
            save_group(OPERATOR, group, holds)
            save_node(OPERATOR, name, group, address="10.0.0.1:8080" if holds == PLACED else "")
            found[name] = stack.enter_context(node_login(postgres, name))
        yield found


def say(login: NodeLogin, **versions: Any) -> list[str]:
    """Say what sites run; return of which it is kept."""
    with login.connect() as opened:
        row = opened.execute(inventory_v1.REPORT, (json.dumps(versions),)).fetchone()
    assert row is not None
    return list(row[0])


def grow_old() -> None:
    Inventory.objects.update(seen_at=F("seen_at") - timedelta(seconds=inventory_v1.PAUSE_SECONDS + 1))


def test_node_says_it_of_sites_that_are_placed_on_it_alone(live_fleet: Fleet, logins: dict[str, NodeLogin]) -> None:
    aurora, _ = live_fleet.add("aurora"), live_fleet.add("borealis")
    place_sites(OPERATOR, "web1", [aurora])
    assert say(logins["web1"], aurora=SAID, borealis=SAID, gone=SAID) == ["aurora"]
    assert say(logins["front1"], aurora=SAID) == []
    assert say(logins["web2"], aurora=SAID, borealis=SAID) == ["aurora", "borealis"]
    found = Inventory.objects.order_by("node_id", "site__identifier").values_list("node_id", "site__identifier")
    assert [*found] == [("web1", "aurora"), ("web2", "aurora"), ("web2", "borealis")]
    row = Inventory.objects.get(node="web1")
    assert (row.python, row.packages, row.dropped) == ("3.12.3", SAID["packages"], 0)


def test_node_is_not_believed_what_has_no_form(live_fleet: Fleet, logins: dict[str, NodeLogin]) -> None:
    live_fleet.add("aurora")
    hostile = {"<b>": "1", "ok": "1.0", "a": "=1+1", "b": "1.0\n", "c" * 101: "1", "e": "1" * 61, "f": None, "g": {}}
    assert say(logins["web2"], aurora={"python": "x\x1b", "packages": hostile, "dropped": "-1"}) == ["aurora"]
    row = Inventory.objects.get()
    assert (row.python, row.packages, row.dropped) == ("", {"ok": "1.0"}, 7)
    grow_old()
    many = {f"p{number}": "1" for number in range(MOST_PACKAGES + 5)}
    assert say(logins["web2"], aurora={"packages": many, "dropped": 3}) == ["aurora"]
    row.refresh_from_db()
    assert (len(row.packages), row.dropped) == (MOST_PACKAGES, 8)
    grow_old()
    assert say(logins["web2"], aurora={"packages": {"p": "1" * 300_000}}) == []
    for nothing in ([], "text", {"packages": []}, {"packages": "x"}, None):
        assert say(logins["web2"], aurora=nothing) == []
    with logins["web2"].connect() as opened:
        for argument in ("[]", "1", "null", '"x"'):
            row_found = opened.execute(inventory_v1.REPORT, (argument,)).fetchone()
            assert row_found == ([],)


def test_node_replaces_what_it_said_only_so_often(live_fleet: Fleet, logins: dict[str, NodeLogin]) -> None:
    live_fleet.add("aurora")
    newer = {**SAID, "packages": {"django": "5.2.8"}}
    assert say(logins["web2"], aurora=SAID) == ["aurora"]
    assert say(logins["web2"], aurora=newer) == []
    grow_old()
    assert say(logins["web2"], aurora=newer) == ["aurora"]
    assert Inventory.objects.get().packages == {"django": "5.2.8"}


def test_what_left_a_node_is_said_of_it_no_more(live_fleet: Fleet, logins: dict[str, NodeLogin]) -> None:
    aurora = live_fleet.add("aurora")
    place_sites(OPERATOR, "web1", [aurora])
    say(logins["web1"], aurora=SAID)
    say(logins["web2"], aurora=SAID)
    displace_sites(OPERATOR, "web1", [aurora])
    assert say(logins["web1"]) == []
    assert [*Inventory.objects.values_list("node_id", flat=True)] == ["web2"]


def test_nobody_else_writes_it(logins: dict[str, NodeLogin], postgres: Postgres) -> None:
    roles = Roles(postgres)
    assert roles.refusal(WEB, "UPDATE control_inventory SET python = ''") == "42501"
    assert roles.refusal(WEB, "SELECT node_api_v1.report_versions('{}')") == "42501"
    assert roles.refusal(READER, "SELECT node_api_v1.report_versions('{}')") == "42501"
    assert roles.refusal(WEB, "SELECT count(*) FROM control_inventory") == ""
    with logins["web1"].connect() as opened, pytest.raises(Exception, match="permission denied"):
        opened.execute("SELECT * FROM public.control_inventory")


def test_agent_says_what_a_site_wrote(live_fleet: Fleet, postgres: Postgres, tmp_path: Path) -> None:
    with agent_of(postgres, tmp_path) as agent:
        live_fleet.add("aurora")
        agent.give_key("aurora")
        folder = agent.data / "sites/aurora/tmp"
        folder.mkdir(parents=True)
        hostile = {"django": "5.2.7", "\x1b[31m": "1.0", "evil": "=1+1"}
        document = {"format": 1, "python": "3.12.3", "packages": hostile, "dropped": 0}
        (folder / "versions.json").write_text(json.dumps(document))
        done = agent.once()
        assert done.returncode == 0, done.stderr
        row = Inventory.objects.get()
        assert (row.node_id, row.site.identifier, row.packages) == ("web1", "aurora", {"django": "5.2.7"})
        assert row.dropped == 2


# What is made of it


@pytest.fixture(name="running")
def _running(fleet: Fleet) -> Fleet:
    """Return a fleet whose sites run different versions, one of which no list of versions sorts as text does."""
    add_nodes("web1", "web2")
    run(fleet, "aurora", "web1", django="5.2.7", wagtail="8.0.1")
    run(fleet, "borealis", "web1", django="5.2.10", wagtail="8.0.1")
    run(fleet, "corona", "web1", django="6.0rc1")
    run(fleet, "dione", "web1", django="5.2.10")
    run(fleet, "dione", "web2", django="5.2.8.dev1")
    fleet.add("eos")
    return fleet


def run(fleet: Fleet, identifier: str, node: str, python: str = "3.12.3", **packages: str) -> None:
    from wagtail_multihost.control.models import ManagedSite

    site = ManagedSite.objects.filter(identifier=identifier).first() or fleet.add(identifier)
    values = {"python": python, "packages": packages, "seen_at": timezone.now()}
    Inventory.objects.create(site=site, node_id=node, **values)


FILTERS = [
    ({"package": "django"}, ["aurora", "borealis", "corona", "dione"]),
    ({"package": "Django", "older_than": "5.2.8"}, ["aurora", "dione"]),
    ({"package": "django", "older_than": "5.2.11"}, ["aurora", "borealis", "dione"]),
    ({"package": "django", "older_than": "6.0"}, ["aurora", "borealis", "corona", "dione"]),
    ({"package": "wagtail"}, ["aurora", "borealis"]),
    ({"package": "python", "older_than": "3.13"}, ["aurora", "borealis", "corona", "dione"]),
    ({"package": "python", "older_than": "3.12.3"}, []),
    ({"package": "nothing"}, []),
    ({"package": "1"}, []),
]


@pytest.mark.parametrize(("query", "found"), FILTERS)
def test_sites_with_an_older_version_are_found(running: Fleet, query: dict[str, str], found: list[str]) -> None:
    assert listed(signed_in(running.user("ada", operator=True)), SITES, **query) == found
    path = "/inventory?" + "&".join(f"{key}={value}" for key, value in query.items())
    reply = operator_client(running).get(path)
    assert [one["site"] for one in reply.body["sites"]] == found


@pytest.mark.parametrize(
    "query", [{"package": "a b"}, {"package": "django", "older_than": "x"}, {"older_than": "5.2.8"}]
)
def test_filter_that_is_not_understood_lets_nothing_through(running: Fleet, query: dict[str, str]) -> None:
    client = signed_in(running.user("ada", operator=True))
    assert listed(client, SITES, **query) == []
    assert text_of(client, SITES, export="csv", **query).splitlines()[1:] == []
    path = "/inventory?" + "&".join(f"{key}={value.replace(' ', '%20')}" for key, value in query.items())
    assert operator_client(running).get(path).status == 422


def test_everyone_is_told_of_their_own_sites_alone(running: Fleet) -> None:
    user = running.user("ada", aurora="view")
    client = client_of(user, "read")
    assert [one["site"] for one in client.get("/inventory").body["sites"]] == ["aurora"]
    assert client.get("/sites/borealis/inventory").status == 404
    assert client.get("/sites/aurora/inventory").status == 200
    assert ApiClient().get("/inventory").status == 401
    assert listed(signed_in(user), SITES, package="django") == ["aurora"]


def test_inventory_has_pages(running: Fleet) -> None:
    client = operator_client(running)
    first = client.get("/inventory?limit=3").body
    assert ([one["site"] for one in first["sites"]], first["next"]) == (["aurora", "borealis", "corona"], "corona")
    second = client.get("/inventory?limit=3&after=corona").body
    assert ([one["site"] for one in second["sites"]], second["next"]) == (["dione", "eos"], None)
    assert second["sites"][1]["nodes"] == []


def test_vulnerable_sites_are_found_and_marked(running: Fleet, tmp_path: Path) -> None:
    Vulnerability.objects.create(
        package="django", version="5.2.7", advisory="PYSEC-1", aliases=["CVE-1"], fixed_in=["5.2.8"], summary="Bad."
    )
    client = signed_in(running.user("ada", operator=True))
    assert listed(client, SITES, vulnerable="yes") == ["aurora"]
    body = operator_client(running).get("/inventory?vulnerable=true").body
    [django] = [one for one in body["sites"][0]["nodes"][0]["packages"] if one["name"] == "django"]
    assert django["vulnerabilities"] == [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fixed_in": ["5.2.8"]}]
    site = running.site("aurora")
    page = words(Pages(running.user("eve", aurora="view")).get(site, "versions"))
    assert "vulnerable: PYSEC-1, CVE-1; fixed in 5.2.8" in page


def test_spreadsheet_has_the_versions(running: Fleet) -> None:
    Vulnerability.objects.create(package="django", version="5.2.7", advisory="PYSEC-1")
    text = text_of(signed_in(running.user("ada", operator=True)), SITES, export="csv", package="django")
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(text))}
    assert (rows["dione"]["django"], rows["dione"]["python"]) == ("5.2.10, 5.2.8.dev1", "3.12.3")
    assert (rows["aurora"]["known vulnerability"], rows["dione"]["known vulnerability"]) == ("True", "False")


def test_page_marks_releases_as_the_file_says(running: Fleet, tmp_path: Path) -> None:
    file = tmp_path / "releases.toml"
    file.write_text('[django."5.2"]\nlatest = "5.2.10"\nend = 2020-01-31\nlts = true\n')
    site, pages = running.site("aurora"), Pages(running.user("eve", aurora="view"))
    with override_settings(**{SETTING: str(file)}):
        page = words(pages.get(site, "versions"))
    assert "5.2.10 is out" in page
    assert "long support ended on 31 January 2020" in page
    assert "is out" not in words(pages.get(site, "versions"))


def test_mistake_in_the_file_is_told_to_operators_and_breaks_no_page(running: Fleet, tmp_path: Path) -> None:
    file = tmp_path / "releases.toml"
    file.write_text("[django]\n5 = 1\n")
    site = running.site("aurora")
    with override_settings(**{SETTING: file}):
        person = words(Pages(running.user("eve", aurora="view")).get(site, "versions"))
        operator = words(Pages(running.user("root", operator=True)).get(site, "versions"))
    assert str(file) in operator and str(file) not in person
    assert "5.2.7" in person


def test_page_of_a_silent_site_says_so(running: Fleet) -> None:
    site = running.site("eos")
    assert "No node has said yet" in words(Pages(running.user("eve", eos="view")).get(site, "versions"))
    assert site_address(site.uid, "versions").endswith("/versions/")
