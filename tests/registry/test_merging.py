"""What a database said with the node's own keys on top: which of the two may state what."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.accounts import needs_root
from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.registry.keys import Key, declared, keys_in
from wagtail_multihost.registry.merging import merge_node_file
from wagtail_multihost.registry.node_file import NodeFile, find_node_file, foreign_key_problems, read_node_file
from wagtail_multihost.registry.node_keys import leaves, platform_table, site_table
from wagtail_multihost.registry.postgres import Reading
from wagtail_multihost.registry.postgres_url import parse_postgres_url
from wagtail_multihost.registry.record import Record
from wagtail_multihost.registry.references import ReferenceRules

RULES = ReferenceRules("/etc/secrets/{site}", "SECRET_{SITE}_")
HOSTS = ["aurora.example.org"]
Tables = Mapping[str, Any]


def merged(platform: object, site: object, node: NodeFile | None = None) -> tuple[Record, list[Record]]:
    reading = Reading("incarnation", 7, platform, {"aurora": site})
    node = node or node_file()
    return merge_node_file(reading, node, {}, reads_secrets=False)


def node_file(platform: Tables | None = None, rules: ReferenceRules = RULES, **sites: Tables) -> NodeFile:
    own = {"data": "/srv/data", **(platform or {})}
    tables = {site: dict(table) for site, table in sites.items()}
    return NodeFile(Path("/etc/multihost/node.toml"), own, tables, rules)


def values(record: Record) -> dict[str, Any]:
    return {key: entry.value for key, entry in record.entries.items()}


def told(record: Record) -> list[tuple[str, str]]:
    return [(problem.where, problem.site) for problem in record.problems]


def test_node_states_its_keys_beside_those_of_the_database() -> None:
    """Table by table, and in the place of nothing."""
    node = node_file({"nginx": {"logs": "/srv/logs"}, "user": "mh-{site}"}, aurora={"code": {"wsgi": "a.wsgi:app"}})
    platform, (site,) = merged({"name": "aviary", "nginx": {"timeout": 5}}, {"hostnames": HOSTS}, node)
    assert values(platform) == {
        "name": "aviary",
        "nginx": {"timeout": 5, "logs": "/srv/logs"},
        "data": "/srv/data",
        "user": "mh-{site}",
    }
    assert values(site) == {"hostnames": HOSTS, "code": {"wsgi": "a.wsgi:app"}}
    assert platform.problems == []


OF_NODE = [key for key in declared() if key.who == "node"]
#: Their secrets are a site's own, and may be in its folder.
REFERENCES = {
    *("sites.ID.secret_key_file", "sites.ID.database.password_file", "sites.ID.cache.password_file"),
    *("sites.ID.storage.access_key_file", "sites.ID.storage.secret_key_file", "sites.ID.mail.password_file"),
    *("sites.ID.frontend.token_file", "sites.ID.frontend.access_key_file", "sites.ID.frontend.secret_key_file"),
}


def table_with(key: Key) -> dict[str, Any]:
    """Return a record that states a key."""
    table: dict[str, Any] = {key.name: "/x"}
    outer = () if key.table in ("platform", "sites.ID") else key.table.removeprefix("platform.").split(".")
    for name in reversed(outer):
        table = {name: table}
    return table


@pytest.mark.parametrize("key", OF_NODE, ids=lambda key: key.path)
def test_each_key_of_the_node_is_refused_of_the_database(key: Key) -> None:
    """The platform's or a site's, in whichever table, but for files of a site's secrets; of tables what is in them."""
    keys = platform_table() if key.table.startswith("platform") else site_table()
    found = [leaf for leaf in leaves(table_with(key), keys, ()) if leaf.is_of_node and not leaf.is_reference]
    assert bool(found) is not (key.path in REFERENCES or bool(keys_in(key, declared())))


def test_key_of_the_node_is_a_problem_of_its_record_alone() -> None:
    """It is left out, so that nothing else is said of it, and root never acts on it."""
    platform, (site,) = merged({"name": "aviary"}, {"hostnames": HOSTS, "code": {"wsgi": "evil.wsgi:app"}})
    assert told(platform) == [("Site aurora: code.wsgi", "aurora")]
    assert values(site) == {"hostnames": HOSTS, "code": {}}
    platform, _ = merged({"name": "aviary", "user": "root", "nginx": {"include": "/x", "timeout": 5}}, {})
    assert told(platform) == [("Platform: nginx.include", ""), ("Platform: user", "")]
    assert values(platform)["nginx"] == {"timeout": 5}
    assert "user" not in platform.entries


def test_url_is_looked_into_and_taken_apart() -> None:
    """What a database states as a URL has the node's keys beside it too."""
    _, (site,) = merged(
        {"name": "aviary"},
        {"database": "postgresql://db:5433/name"},
        node_file(aurora={"database": {"password_file": "/etc/db"}}),
    )
    assert values(site)["database"] == {
        "engine": "postgresql",
        "host": "db",
        "port": 5433,
        "name": "name",
        "password_file": "/etc/db",
    }


def test_what_is_no_url_and_no_table_is_left_to_the_readers() -> None:
    """They say what it should be."""
    platform, (site,) = merged(
        {"name": "aviary"}, {"database": 5, "hostnames": HOSTS}, node_file(aurora={"database": {"path": "/db"}})
    )
    assert values(site)["database"] == 5
    assert platform.problems == []


@pytest.mark.parametrize("record", [5, None, [], "x"])
def test_record_that_is_no_table_is_reported(record: object) -> None:
    """A site's hurts that site, the platform's all of them."""
    platform, sites = merged({"name": "aviary"}, record)
    assert told(platform) == [("Site aurora", "aurora")]
    assert sites == []
    platform, _ = merged(record, {})
    assert told(platform)[0] == ("Platform", "")


def test_key_that_both_state_is_reported() -> None:
    """Only files of secrets can be in both."""
    node = node_file(aurora={"secret_key_file": "/etc/key"})
    platform, (site,) = merged({"name": "aviary"}, {"secret_key_file": "/etc/secrets/aurora/key"}, node)
    assert told(platform) == [("Site aurora: secret_key_file", "aurora")]
    assert values(site)["secret_key_file"] == "/etc/secrets/aurora/key"


def test_problems_of_a_site_that_is_not_there_hurt_nobody() -> None:
    """The node file may state something of a site that was retired."""
    node = node_file()._replace(
        problems=(Problem("node.toml: sites.gone.x", "No.", "gone"), Problem("node.toml", "No."))
    )
    platform, _ = merged({"name": "aviary"}, {}, node)
    assert told(platform) == [("node.toml", "")]


def test_references_of_the_database_are_confined_and_those_of_the_node_are_not() -> None:
    """Root may say where root's own secrets are."""
    node = node_file(aurora={"database": {"password_file": "/anywhere"}})
    record, (site,) = merged({"name": "aviary"}, {"secret_key": "env:SECRET_OTHER_KEY"}, node)
    source = site.source
    path = ("sites", "aurora", "database", "password_file")
    assert source.secret_file_problem("/anywhere", path, "aurora") == ""
    assert source.secret_file_problem("/anywhere", ("sites", "aurora", "secret_key_file"), "aurora") != ""
    site.take_secret("secret_key")
    assert told(record) == [("Site aurora: secret_key", "aurora")]
    record, (site,) = merged({"name": "aviary"}, {"secret_key_file": "/etc/secrets/other/key"})
    site.take_secret("secret_key")
    assert told(record) == [("Site aurora: secret_key_file", "aurora")]


@pytest.mark.parametrize(
    ("path", "label"),
    [
        (("platform", "origin"), "Platform: origin"),
        (("platform",), "Platform"),
        (("sites", "aurora", "database", "host"), "Site aurora: database.host"),
        (("sites", "aurora"), "Site aurora"),
        (("sites", "a\nb", "x y"), "Site 'a\\nb': 'x y'"),
        (("sites",), "Registry: sites"),
        (("platform", "data"), "node.toml: platform.data"),
        (("platform", "secret_key_file"), "node.toml: platform.secret_key_file"),
        (("platform", "nginx", "include"), "node.toml: platform.nginx.include"),
        (("platform", "nginx", "timeout"), "Platform: nginx.timeout"),
        (("platform", "codebases", "shop", "wsgi"), "node.toml: platform.codebases.shop.wsgi"),
        (("sites", "aurora", "code", "wsgi"), "node.toml: sites.aurora.code.wsgi"),
        (("sites", "aurora", "database", "password_file"), "Site aurora: database.password_file"),
    ],
)
def test_keys_are_named_as_operators_know_them(path: tuple[str, ...], label: str) -> None:
    """By whose record they are in, or by the node file."""
    record, _ = merged({"name": "aviary"}, {})
    assert record.source.label(path) == label


def test_node_file_without_a_data_folder_is_reported() -> None:
    """With where to state it, also where there is no node file."""
    record, _ = merged({"name": "aviary"}, {}, NodeFile(None, {}, {}))
    assert told(record) == [("MULTIHOST_NODE_FILE or /etc/multihost/node.toml: platform.data", "")]


def test_revision_is_the_databases() -> None:
    """An imported record may have another one."""
    record, _ = merged({"name": "aviary", "revision": 3}, {})
    assert "revision" not in record.entries
    assert record.source.revision == 7


def test_keys_of_people_are_refused_in_the_node_file() -> None:
    """Secrets in the clear too; the names of variables are accepted, as paths of files are."""
    found = foreign_key_problems(
        {"origin": "https://x", "data": "/d", "database": {"host": "db", "password_file": "/p"}},
        {"aurora": {"hostnames": HOSTS, "code": {"wsgi": "a"}, "database": {"password": "x"}, "nonsense": 1}}
        | {"borealis": {"database": {"password": "env:X"}, "secret_key_fallbacks": ["env:Y"]}},
        "node.toml",
    )
    assert [(problem.where, problem.site) for problem in found] == [
        ("node.toml: platform.origin", ""),
        ("node.toml: platform.database.host", ""),
        ("node.toml: sites.aurora.hostnames", "aurora"),
        ("node.toml: sites.aurora.database.password", "aurora"),
        ("node.toml: sites.aurora.nonsense", "aurora"),
    ]


@pytest.mark.parametrize("stated", ["", "node.toml", "./node.toml"])
def test_path_of_the_node_file_is_absolute(stated: str) -> None:
    """A relative one would be another file in each folder."""
    with pytest.raises(ConfigurationError, match="It must be an absolute path"):
        find_node_file({"MULTIHOST_NODE_FILE": stated})


def test_node_file_that_is_stated_and_missing_is_an_error(tmp_path: Path) -> None:
    """One that is not stated need not be there."""
    path = tmp_path / "node.toml"
    with pytest.raises(ConfigurationError, match="There is no node file here") as refused:
        read_node_file({"MULTIHOST_NODE_FILE": str(path)})
    assert refused.value.problems[0].where == str(path)
    path.write_text("[platform\n")
    with pytest.raises(ConfigurationError, match="The node file is not valid TOML") as refused:
        read_node_file({"MULTIHOST_NODE_FILE": str(path)})
    assert refused.value.problems[0].line == 1


@pytest.mark.parametrize("mode", [0o622, 0o660, 0o606])
def test_node_file_that_others_may_write_is_not_read(tmp_path: Path, mode: int) -> None:
    """Root acts on what it says."""
    path = tmp_path / "node.toml"
    path.touch()
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match=f"it is not accepted. It has the mode {mode:04o}"):
        read_node_file({"MULTIHOST_NODE_FILE": str(path)})


@needs_root
def test_node_file_in_production_is_roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the process is another account: that one could have been led to change it."""
    path = tmp_path / "node.toml"
    path.write_text('[platform]\nenvironment = "production"\n')
    os.chown(path, 65534, 0)
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    with pytest.raises(ConfigurationError, match="not accepted in production: only root may change it"):
        read_node_file({"MULTIHOST_NODE_FILE": str(path)})
    path.write_text('[platform]\nenvironment = "development"\n')
    assert read_node_file({"MULTIHOST_NODE_FILE": str(path)}).problems == ()


def test_node_file_has_tables_of_sites(tmp_path: Path) -> None:
    """What is none, and whose id cannot be one, is told."""
    path = tmp_path / "node.toml"
    path.write_text("secrets = 1\n[platform]\n[sites]\naurora = 5\nDraco = {}\n[other]\n")
    node = read_node_file({"MULTIHOST_NODE_FILE": str(path)})
    assert {(problem.where, problem.message.split(" ")[0]) for problem in node.problems} == {
        ("node.toml: secrets", "It"),
        ("node.toml: sites.aurora", "It"),
        ("node.toml: sites", "The"),
        ("node.toml: other", "The"),
    }
    assert parse_postgres_url("postgres://db/c").parameters  # the module loads without a driver


def test_text_of_before_is_accepted_no_longer_than_the_file_is(tmp_path: Path) -> None:
    """What a text says is remembered; whether the file may be used is asked of the file each time."""
    path, environ = tmp_path / "node.toml", {"MULTIHOST_NODE_FILE": str(tmp_path / "node.toml")}
    path.write_text('[platform]\ndata = "/srv/data"\n')
    path.chmod(0o600)
    first = read_node_file(environ)
    assert read_node_file(environ) == first
    path.chmod(0o666)
    with pytest.raises(ConfigurationError, match="node file cannot be read: it is not accepted"):
        read_node_file(environ)
    path.chmod(0o600)
    path.write_text('[platform]\ndata = "/srv/dota"\n')
    assert read_node_file(environ).platform == {"data": "/srv/dota"}
    path.write_text("[platform")
    with pytest.raises(ConfigurationError, match="not valid TOML"):
        read_node_file(environ)
    path.unlink()
    with pytest.raises(ConfigurationError, match="There is no node file here"):
        read_node_file(environ)
