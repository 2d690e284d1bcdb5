"""multihost_explain: every setting, where it came from, and no secret."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.conftest import KEY, PASSWORD, Called, Manage
from wagtail_multihost.management.commands.multihost_explain import HEADINGS
from wagtail_multihost.registry.keys import declared
from wagtail_multihost.resolver.rotation import HOW_TO

Call = Callable[..., Called]


def test_explain_shows_each_setting_with_its_origin(call: Call) -> None:
    """A setting has its value, its rule and the key that it was read from."""
    code, out, err = call("multihost_explain", "aurora")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    at = lines.index('ALLOWED_HOSTS = ["aurora.example.org", "www.aurora.example.org", "aurora.example.net"]')
    assert lines[at + 1] == "    hostnames and aliases; sites.toml:7: sites.aurora.hostnames"
    assert 'database.engine = "sqlite"' in lines
    assert [line for line in lines if line.startswith("# ")] == [f"# {HEADINGS[kind]}" for kind in ("fact", "setting")]


def test_explain_as_json_is_one_array(call: Call) -> None:
    """Machines get a table per fact and per setting, settings sorted by name."""
    _, out, _ = call("multihost_explain", "aurora", "--json")
    rows = json.loads(out)
    settings = [row["name"] for row in rows if row["kind"] == "setting"]
    assert settings == sorted(settings)
    assert {row["kind"] for row in rows} == {"fact", "setting"}
    columns = {"kind", "name", "value", "rule", "source", "overrides", "overrode"}
    assert all(set(row) == columns for row in rows)


FORMS = [[*more, *form] for more in ([], ["--all"], ["--rotation"]) for form in ([], ["--json"])]


@pytest.mark.parametrize("flags", FORMS, ids=" ".join)
def test_explain_masks_every_secret(call: Call, flags: list[str]) -> None:
    """Keys and passwords are in no form of the output; where there are values, they are ***."""
    code, out, _ = call("multihost_explain", "borealis", *flags)
    assert code == 0
    assert "--rotation" in flags or out.count('"***"') >= 2
    assert KEY not in out and PASSWORD not in out


def test_explain_says_what_replaces_the_projects_value(call: Call) -> None:
    """Where the project had another value, that is said."""
    _, out, _ = call("multihost_explain", "aurora", "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert (rows["DATABASES"]["overrides"], rows["ALLOWED_HOSTS"]["overrides"]) == (True, False)
    assert rows["DATABASES"]["overrode"] == {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "unused"}}
    assert "    overrides the project's {" in call("multihost_explain", "aurora")[1]


@pytest.mark.parametrize("site", ["auora", "corona", ""])
def test_explain_of_a_site_that_is_not_served_is_refused(call: Call, site: str) -> None:
    """An unknown, disabled or blank site is exit code 2."""
    code, out, err = call("multihost_explain", site)
    assert (code, out) == (2, "")
    assert err


def test_explain_runs_without_a_site_and_reads_no_secret(manage: Manage, project: object) -> None:
    """In build mode, with secret files that do not exist, everything is explained."""
    registry = Path(str(project), "sites.toml")
    text = registry.read_text().replace(f'password = "{PASSWORD}"', 'password_file = "/none/{site}"')
    registry.write_text(text.replace(f'secret_key = "{KEY}"', 'secret_key_file = "/none/key"'))
    result = manage("multihost_explain", "borealis", "--json")
    assert result.returncode == 0, result.stderr
    assert {row["name"]: row["value"] for row in json.loads(result.stdout)}["SECRET_KEY"] == "***"


def test_all_also_lists_what_the_project_decides(call: Call) -> None:
    """The settings that no site changes are marked as the project's, without Django's defaults."""
    _, out, _ = call("multihost_explain", "aurora", "--all", "--json")
    kinds = {row["name"]: row["kind"] for row in json.loads(out)}
    assert kinds["INSTALLED_APPS"] == "project"
    assert kinds["DATABASES"] == "setting"
    assert "APPEND_SLASH" not in kinds
    assert f"# {HEADINGS['project']}" in call("multihost_explain", "aurora", "--all")[1]


def test_all_shows_no_secret_of_the_project(manage: Manage, project: Path) -> None:
    """A project's keys and passwords are masked wherever its settings have them, before the resolver and after it."""
    marker = "a-project-secret-hunter9"
    settings = Path(project, "website/settings.py")
    own = f"""\
SECRET_KEY = "{marker}"
SENTRY_DSN = "https://{marker}@sentry.example.org/1"
BROKERS = ["amqp://user:{marker}@queue.example.org"]
NESTED = {{"a": [{{"client_secret": "{marker}"}}, "postgresql://h/d?password={marker}"]}}
REUSED = f"prefix-{{SECRET_KEY}}"
CACHES = {{"default": {{"LOCATION": "redis://:{marker}@h"}}, "other": {{"LOCATION": ["redis://:{marker}@h"]}}}}
resolve("""
    after = f'AFTER = "Bearer {marker}"\nAFTER_TOKEN = "{marker}"\n'
    settings.write_text(settings.read_text().replace("\nresolve(", f"\n{own}") + after)
    for flags in ([], ["--json"]):
        result = manage("multihost_explain", "aurora", "--all", *flags)
        assert result.returncode == 0, result.stderr
        assert "AFTER_TOKEN" in result.stdout and "BROKERS" in result.stdout
        assert marker not in result.stdout


def test_rotation_says_what_a_change_breaks(call: Call) -> None:
    """Each key and password of the site has what its change invalidates; the how-to is named once, for readers."""
    _, out, _ = call("multihost_explain", "--rotation", "borealis", "--json")
    found = {entry["name"]: entry for entry in json.loads(out)}
    assert list(found) == ["SECRET_KEY", "The platform's key", "The probe key", "The database's password"]
    assert found["The database's password"]["source"] == "sites.toml:12: sites.borealis.database.password"
    assert all(list(entry) == ["name", "made", "source", "invalidates"] for entry in found.values())
    lines = call("multihost_explain", "--rotation", "borealis")[1].splitlines()
    assert lines[0] == "SECRET_KEY"
    assert [line for line in lines if HOW_TO in line] == [lines[-1]] == [f"How to change them: {HOW_TO}"]


def test_rotation_is_not_asked_of_a_snapshot(call: Call, tmp_path: Path, registry: Path) -> None:
    """A snapshot does not say how its keys are made; the registry that it was written from is named."""
    folder = tmp_path / "snapshots"
    assert call("multihost_snapshot", "--output", folder)[0] == 0
    code, out, err = call("multihost_explain", "aurora", "--rotation", "--registry", folder)
    assert (code, out) == (2, "")
    assert str(registry) in err
    code, out, _ = call("multihost_explain", "aurora", "--json", "--registry", folder)
    assert code == 0
    sources = {row["name"]: row["source"] for row in json.loads(out)}
    assert sources["ALLOWED_HOSTS"] == "aurora.json: site.hostnames"


def test_variables_are_all_keys_of_a_registry(call: Call) -> None:
    """Each key that a registry accepts is listed with its type, its default, its meaning and its variables."""
    code, out, _ = call("multihost_explain", "--variables", "--json")
    rows = json.loads(out)
    assert code == 0
    assert [row["path"] for row in rows] == [key.path for key in declared()]
    port = next(row for row in rows if row["path"] == "sites.ID.database.port")
    assert port["variables"] == ["MULTIHOST_SITE_DATABASE__PORT", "MULTIHOST_PLATFORM_DATABASE__PORT"]
    assert (port["type"], port["default"], port["kind"]) == ("1 to 65535", "5432", "postgresql")
    lines = call("multihost_explain", "--variables")[1].splitlines()
    at = lines.index("sites.ID.database.port (postgresql)")
    assert lines[at + 1 : at + 3] == ["    1 to 65535; default: 5432", "    The server's port."]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--json"],
        ["--all"],
        ["--rotation"],
        ["aurora", "--variables"],
        ["--variables", "--all"],
        ["--variables", "--rotation"],
        ["--variables", "--schema"],
        ["aurora", "--schema"],
        ["--schema", "--all"],
        ["aurora", "--all", "--rotation"],
    ],
    ids=" ".join,
)
def test_arguments_that_ask_for_two_things_or_none_are_refused(call: Call, arguments: list[str]) -> None:
    """One site, or --variables, and one list of it: everything else is exit code 2 with a sentence."""
    code, out, err = call("multihost_explain", *arguments)
    assert code == 2 and ("problems" in out if arguments == ["--json"] else out == "")
    assert err.endswith(".")


def test_schema_is_json_that_knows_the_tables(call: Call) -> None:
    """The schema alone is printed, so that it can be sent to a file."""
    code, out, _ = call("multihost_explain", "--schema")
    schema = json.loads(out)
    assert code == 0
    assert set(schema["properties"]) == {"platform", "sites", "used"}


def test_variables_are_listed_where_no_registry_can_be_read(call: Call, registry: Path) -> None:
    """The list is about every registry, and needs none."""
    registry.unlink()
    code, out, err = call("multihost_explain", "--variables")
    assert code == 0, err
    assert "MULTIHOST_SITE_HOSTNAMES" in out
