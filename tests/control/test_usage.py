"""What sites have used in a month: what nodes may say of it, and who is told."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from tests.control.clients import client_of, operator_client
from tests.control.dashboard.nodes import add_nodes
from tests.control.fleet import OPERATOR, Fleet
from tests.control.node_roles import NodeLogin, node_login
from tests.control.roles import Roles
from tests.servers.postgres import Postgres
from wagtail_multihost.control.changes import RetireSite
from wagtail_multihost.control.models import Job, SiteSize, Usage
from wagtail_multihost.control.nodes import place_sites, save_group, save_node
from wagtail_multihost.control.roles import WEB
from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.node.site_sizes import keep_sizes, parse_sizes
from wagtail_multihost.nodeapi import usage_v1
from wagtail_multihost.nodeapi.node_states import ALL, FRONT, PLACED

SERIES = UUID("11111111-1111-4111-8111-111111111111")
USED = {"requests": 5, "bytes": 700, "cpu_milliseconds": 1500, "memory": 90}


def this_month() -> str:
    return f"{datetime.now(UTC):%Y-%m}"


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


def say(login: NodeLogin, usage: Any, series: UUID = SERIES) -> int:
    with login.connect() as opened:
        row = opened.execute(usage_v1.REPORT, (series, json.dumps(usage))).fetchone()
    assert row is not None
    return int(row[0])


def say_size(login: NodeLogin, site: str, database: int | None, storage: int | None) -> bool:
    with login.connect() as opened:
        row = opened.execute(usage_v1.REPORT_SIZE, (site, database, storage)).fetchone()
    return bool(row and row[0])


def test_node_says_it_of_its_own_sites_and_a_front_of_all(live_fleet: Fleet, logins: dict[str, NodeLogin]) -> None:
    aurora, _ = live_fleet.add("aurora"), live_fleet.add("borealis")
    place_sites(OPERATOR, "web1", [aurora])
    both = {site: {this_month(): USED} for site in ("aurora", "borealis", "gone")}
    assert [say(logins[name], both) for name in ("web1", "web2", "front1")] == [1, 2, 2]
    row = Usage.objects.get(node="web1")
    assert (row.site, row.month.day, row.series) == (aurora, 1, SERIES)
    assert (row.requests, row.bytes, row.cpu_seconds, row.memory) == (5, 700, 1.5, 90)


def test_totals_of_a_series_only_rise_and_another_series_is_added(
    live_fleet: Fleet, logins: dict[str, NodeLogin]
) -> None:
    live_fleet.add("aurora")
    for requests in (5, 9, 3):
        say(logins["web2"], {"aurora": {this_month(): {"requests": requests}}})
    assert [*Usage.objects.values_list("requests", "cpu_seconds")] == [(9, None)]
    say(logins["web2"], {"aurora": {this_month(): {"requests": 2}}}, uuid4())
    assert sorted(Usage.objects.values_list("requests", flat=True)) == [2, 9]


def test_number_of_series_is_bounded(live_fleet: Fleet, logins: dict[str, NodeLogin]) -> None:
    live_fleet.add("aurora")
    with logins["web2"].connect() as opened:
        for number in range(usage_v1.MOST_SERIES + 5):
            opened.execute(usage_v1.REPORT, (UUID(int=number), json.dumps({"aurora": {this_month(): USED}})))
    assert Usage.objects.count() == usage_v1.MOST_SERIES


@pytest.mark.parametrize(
    "usage",
    [
        {"aurora": {"2026-13": USED}},
        {"aurora": {"2020-01": USED}},
        {"aurora": {"2099-01": USED}},
        {"aurora": {"x": USED}},
        {"aurora": []},
        {"aurora": {"2026-12": 5}},
        [],
        None,
        {"aurora": {"2026-12": {"x": "y" * usage_v1.MOST_REPORT_BYTES}}},
    ],
)
def test_what_is_of_no_month_or_has_no_form_is_not_kept(
    live_fleet: Fleet, logins: dict[str, NodeLogin], usage: Any
) -> None:
    live_fleet.add("aurora")
    assert say(logins["web2"], usage) == 0
    assert not Usage.objects.exists()


def test_numbers_that_are_none_count_as_nothing(live_fleet: Fleet, logins: dict[str, NodeLogin]) -> None:
    live_fleet.add("aurora")
    hostile = {"requests": -5, "bytes": 10**16, "cpu_milliseconds": "1e9", "memory": [1]}
    assert say(logins["web2"], {"aurora": {this_month(): hostile}}) == 1
    assert [*Usage.objects.values_list("requests", "bytes", "cpu_seconds", "memory")] == [(0, 0, None, None)]


def test_sizes_are_of_placed_sites_alone(live_fleet: Fleet, logins: dict[str, NodeLogin]) -> None:
    aurora, _ = live_fleet.add("aurora"), live_fleet.add("borealis")
    place_sites(OPERATOR, "web1", [aurora])
    assert say_size(logins["web1"], "aurora", 100, None)
    assert not say_size(logins["web1"], "borealis", 100, None)
    assert not say_size(logins["front1"], "aurora", 100, None)
    assert not say_size(logins["web1"], "aurora", -1, None)
    assert say_size(logins["web1"], "aurora", None, 7)
    assert [*SiteSize.objects.values_list("site__identifier", "database", "storage")] == [("aurora", 100, 7)]


def test_nobody_else_writes_it(logins: dict[str, NodeLogin], postgres: Postgres) -> None:
    roles = Roles(postgres)
    for table in ("control_usage", "control_site_size"):
        assert roles.refusal(WEB, f"DELETE FROM {table}") == "42501"
        assert roles.refusal(WEB, f"SELECT count(*) FROM {table}") == ""
    assert roles.refusal(WEB, "SELECT node_api_v1.report_size('aurora', 1, 1)") == "42501"
    with logins["web1"].connect() as opened, pytest.raises(Exception, match="permission denied"):
        opened.execute("SELECT * FROM public.control_usage")


# Who is told


@pytest.fixture(name="used")
def _used(fleet: Fleet) -> Fleet:
    """Return a fleet of which one site is on two nodes, one has only been measured, and one is retired."""
    add_nodes("web1", "web2")
    month = date(2026, 11, 1)
    at = timezone.now()
    aurora, borealis, corona = fleet.add("aurora"), fleet.add("borealis"), fleet.add("corona")
    fleet.add("dione")
    for node, requests, memory in (("web1", 10, 50), ("web2", 3, 80), ("gone", 1, None)):
        Usage.objects.create(
            site=aurora, month=month, node=node, series=uuid4(), requests=requests, bytes=100, memory=memory, seen_at=at
        )
    Usage.objects.create(site=aurora, month=date(2026, 10, 1), node="web1", series=uuid4(), requests=99, seen_at=at)
    SiteSize.objects.create(site=borealis, month=month, database=1000, storage=2000, measured_at=at)
    Usage.objects.create(site=corona, month=month, node="web1", series=uuid4(), cpu_seconds=1.5, seen_at=at)
    fleet.apply(RetireSite(corona.uid))
    return fleet


def run(*words: str) -> str:
    out = StringIO()
    call_command("multihost_usage", *words, stdout=out)
    return out.getvalue()


def test_command_prints_a_month(used: Fleet) -> None:
    rows = {row["site"]: row for row in csv.DictReader(io.StringIO(run("--month", "2026-11")))}
    assert sorted(rows) == ["aurora", "borealis", "corona"]
    aurora = rows["aurora"]
    assert (aurora["month"], aurora["requests"], aurora["bytes"]) == ("2026-11", "14", "300")
    assert (aurora["memory"], aurora["cpu_seconds"], aurora["database"]) == ("80", "", "")
    assert (rows["borealis"]["database"], rows["borealis"]["storage"]) == ("1000", "2000")
    assert rows["corona"]["cpu_seconds"] == "1.5"
    found = {row["site"]: row for row in json.loads(run("--month", "2026-11", "--json"))}
    assert (found["aurora"]["requests"], found["aurora"]["database"]) == (14, None)
    assert len(run().splitlines()) == 1


@pytest.mark.parametrize("month", ["2026-13", "1999-01", "2026-1", "november"])
def test_other_months_are_refused(used: Fleet, month: str) -> None:
    with pytest.raises(CommandError, match=r"--month: .* is no month, such as 2026-11"):
        run("--month", month)
    assert operator_client(used).get(f"/usage?month={month}").status == 422


def test_api_has_pages(used: Fleet) -> None:
    client = operator_client(used)
    first = client.get("/usage?month=2026-11&limit=2").body
    second = client.get(f"/usage?month=2026-11&limit=2&after={first['next']}").body
    assert (len(first["sites"]), len(second["sites"]), second["next"]) == (2, 1, None)
    found = {row["site"]: row for row in [*first["sites"], *second["sites"]]}
    assert (found["aurora"]["requests"], found["borealis"]["storage"], found["corona"]["memory"]) == (14, 2000, None)
    assert client.get("/usage").body["sites"] == []


def test_everyone_is_told_of_their_own_sites_alone(used: Fleet) -> None:
    client = client_of(used.user("ada", aurora="view"), "read")
    assert [row["site"] for row in client.get("/usage?month=2026-11").body["sites"]] == ["aurora"]


def test_all_enabled_sites_are_asked_to_be_measured(used: Fleet) -> None:
    used.add("eos", enabled=False)
    assert run("--measure") == "3 sites are to be measured.\n"
    assert sorted(Job.objects.values_list("site__identifier", flat=True)) == ["aurora", "borealis", "dione"]
    assert {*Job.objects.values_list("kind", flat=True)} == {"measure-site"}
    assert timezone.now() - timedelta(days=1) < Job.objects.latest("wanted_at").wanted_at


# What a site says of its own size


@pytest.mark.parametrize(
    ("printed", "found"),
    [
        ('{\n  "site": "aurora",\n  "database": 5,\n  "storage": null\n}\n', (5, None)),
        ('hello {x}\n{"database": 5, "storage": 6}', (5, 6)),
        ('{"database": null, "storage": null}', None),
        ('{"database": true, "storage": 1}', None),
        ('{"database": -1, "storage": 1}', None),
        ('{"database": 1.5, "storage": 1}', None),
        ('{"database": 1e3, "storage": 1}', None),
        ('{"database": 1000000000000000, "storage": 1}', None),
        ("{" * 50_000, None),
        ("", None),
        ("[1]", None),
    ],
)
def test_no_more_than_two_numbers_is_believed(printed: str, found: tuple[int, int] | None) -> None:
    assert parse_sizes(printed) == found


def test_sizes_are_kept_by_the_registry() -> None:
    asked: list[Any] = []

    def ask(statement: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        asked.append(values)
        return [(True,)] if values[0] == "aurora" else [(None,)]

    ending = keep_sizes("aurora", '{"database": 5, "storage": null}', ask)
    assert (asked, ending.progress) == ([("aurora", 5, None)], "database: 5 bytes, files: not known")
    with pytest.raises(MultihostError, match="not placed on this node"):
        keep_sizes("gone", '{"database": 5, "storage": null}', ask)
    with pytest.raises(MultihostError, match="did not print its sizes"):
        keep_sizes("aurora", "nothing", ask)
