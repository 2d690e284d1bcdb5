"""The form of a record."""

from __future__ import annotations

from typing import Any

from django.http import QueryDict

from wagtail_multihost.control.dashboard.record_entries import Entry, entries, inherited, set_values
from wagtail_multihost.control.dashboard.record_form import Purpose, RecordForm
from wagtail_multihost.exceptions import Problem

RECORD: dict[str, Any] = {
    "hostnames": ["aurora.example.com"],
    "admins": ["ada@example.com"],
    "labels": {"plan": "gold"},
    "database": {"engine": "postgresql", "host": "db", "password": "env:AURORA_DB"},
    "settings": {"TIME_ZONE": "Europe/Vienna"},
}
PLATFORM = {"name": "aviary", "database": {"engine": "postgresql", "host": "other", "port": 6432}, "nginx": {"rate": 5}}
SITE = {entry.name: entry for entry in entries(of_platform=False)}


def form_of(data: str | None = None, *, operator: bool = True, **options: Any) -> RecordForm:
    def may_change(entry: Entry) -> bool:
        return operator or entry.who == "site"

    purpose = Purpose(RECORD, PLATFORM, may_change, sees_references=operator, **options)
    return RecordForm(entries(of_platform=False), purpose, None if data is None else QueryDict(data))


def test_no_key_of_a_node_and_no_pin_is_an_entry() -> None:
    for of_platform in (False, True):
        found = entries(of_platform=of_platform)
        names = {entry.name for entry in found}
        assert not [entry.name for entry in found if entry.who == "node"]
        assert names.isdisjoint(
            {"uid", "names", "names.database", "user", "include", "code.directory", "nginx.include"}
        )
    assert {"hostnames", "enabled", "state"}.isdisjoint(SITE)
    assert {"database.host", "database.password_file", "settings.TIME_ZONE", "labels", "nginx.rate"} <= SITE.keys()
    platform = {entry.name for entry in entries(of_platform=True)}
    assert {"origin", "runner", "database.port", "nginx.rate", "project_settings", "settings.TIME_ZONE"} <= platform
    assert platform.isdisjoint({"revision", "secret_key", "env", "nginx.user", "project_settings_file"})


def test_what_is_not_edited_stays_as_it_is() -> None:
    form = form_of()
    data = QueryDict(mutable=True)
    data.update({name: form[name].value() or "" for name in form.entries})
    assert form_of(data.urlencode()).changes() == {}
    assert form_of("").changes() == {}
    assert form_of("").edit()(RECORD) == RECORD
    assert form_of("admins=x")["labels"].value() == "plan = gold"


def test_only_what_is_edited_changes() -> None:
    form = form_of(
        "labels=plan+%3D+silver&database.host=&settings.TIME_ZONE=&admins=a%40b.org%0D%0Ac%40d.org&nginx.rate=7"
    )
    after = form.edit()(RECORD)
    assert after == {
        "hostnames": ["aurora.example.com"],
        "admins": ["a@b.org", "c@d.org"],
        "labels": {"plan": "silver"},
        "database": {"engine": "postgresql", "password": "env:AURORA_DB"},
        "nginx": {"rate": 7},
    }
    assert RECORD["labels"] == {"plan": "gold"}


def test_people_of_a_site_see_no_reference_and_change_their_own_keys() -> None:
    form = form_of("database.host=evil&admins=a%40b.org", operator=False)
    assert form.changes() == {("admins",): ["a@b.org"]}
    shown = {row.entry.name: row for row in form.read_only}
    assert "database.password" not in shown
    assert shown["database.host"].field is None
    assert (shown["database.host"].text, shown["nginx.rate"].inherited.text) == ("db", "5")
    assert "epoch" not in shown
    assert {panel.name for panel in form.panels} == {"own", "settings"}
    assert "AURORA_DB" not in str(form)


def test_what_is_no_field_is_refused_with_what_was_meant() -> None:
    form = form_of("adminss=x&uid=1&database.host=evil&generation=1&csrfmiddlewaretoken=x", operator=False)
    form.refuse_unknown()
    assert [(problem.where, problem.message) for problem in form.problems] == [
        ("adminss", "adminss is not known. Did you mean admins?"),
        ("uid", "uid is not known."),
        ("database.host", "It cannot be changed here."),
    ]


def test_problems_are_put_beside_their_fields() -> None:
    form = form_of("")
    form.add_problems(
        [
            Problem("Site aurora: database.host", "It is wrong.", "aurora"),
            Problem("Site aurora: labels.'a b'", "It is blank.", "aurora"),
            Problem("Site aurora: hostnames", "It is taken.", "aurora"),
            Problem("Site aurora: database", "It is no table.", "aurora"),
        ]
    )
    assert form.errors["database.host"] == ["It is wrong."]
    assert form.errors["labels"] == ["'a b': It is blank."]
    assert [problem.where for problem in form.problems] == ["Site aurora: hostnames", "Site aurora: database"]


def test_text_that_cannot_be_read_is_a_problem_of_its_field() -> None:
    form = form_of("labels=plan&nginx.rate=6")
    assert form.changes() == {("nginx", "rate"): 6}
    assert form.errors["labels"] == ["Line 1 is not accepted: write NAME = value."]


def test_edits_are_told_from_what_others_changed_meanwhile() -> None:
    base = {**RECORD, "labels": {"plan": "bronze"}, "admins": []}
    form = form_of("labels=plan+%3D+bronze&admins=new%40example.com", base=base)
    assert form.changes() == {("admins",): ["new@example.com"]}
    newer = form.newer_texts()
    assert (newer["labels"], newer["admins"]) == ("plan = gold", "new@example.com")


def test_it_is_said_where_a_value_comes_from() -> None:
    def source(name: str, record: dict[str, Any] = RECORD) -> tuple[str, str]:
        return tuple(inherited(SITE[name], record, PLATFORM))  # type: ignore[return-value]

    assert source("database.port") == ("6432", "the platform")
    assert source("database.port", {"database": {"engine": "sqlite"}}) == ("5432", "the default")
    assert source("nginx.rate") == ("5", "the platform")
    assert source("nginx.burst") == ("20", "the default")
    assert source("epoch") == ("1", "the default")
    assert source("database.password_file")[1] == "the node's own file, or the default"
    assert source("settings.LANGUAGE_CODE") == ("the project's", "the default")
    assert "the platform" in str(form_of()["database.port"].help_text)


def test_values_are_set_as_a_whole() -> None:
    edit = set_values({("labels",): {"a": "b"}, ("database", "host"): None, ("cache", "backend"): "redis"})
    before = {"labels": {"c": "d"}, "database": {"host": "db"}}
    assert edit(before) == {"labels": {"a": "b"}, "cache": {"backend": "redis"}}
    assert before == {"labels": {"c": "d"}, "database": {"host": "db"}}
