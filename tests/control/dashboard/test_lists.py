"""The list of sites: what it shows, finds and leaves out."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from openpyxl import load_workbook

from tests.control.dashboard.visits import DOMAINS, EVENTS, LISTS, SITES, listed, signed_in, text_of
from tests.control.fleet import OPERATOR, Fleet
from tests.servers.workshop import CHECKOUT
from wagtail_multihost.control.changes import CreateSite, EditSite, RetireSite
from wagtail_multihost.control.edits import set_value
from wagtail_multihost.control.models import Hostname
from wagtail_multihost.control.spreadsheets import neutralize


@pytest.fixture(name="busy")
def _busy(fleet: Fleet) -> Fleet:
    """A fleet with a site in each state."""
    fleet.add("aurora", "aurora.example.com", "www.bücher.example", labels={"plan": "gold", "team": "north"})
    fleet.add("borealis", labels={"plan": "silver"}, state="maintenance")
    fleet.add("corona", state="suspended")
    fleet.add("dione", enabled=False)
    gone = fleet.add("eos")
    fleet.apply(RetireSite(gone.uid))
    Hostname.objects.filter(name="corona.example.com").update(problem="It has no address.")
    return fleet


def test_list_shows_each_site_with_its_state(busy: Fleet) -> None:
    client = signed_in(busy.user("ada", operator=True))
    assert listed(client, SITES) == ["aurora", "borealis", "corona", "dione"]
    page = text_of(client, SITES)
    for words in ("https://aurora.example.com", "plan=gold", "Maintenance", "Suspended", "Disabled", "has a problem"):
        assert words in page
    assert "eos" not in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "auro"}, ["aurora"]),
        ({"q": "DIONE.example"}, ["dione"]),
        ({"q": "www.bücher.example"}, ["aurora"]),
        ({"q": "gold"}, ["aurora"]),
        ({"q": "plan=silver"}, ["borealis"]),
        ({"q": "nothing"}, []),
        ({"state": "active"}, ["aurora"]),
        ({"state": ["maintenance", "disabled"]}, ["borealis", "dione"]),
        ({"problem": "hostname"}, ["corona"]),
        ({"problem": "unverified"}, ["aurora", "borealis", "corona", "dione"]),
        ({"label": "plan=gold"}, ["aurora"]),
        ({"label": "plan=gold", "q": "borealis"}, []),
        ({"ordering": "-identifier"}, ["dione", "corona", "borealis", "aurora"]),
        ({"ordering": "status"}, ["aurora", "dione", "borealis", "corona"]),
    ],
)
def test_list_searches_filters_and_orders(busy: Fleet, query: dict[str, str], found: list[str]) -> None:
    client = signed_in(busy.user("ada", operator=True))
    assert listed(client, SITES, **query) == found
    assert listed(client, f"{SITES}results/", **query) == found


def test_last_change_comes_first(busy: Fleet) -> None:
    busy.apply(EditSite(busy.site("corona").uid, set_value(("admins",), ["a@example.com"])))
    client = signed_in(busy.user("ada", operator=True))
    # In one transaction every change has a time of its own, as the database's clock goes on.
    assert listed(client, SITES, ordering="-changed")[0] == "corona"


def test_list_has_pages(fleet: Fleet) -> None:
    fleet.apply(*(CreateSite(f"site{number:03}", {"hostnames": [f"h{number}.example.com"]}) for number in range(120)))
    client = signed_in(fleet.user("ada", operator=True))
    pages = [listed(client, SITES, p=number, ordering="-status") for number in (1, 2, 3)]
    assert [len(page) for page in pages] == [50, 50, 20]
    assert len({*pages[0], *pages[1], *pages[2]}) == 120


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("role", ["operator", "customer"])
def test_number_of_queries_does_not_grow_with_rows(fleet: Fleet, path: str, role: str) -> None:
    def count(query: dict[str, str]) -> int:
        with CaptureQueriesContext(connection) as found:
            text_of(client, path, **query)
        return len(found)

    def add(start: int, end: int) -> None:
        names = [f"site{number}" for number in range(start, end)]
        fleet.apply(
            *(CreateSite(name, {"hostnames": [f"{name}.example.com"], "labels": {"n": name}}) for name in names)
        )

    add(0, 10)
    user = fleet.user("ada", **({"operator": True} if role == "operator" else {"site0": "operate"}))
    client = signed_in(user)
    text_of(client, path)  # content types and permissions are read once for a process
    queries = [{}, {"q": "site"}, {"export": "csv"}]
    before = [count(query) for query in queries]
    add(10, 200)
    if role == "customer":
        grant_all(fleet, user)
    assert [count(query) for query in queries] == before


def grant_all(fleet: Fleet, user: object) -> None:
    from wagtail_multihost.control.models import Grant, ManagedSite

    group = user.groups.get()  # type: ignore[attr-defined]
    missing = ManagedSite.objects.exclude(grants__group=group)
    Grant.objects.bulk_create(Grant(site=site, group=group, action="view") for site in missing)


@pytest.fixture(name="shared")
def _shared(fleet: Fleet) -> Fleet:
    """A fleet in which Ada has one site, and a neighbour has another with words that nobody else has."""
    fleet.add("aurora", labels={"plan": "gold"})
    secret = {"hostnames": ["hidden-name.example.com"], "labels": {"hidden": "label"}, "enabled": False}
    fleet.apply(CreateSite("hidden-site", secret), reason="hidden reason")
    return fleet


HIDDEN = ("hidden-site", "hidden-name", "hidden=label", "hidden reason")
QUERIES: list[dict[str, Any]] = [
    {},
    {"q": "hidden"},
    {"q": "e"},
    {"state": "disabled"},
    {"state": ["active", "disabled"]},
    {"label": "hidden=label"},
    {"problem": "unverified"},
    {"site": "hidden-site"},
    {"type": ["site.created", "platform.changed"]},
    {"ordering": "-changed"},
    {"ordering": "labels"},
    {"ordering": "-status", "p": "2"},
    {"role": "hostname", "verified": "no"},
]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("form", ["page", "results", "csv", "xlsx"])
def test_foreign_site_is_nowhere(shared: Fleet, path: str, form: str) -> None:
    """Not in a row, a count, a choice of a filter, or a spreadsheet."""
    client = signed_in(shared.user("ada", aurora="view"))
    added = {"page": {}, "results": {"_w_filter_fragment": "1"}}.get(form, {"export": form})
    for query in QUERIES:
        answer = client.get(f"{path}results/" if form == "results" else path, {**query, **added})
        assert answer.status_code == 200
        text = text_in(b"".join(answer), form)
        for asked in query.values():  # what was asked for is repeated
            for word in [asked] if isinstance(asked, str) else asked:
                text = text.replace(word, "")
        assert [word for word in HIDDEN if word in text] == [], query
        if form in ("page", "results"):
            assert answer.context["paginator"].count <= 1, query


def text_in(body: bytes, form: str) -> str:
    if form != "xlsx":
        return body.decode()
    return str([*load_workbook(io.BytesIO(body), read_only=True).active.iter_rows(values_only=True)])


def test_narrow_grant_shows_one_site_of_two(shared: Fleet) -> None:
    client = signed_in(shared.user("ada", aurora="view"))
    assert listed(client, SITES) == ["aurora"]
    assert listed(client, DOMAINS) == ["aurora.example.com"]
    assert listed(client, EVENTS) == ["aurora"]
    everything = signed_in(shared.user("root", operator=True))
    assert listed(everything, SITES) == ["aurora", "hidden-site"]
    assert listed(everything, EVENTS) == ["hidden-site", "aurora", ""]


def test_strangers_see_no_list(shared: Fleet) -> None:
    client = signed_in(shared.user("bob"))
    assert [client.get(path).status_code for path in LISTS] == [404, 404, 404]
    assert "fleet/sites" not in text_of(client, "/admin/")
    client.logout()
    assert [client.get(path).status_code for path in LISTS] == [302, 302, 302]


NONSENSE: list[dict[str, str]] = [
    {"q": "\0"},
    {"q": "%00'\"<>\\"},
    {"p": "abc"},
    {"p": "-1"},
    {"p": "9" * 5000},
    {"ordering": "record"},
    {"ordering": "-site__record__database__password"},
    {"ordering": "?"},
    {"state": "none"},
    {"state": "\0"},
    {"label": "nothing"},
    {"label": "a=\0"},
    {"label": "=" * 3000},
    {"site": "\0"},
    {"site": "%"},
    {"problem": "x", "role": "x", "verified": "x", "type": "x"},
    {"export": "pdf"},
    {"export": "csv", "p": "7"},
    {"record__labels": "x", "uid": "x"},
]


@pytest.mark.parametrize("path", LISTS)
def test_nonsense_in_an_address_is_no_error(shared: Fleet, path: str) -> None:
    client = signed_in(shared.user("ada", aurora="view"))
    for query in NONSENSE:
        for target in (path, f"{path}results/"):
            assert client.get(target, query).status_code == 200, (target, query)


def test_filter_that_is_not_understood_lets_nothing_through(shared: Fleet) -> None:
    client = signed_in(shared.user("root", operator=True))
    assert listed(client, SITES, state="none") == []
    assert text_of(client, SITES, state="none", export="csv").splitlines()[1:] == []


def test_empty_lists_say_what_can_be_done(fleet: Fleet) -> None:
    client = signed_in(fleet.user("root", operator=True))
    assert "There is no site yet." in text_of(client, SITES)
    assert "No site has a domain yet." in text_of(client, DOMAINS)
    assert f'href="{SITES}"' in text_of(client, DOMAINS)
    fleet.add("aurora")
    page = text_of(client, SITES, q="nothing")
    assert "Nothing matches." in page
    assert "There is no site yet." not in page


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "\uff1d", "\uff20", " \u00a0+"])
def test_cell_is_never_computed(start: str) -> None:
    assert neutralize(f"{start}1+1") == f"'{start}1+1"


@pytest.mark.parametrize("value", ["plan=gold", "", "a-b", " text", 5, None])
def test_other_cells_stay_as_they_are(value: object) -> None:
    assert neutralize(value) == value


def test_spreadsheets_have_what_the_list_shows(busy: Fleet) -> None:
    client = signed_in(busy.user("ada", operator=True))
    rows = [*csv.DictReader(io.StringIO(text_of(client, SITES, export="csv", state="maintenance")))]
    assert [(row["id"], row["canonical hostname"], row["state"], row["labels"]) for row in rows] == [
        ("borealis", "borealis.example.com", "maintenance", "plan=silver")
    ]
    body = b"".join(client.get(SITES, {"export": "xlsx"}))
    sheet = [*load_workbook(io.BytesIO(body), read_only=True).active.iter_rows(values_only=True)]
    assert [row[0] for row in sheet] == ["id", "aurora", "borealis", "corona", "dione"]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_reason_is_no_formula_in_a_spreadsheet(fleet: Fleet, form: str) -> None:
    formula = '=HYPERLINK("https://evil.example","x")'
    fleet.apply(CreateSite("aurora", {"hostnames": ["a.example.com"]}), by=OPERATOR, reason=formula)
    client = signed_in(fleet.user("ada", aurora="view"))
    body = b"".join(client.get(EVENTS, {"export": form}))
    read: dict[str, Callable[[], list[tuple[object, ...]]]] = {
        "csv": lambda: [tuple(row) for row in csv.reader(io.StringIO(body.decode()))],
        "xlsx": lambda: [*load_workbook(io.BytesIO(body)).active.iter_rows(values_only=True)],
    }
    assert read[form]()[1][-1] == f"'{formula}"


def test_columns_filters_and_actions_are_documented(busy: Fleet) -> None:
    text = (CHECKOUT / "docs" / "reference" / "control-lists.md").read_text(encoding="utf-8")
    page = signed_in(busy.user("ada", operator=True)).get(SITES)
    labels = [column.label for column in page.context["table"].columns.values() if column.label != "Bulk actions"]
    labels += [field.label for field in page.context["filters"].form]
    assert len(labels) == 12
    assert [label for label in labels if f"| {label} |" not in text] == []
    assert [action.label for action in page.context["bulk_actions"] if action.label not in text] == []
