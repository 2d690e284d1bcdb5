"""multihost_sites: the list, pins, and the report of a registry with problems."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

from tests.commands.conftest import BROKEN, KEY, PASSWORD, Called, Manage

Call = Callable[..., Called]


def test_sites_lists_every_site(call: Call) -> None:
    """A line for each site: id, state, hostnames and aliases."""
    code, out, err = call("multihost_sites")
    assert (code, err) == (0, "")
    assert [line.split() for line in out.splitlines()] == [
        ["aurora", "enabled", "aurora.example.org", "www.aurora.example.org", "aurora.example.net"],
        ["borealis", "enabled", "borealis.example.org"],
        ["corona", "disabled", "corona.example.org"],
    ]


def test_sites_as_json_is_one_array(call: Call) -> None:
    """Machines get every site with its names, and no secret."""
    _, out, _ = call("multihost_sites", "--json")
    aurora, borealis, corona = json.loads(out)
    assert (aurora["id"], aurora["hostnames"][0], aurora["aliases"]) == (
        "aurora",
        "aurora.example.org",
        ["aurora.example.net"],
    )
    assert (aurora["database"], borealis["database"]) == ("sqlite", "postgresql")
    assert (aurora["origin"], aurora["cache"], aurora["storage"]) == ("https://aurora.example.org", "locmem", "files")
    assert (corona["enabled"], corona["pinned"]) == (False, False)
    assert set(aurora["names"]) == {"database", "role", "bucket", "key_prefix", "index_prefix", "socket"}
    assert KEY not in out and PASSWORD not in out


def test_sites_of_an_empty_registry_is_an_empty_list(call: Call, registry: Path) -> None:
    """A platform without sites is valid."""
    registry.write_text('[platform]\nname = "aviary"\n')
    assert call("multihost_sites")[:2] == (0, "")
    assert json.loads(call("multihost_sites", "--json")[1]) == []


def test_sites_pin_writes_names_and_keeps_comments(call: Call, registry: Path) -> None:
    """Pinning writes uid and names of every site into the file, once, and says which."""
    before = {site["id"]: (site["uid"], site["names"]) for site in json.loads(call("multihost_sites", "--json")[1])}
    code, _, err = call("multihost_sites", "--pin")
    assert (code, err.split()) == (0, ["Pinned:", "aurora", "Pinned:", "borealis", "Pinned:", "corona"])
    text = registry.read_text()
    assert text.startswith("# The registry of the tests.\n")
    assert {site: (table["uid"], table["names"]) for site, table in tomllib.loads(text)["sites"].items()} == before
    assert call("multihost_sites", "--pin")[2] == ""
    assert registry.read_text() == text


def test_sites_with_problems_reports_them_all(manage: Manage, project: Path) -> None:
    """The report of every problem is on stderr, with exit code 2, without a traceback or a secret."""
    (project / "sites.toml").write_text(BROKEN)
    result = manage("multihost_sites")
    assert (result.returncode, result.stdout) == (2, "")
    for where in ("sites.Draco", "sites.eridanus.database", "sites.eridanus.hostnames"):
        assert where in result.stderr
    assert "Traceback" not in result.stderr
    assert KEY not in result.stderr and PASSWORD not in result.stderr


def test_sites_without_a_registry_says_where_it_looked(manage: Manage, project: Path) -> None:
    """A missing registry is exit code 2 and the path."""
    (project / "sites.toml").unlink()
    result = manage("multihost_sites")
    assert (result.returncode, str(project / "sites.toml") in result.stderr) == (2, True)
    assert "Traceback" not in result.stderr


def test_sites_pin_of_the_environment_is_refused(manage: Manage) -> None:
    """Only a file can be pinned."""
    environ = {"MULTIHOST_SITE_HOSTNAMES": "aurora.example.org", "MULTIHOST_PLATFORM_NAME": "aviary"}
    result = manage("multihost_sites", "--pin", "--registry", "env:", environ=environ)
    assert (result.returncode, "Traceback" in result.stderr) == (2, False)
