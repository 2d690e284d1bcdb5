"""multihost_sites: the list, pins, and the report of a registry with problems."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.commands.conftest import BROKEN, KEY, PASSWORD, REGISTRY, Called, Manage
from wagtail_multihost.identity.asking import Asker
from wagtail_multihost.management import progress
from wagtail_multihost.management.commands import multihost_sites
from wagtail_multihost.management.commands.multihost_sites import as_table
from wagtail_multihost.publishing.pins import PinChoices
from wagtail_multihost.registry import open_registry

EXAMPLES = Path(__file__).parents[2] / "docs/examples"
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


def test_sites_are_listed_in_columns(call: Call) -> None:
    """Ids and states are as wide as the longest, two blanks apart."""
    assert call("multihost_sites")[1].splitlines()[1:] == [
        "borealis  enabled   borealis.example.org",
        "corona    disabled  corona.example.org",
    ]


def test_sites_as_json_have_each_part_of_a_site(registry: Path) -> None:
    """Every column is that of the record."""
    text = REGISTRY.replace("[platform]", '[platform]\nrevision = 7\norigin = "http://{hostname}:81"')
    registry.write_text(text)
    contents = open_registry(registry, {}).load()
    for site in contents.sites:
        assert as_table(contents.platform, site, None) == {
            "id": site.id,
            "uid": str(site.uid),
            "enabled": site.id != "corona",
            "pinned": False,
            "revision": 7,
            "hostnames": list(site.hostnames),
            "aliases": list(site.aliases),
            "origin": f"http://{site.hostnames[0]}:81",
            "database": site.database.engine,
            "cache": "locmem",
            "storage": "files",
            "names": {
                "database": site.names.database,
                "role": site.names.role,
                "bucket": site.names.bucket,
                "key_prefix": site.names.key_prefix,
                "index_prefix": site.names.index_prefix,
                "socket": site.names.socket,
            },
            "pin": None,
        }
    written: Any = SimpleNamespace(is_new=True, why="because")
    assert as_table(contents.platform, contents.sites[0], written)["pin"] == {"new": True, "why": "because"}


def test_sites_pin_asks_for_what_the_options_say(call: Call, registry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sites that are kept and new ones are told apart; ``--keep`` without an id keeps all; each pin is told."""
    wished: list[PinChoices] = []

    def pinned(registry: object, choices: PinChoices, asker: Asker, watch: object) -> list[Any]:
        wished.append(choices)
        assert isinstance(asker, Asker)
        return [
            SimpleNamespace(site="aurora", uid="u-1", is_new=True, why="it is new"),
            SimpleNamespace(site="borealis", uid="u-2", is_new=False, why="it is in use"),
        ]

    monkeypatch.setattr(multihost_sites, "pin_sites", pinned)
    code, out, err = call("multihost_sites", "--pin", "--keep", "borealis", "--new", "aurora", "--json")
    assert code == 0
    assert err.splitlines() == [
        "Pinned: aurora, with the new uid u-1: it is new.",
        "Pinned: borealis, as it is: it is in use.",
    ]
    assert [row["pin"] for row in json.loads(out)] == [
        {"new": True, "why": "it is new"},
        {"new": False, "why": "it is in use"},
        None,
    ]
    for words in (["--keep"], []):
        call("multihost_sites", "--pin", *words)
    assert [(list(each.keep), list(each.new), each.keeps_all) for each in wished] == [
        (["borealis"], ["aurora"], False),
        ([], [], True),
        ([], [], False),
    ]


def test_sites_of_an_empty_registry_is_an_empty_list(call: Call, registry: Path) -> None:
    """A platform without sites is valid."""
    registry.write_text('[platform]\nname = "aviary"\n')
    assert call("multihost_sites")[:2] == (0, "")
    assert json.loads(call("multihost_sites", "--json")[1]) == []


def test_sites_pin_writes_names_and_keeps_comments(call: Call, registry: Path) -> None:
    """Pinning writes uid and names of every site into the file, once, and says which."""
    before = {site["id"]: (site["uid"], site["names"]) for site in json.loads(call("multihost_sites", "--json")[1])}
    code, out, err = call("multihost_sites", "--pin", "--keep", "--json")
    why = "--keep says that it is the same site"
    assert (code, err.splitlines()) == (
        0,
        [f"Pinned: {site}, as it is: {why}." for site in ("aurora", "borealis", "corona")],
    )
    assert [site["pin"] for site in json.loads(out)] == [{"new": False, "why": why}] * 3
    text = registry.read_text()
    assert text.startswith("# The registry of the tests.\n")
    assert {site: (table["uid"], table["names"]) for site, table in tomllib.loads(text)["sites"].items()} == before
    _, out, err = call("multihost_sites", "--pin", "--json")
    assert (err, [site["pin"] for site in json.loads(out)]) == ("", [None] * 3)
    assert registry.read_text() == text


def test_sites_pin_tells_every_site_that_may_be_in_use(call: Call, registry: Path) -> None:
    """A database that cannot be asked, and ids that are no site's, are one report, and nothing is written."""
    before = registry.read_text()
    code, out, err = call("multihost_sites", "--pin", "--keep", "draco", "--new", "eridanus", "corona")
    assert (code, out) == (2, "")
    assert "sites.borealis: It is not known whether the site is in use: its database on db.internal:5432" in err
    assert "--keep borealis" in err and "--new borealis" in err
    assert "--keep: The registry has no site draco" in err
    assert "--new: The registry has no site eridanus" in err
    assert PASSWORD not in err
    assert registry.read_text() == before


@pytest.mark.parametrize("options", [("--keep",), ("--keep", "aurora"), ("--new", "aurora")])
def test_sites_without_pin_takes_no_word_about_pins(call: Call, options: tuple[str, ...]) -> None:
    """Who forgets --pin is told so."""
    code, out, err = call("multihost_sites", *options)
    assert (code, out) == (2, "")
    assert "with --pin only" in err


def test_sites_in_production_cautions_of_pins_that_are_nowhere_noted(call: Call, registry: Path) -> None:
    """Pins that an earlier version or a person wrote are not in the table of used ids, until --pin notes them."""
    registry.write_text((EXAMPLES / "pinned.toml").read_text().partition("\n[used]")[0])
    code, _, err = call("multihost_sites")
    assert (code, "does not have the pins of aurora" in err) == (0, True)
    assert call("multihost_sites", "--pin")[0] == 0
    assert call("multihost_sites")[2] == ""


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


def test_sites_show_progress_to_who_looks(
    call: Call, registry: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Reading them, and deciding about the pins of each."""
    monkeypatch.setattr(progress, "SHOWN_AFTER", 0.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert call("multihost_sites", "--pin", "--keep")[0] == 0
    assert capsys.readouterr().err.count("0/3 [") == 2
    assert call("multihost_sites", verbosity=0)[0] == 0
    assert capsys.readouterr().err == ""
