"""multihost_explain: every setting, where it came from, and no secret."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.commands.conftest import KEY, PASSWORD, Called, Manage

Call = Callable[..., Called]


def test_explain_shows_each_setting_with_its_origin(call: Call) -> None:
    """A setting has its value, its rule and the key that it was read from."""
    code, out, err = call("multihost_explain", "aurora")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    at = lines.index('ALLOWED_HOSTS = ["aurora.example.org", "www.aurora.example.org", "aurora.example.net"]')
    assert lines[at + 1] == "    hostnames and aliases; sites.toml: sites.aurora.hostnames"


def test_explain_as_json_is_one_array(call: Call) -> None:
    """Machines get a table per setting, sorted by name."""
    _, out, _ = call("multihost_explain", "aurora", "--json")
    rows = json.loads(out)
    assert [row["name"] for row in rows] == sorted(row["name"] for row in rows)
    assert all(set(row) == {"name", "value", "rule", "source", "overrides"} for row in rows)


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_explain_masks_every_secret(call: Call, flags: list[str]) -> None:
    """Keys and passwords are ***, in both forms."""
    _, out, _ = call("multihost_explain", "borealis", *flags)
    assert out.count('"***"') >= 2
    assert KEY not in out and PASSWORD not in out


def test_explain_says_what_replaces_the_projects_value(call: Call) -> None:
    """Where the project had another value, that is said."""
    _, out, _ = call("multihost_explain", "aurora", "--json")
    overrides = {row["name"]: row["overrides"] for row in json.loads(out)}
    assert (overrides["DATABASES"], overrides["ALLOWED_HOSTS"]) == (True, False)
    assert "(overrides the project's)" in call("multihost_explain", "aurora")[1]


@pytest.mark.parametrize("site", ["auora", "corona", ""])
def test_explain_of_a_site_that_is_not_served_is_refused(call: Call, site: str) -> None:
    """An unknown, disabled or blank site is exit code 2."""
    code, out, err = call("multihost_explain", site)
    assert (code, out) == (2, "")
    assert err


def test_explain_runs_without_a_site_and_reads_no_secret(manage: Manage, project: object) -> None:
    """In build mode, with secret files that do not exist, everything is explained."""
    from pathlib import Path

    registry = Path(str(project), "sites.toml")
    text = registry.read_text().replace(f'password = "{PASSWORD}"', 'password_file = "/none/{site}"')
    registry.write_text(text.replace(f'secret_key = "{KEY}"', 'secret_key_file = "/none/key"'))
    result = manage("multihost_explain", "borealis", "--json")
    assert result.returncode == 0, result.stderr
    assert {row["name"]: row["value"] for row in json.loads(result.stdout)}["SECRET_KEY"] == "***"
