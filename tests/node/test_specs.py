"""Specs of what a node knows: which sites are refused, and what they keep."""

from __future__ import annotations

import json
import pwd
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.node import specs as specs_module
from wagtail_multihost.node.reading import Known, without_deep_values
from wagtail_multihost.node.specs import NO_KEY, NOT_DEVELOPMENT, Specs, make_specs, make_standing
from wagtail_multihost.registry.keys import PLATFORM, SITE, declared
from wagtail_multihost.registry.neighbours import Neighbours
from wagtail_multihost.registry.node_file import NodeFile
from wagtail_multihost.registry.uniqueness import conflict_problems
from wagtail_multihost.spec.proofs import make_probe_key
from wagtail_multihost.spec.site import SiteSpec


def known(platform: Mapping[str, Any] | None = None, **records: Any) -> Known:
    sites = {
        name: {"uid": str(UUID(int=number + 1)), "revision": 1, "serial": None, "sealed": {}, "record": record}
        for number, (name, record) in enumerate(sorted(records.items()))
    }
    for name, table in sites.items():
        if isinstance(table["record"], dict):
            table["record"] = {"uid": table["uid"], "hostnames": [f"{name}.example.com"], **table["record"]}
    node = {"id": "web1", "address": "", "state": "active"}
    return Known("a", 5, 0, node, {"name": "aviary", **(platform or {})}, sites)


def node_file(*keys: str, **platform: Any) -> NodeFile:
    stated = {"data": "/srv/aviary", "snapshots": "/srv/aviary/snapshots", **platform}
    return NodeFile(Path("/etc/node.toml"), stated, {site: {"secret_key": f"env:KEY_{site}"} for site in keys})


def make(
    found: Known,
    touched: list[str] | None = None,
    former: Mapping[str, SiteSpec] | None = None,
    node: NodeFile | None = None,
    neighbours: Neighbours | None = None,
) -> Specs:
    node = node or node_file(*found.sites)
    environ = {f"KEY_{site}": f"a-secret-key-of-{site}-that-is-long-enough-to-be-taken" for site in found.sites}
    return make_specs(found, touched, former or {}, {}, node, environ, lambda *values: "", NOT_DEVELOPMENT, neighbours)


def test_value_that_nests_too_deeply_is_refused_of_every_key() -> None:
    deep: Any = 0
    for _ in range(500):
        deep = {"a": [deep]}
    names = {
        key.name if key.table == SITE else key.table.partition(".")[0] for key in declared() if key.table != PLATFORM
    }
    assert {"labels", "env", "database"} <= names
    for name in (*names - {"nodes"}, "surprise"):  # the node knows itself where it is
        sites = {site: {**table} for site, table in known(aurora={}, borealis={}).sites.items()}
        sites["aurora"]["record"] = {**sites["aurora"]["record"], name: deep}
        found = make(known()._replace(sites=without_deep_values(sites)))
        assert list(found.refused) == ["aurora"], name


@pytest.mark.parametrize("record", [{"hostnames": []}, {"surprise": 1}, {"hostnames": 7}, [], "text", None, 7])
def test_record_that_cannot_be_read_hurts_that_site_alone(record: Any) -> None:
    """It keeps its former spec, whatever stands in its place now."""
    before = make(known(aurora={}, borealis={}))
    assert not before.refused
    found = make(known(aurora=record, borealis={"admins": ["a@example.com"]}), None, before.sites)
    assert list(found.refused) == ["aurora"]
    assert found.sites["borealis"].admins == ("a@example.com",)
    assert "aurora" in found.sites


def test_refused_site_is_no_more_open_than_its_record_says() -> None:
    """Its former spec loses the hostnames that it has no more, and is not served once it is disabled or closed."""
    hosts = ["aurora.example.com", "old.example.com"]
    before = make(known(aurora={"hostnames": hosts}))
    broken = {"surprise": 1}
    fewer = make(known(aurora={**broken, "hostnames": ["aurora.example.com", "new.example.com"]}), None, before.sites)
    assert fewer.sites["aurora"].hostnames == ("aurora.example.com",)
    closed = make(known(aurora={**broken, "hostnames": hosts, "state": "suspended"}), None, before.sites)
    assert (closed.sites["aurora"].state, closed.sites["aurora"].enabled) == ("suspended", True)
    for record in ({"enabled": False}, {"enabled": "maybe"}, {"hostnames": ["other.example.com"]}, {"state": "odd"}):
        stopped = make(known(aurora={**broken, "hostnames": hosts, **record}), None, before.sites)
        assert not stopped.sites["aurora"].enabled, record


def test_site_without_a_key_is_refused_until_it_has_one() -> None:
    found = make(known(aurora={}, borealis={}), node=node_file("borealis"))
    assert found.refused == {"aurora": NO_KEY}
    assert list(found.sites) == ["borealis"]


def test_site_that_shares_something_is_refused_and_the_others_stay() -> None:
    """A new one is left out, and one that was good before keeps what it had; whoever was there first loses nothing."""
    before = make(known(aurora={}, borealis={}))
    taken = {"hostnames": ["borealis.example.com", "aurora.example.com"]}
    found = make(known(aurora={}, borealis=taken, corona=taken), ["borealis", "corona"], before.sites)
    assert sorted(found.refused) == ["borealis", "corona"]
    assert found.sites == {"aurora": before.sites["aurora"], "borealis": before.sites["borealis"]}


def test_sites_are_compared_only_with_those_they_may_share_something_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change takes no longer on a node with thousands of sites."""
    compared: list[str] = []

    def find(sites: Sequence[SiteSpec]) -> Iterator[Problem]:
        compared.extend(site.id for site in sites)
        return conflict_problems(sites)

    monkeypatch.setattr(specs_module, "conflict_problems", find)
    before = make(known(aurora={}, borealis={}, corona={}))
    neighbours = Neighbours()

    def change(**record: Any) -> list[str]:
        """Return the sites that were compared for this change of one of them."""
        compared.clear()
        found = make(known(aurora=record, borealis={}, corona={}), ["aurora"], before.sites, neighbours=neighbours)
        assert (not found.refused) == (record.get("hostnames") != ["borealis.example.com"])
        return compared

    assert change(admins=["a@example.com"], uwsgi={"processes": 3}) == ["aurora"]
    assert change(hostnames=["aurora.example.com", "new.example.com"]) == ["aurora"]
    assert change(hostnames=["borealis.example.com"])[:2] == ["aurora", "borealis"]
    assert change(csrf_cookie="own") == ["aurora"]


def test_platform_that_cannot_be_read_changes_nothing() -> None:
    before = make(known(aurora={}, borealis={}))
    with pytest.raises(ConfigurationError):
        make(known({"surprise": 1}, aurora={}, borealis={}), None, before.sites)


def test_account_that_is_root_by_its_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it is called. (A machine has one account with the number 0, so what looks it up is replaced.)"""

    def look_up(name: str) -> Any:
        if name.endswith("aurora"):
            return SimpleNamespace(pw_uid=0)
        return pwd.getpwnam(name)

    monkeypatch.setattr(specs_module, "pwd", SimpleNamespace(getpwnam=look_up))
    found = make(known(aurora={}, borealis={}), node=node_file("aurora", "borealis", user="site-{site}"))
    assert list(found.refused) == ["aurora"]
    assert "is root by its number" in found.refused["aurora"]
    with pytest.raises(ConfigurationError, match="is root by its number"):
        make(known(borealis={}), node=node_file("borealis", user="over-aurora"))


@pytest.mark.parametrize("account", ["root", "shadow", "www-data"])
def test_site_never_has_an_account_of_the_system(account: str) -> None:
    """Its id is anybody's to choose, and the account is named after it."""
    found = make(known(**{account: {}, "borealis": {}}), node=node_file(account, "borealis", user="{site}"))
    assert (list(found.refused), list(found.sites)) == ([account], ["borealis"])


def test_what_is_in_use_is_known_without_its_secrets() -> None:
    """After a start, a site whose key cannot be opened goes on."""
    standing = make_standing(known(aurora={}, borealis=[]), node_file(), {})
    assert list(standing) == ["aurora"]


@pytest.mark.parametrize(
    "field",
    [
        *("secret_key_file", "nginx.site_include", "uwsgi.site_include", "codebase", "hostnames", "database", "uid"),
        *("database.password_file", "database.host", "env.PATH", "surprise", "secret_key.x", "", "settings.NAME"),
    ],
)
def test_nothing_but_a_secret_can_be_sealed(tmp_path: Path, field: str) -> None:
    """Whoever owns the database can seal to a node's public key, and what is opened counts as the node's own word."""
    (tmp_path / "shadow").write_text("a-file-of-roots-that-no-site-may-have-and-that-is-long-enough")
    (tmp_path / "shadow").chmod(0o600)
    found = known(aurora={})
    found.sites["aurora"]["sealed"] = {field: {}}
    made = make_specs(found, None, {}, {}, node_file(), {}, lambda *sealed: str(tmp_path / "shadow"))
    assert "aurora" in made.refused
    assert "It is no secret" in made.refused["aurora"]
    assert not made.sites


def test_secrets_can_be_sealed() -> None:
    database = {"engine": "postgresql", "name": "a", "user": "a", "host": "h", "password": "sealed:"}
    found = known(aurora={"database": database})
    found.sites["aurora"]["sealed"] = {"secret_key": {}, "secret_key_fallbacks": {}, "database.password": {}}
    text = "a-secret-key-of-aurora-that-is-long-enough-to-be-taken"
    opened = {"secret_key_fallbacks": json.dumps([text[::-1]])}
    made = make_specs(found, None, {}, {}, node_file(), {}, lambda uid, field, sealing: opened.get(field, text))
    assert not made.refused
    assert made.sites["aurora"].database.password is not None


def test_sealed_probe_key_needs_no_word_in_the_record() -> None:
    """As each of a site's own keys. One of another form, which the operator never seals, is said as what it is."""
    found = known(aurora={})
    found.sites["aurora"]["sealed"] = {"secret_key": {}, "probe_key": {}}
    key = make_probe_key().reveal()
    for sealed in (key, "hunter2"):
        opened = {"secret_key": "a-secret-key-of-aurora-that-is-long-enough-to-be-taken", "probe_key": sealed}
        made = make_specs(found, None, {}, {}, node_file(), {}, lambda uid, field, sealing, own=opened: own[field])
        if sealed == key:
            own = made.sites["aurora"].probe_key
            assert own is not None and own.reveal() == key
        else:
            assert made.refused["aurora"].startswith("Site aurora: probe_key, as it is sealed: It is no probe key")
            assert "hunter2" not in made.refused["aurora"]


@pytest.mark.parametrize("refers", [False, True])
def test_sealed_value_counts_only_where_the_record_refers_to_it(refers: bool) -> None:
    """And what is wrong with it is not said of the node file, which does not have it."""
    database = {"engine": "sqlite", **({"password": "sealed:"} if refers else {})}
    found = known(aurora={"database": database})
    found.sites["aurora"]["sealed"] = {"database.password": {}}
    made = make(found)
    if refers:
        assert made.refused["aurora"].startswith("Site aurora: database.password, as it is sealed: The engine sqlite")
    else:
        assert not made.refused
        assert made.sites["aurora"].database.password is None
