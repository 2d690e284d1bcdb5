"""What is declared of the keys of a registry is what holds, and one line of a spec is all that a new key takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import open_registry
from wagtail_multihost.registry.keys import SITE, declared
from wagtail_multihost.spec import Secret

ROOT = Path(__file__).resolve().parents[2]
#: Keys that are each site's own: the platform may state none of them for all sites, or paths with {site} in them.
OWN = {
    "database": {"name", "user", "password", "path"},
    "storage": {"path", "bucket", "domain", "access_key", "secret_key"},
    "frontend": {"zone", "token", "access_key", "secret_key"},
}
#: Tables of which the platform may state every key: prefixes and senders keep the sites apart there.
SHARED_WHOLE = {"cache", "mail", "tls", "settings"}
#: What root renders, runs, becomes or opens, whether it asks for an account, and tables with such keys.
OF_THE_NODE = {
    "platform": {
        *("environment", "data", "sockets", "secret_key", "secret_key_file", "secret_keys", "group", "media_group"),
        *("user", "templates", "snapshots", "shares_registry"),
        *("nginx", "uwsgi", "systemd", "database", "cache", "storage", "mail", "frontend", "tls"),
        *("project_settings", "env", "codebases"),
    },
    "platform.project_settings.NAME": {"default_file"},
    "platform.env.NAME": {"type", "secret", "default", "meaning"},
    "platform.codebases.NAME": {"directory", "virtualenv", "wsgi", "settings_module", "pythonpath"},
    "platform.nginx": {
        *("http", "https", "user", "pid", "logs", "temp", "mime_types", "acme", "pages", "include", "site_include"),
        *("cache_path", "drain", "unhealthy", "authorities", "node_certificate", "node_key", "node_authority"),
        *("front_certificate", "front_key", "front_authority"),
    },
    "platform.uwsgi": {"http", "cgroup"},
    "platform.systemd": {"user"},
    SITE: {
        *("secret_key_file", "probe_key", "probe_key_file", "project_settings", "code"),
        *("nginx", "database", "cache", "storage", "mail", "frontend", "tls"),
    },
    "database": {"path", "password_file", "options"},
    "cache": {"password_file", "authority", "certificate", "key"},
    "storage": {"path", "authority", "access_key_file", "secret_key_file"},
    "mail": {"password_file"},
    "frontend": {"token_file", "access_key_file", "secret_key_file"},
    "tls": {"certificate", "key"},
    "code": {"directory", "virtualenv", "wsgi", "settings_module", "pythonpath"},
    "nginx": {"site_include"},
}
OF_THE_SITE = {SITE: {"hostnames", "aliases", "admins", "settings", "watched_pages"}}
PLACES = {
    "database": {"engine", "path", "name", "user", "host", "port"},
    "cache": {"backend", "host", "port", "number"},
    "storage": {"backend", "path", "bucket", "region", "endpoint"},
    "names": {"key_prefix", "index_prefix"},
}
#: What a front server needs, besides all options of nginx.
OF_FRONTS = {
    "platform": {
        *("name", "data", "sockets", "origin", "runner", "templates", "nodes", "secure_proxy_ssl_header"),
        *("storage", "tls", "nginx", "uwsgi", "systemd"),
    },
    "platform.uwsgi": {"harakiri"},
    "platform.systemd": {"timeout"},
    SITE: {
        *("hostnames", "aliases", "enabled", "state", "nodes", "storage", "tls", "nginx", "uwsgi", "systemd"),
        *("session_cookie", "csrf_cookie", "language_cookie"),
    },
    "uwsgi": {"harakiri"},
    "systemd": {"timeout"},
    "storage": {"backend", "domain", "querystring_expire"},
    "tls": {"certificate", "key", "pending", "off"},
}
LEFT_OUT_OF_SNAPSHOTS = {
    "platform": {
        *("revision", "user", "runner", "templates", "snapshots", "nodes", "codebases", "nginx", "uwsgi", "systemd"),
    },
    SITE: {
        "labels",
        "watched_pages",
        "state",
        "nodes",
        "node_group",
        "replicas",
        "codebase",
        "code",
        "nginx",
        "uwsgi",
        "systemd",
    },
    "platform.project_settings.NAME": {"default", "default_file", "meaning"},
    "platform.env.NAME": {"default", "meaning"},
    "platform.codebases.NAME": {"directory", "virtualenv", "wsgi", "settings_module", "pythonpath"},
}
OPTIONS = ("code", "nginx", "uwsgi", "systemd")
REFUSED_IN_SNAPSHOTS = {"secret_key", "secret_key_file", "secret_keys", "key_id"}


def found(**wanted: object) -> dict[str, set[str]]:
    """Return the keys of which all that is wanted is declared, by their tables."""
    tables: dict[str, set[str]] = {}
    for key in declared():
        if all(getattr(key, name) == value for name, value in wanted.items()):
            tables.setdefault(key.table, set()).add(key.name)
    return tables


def test_keys_of_the_node_are_those_that_root_acts_on() -> None:
    """No form and no API may reach a path that root opens, an account that it becomes, or a hook that it runs."""
    assert found(who="node") == OF_THE_NODE


def test_what_follows_references_is_the_nodes(tmp_path: Path) -> None:
    """Root reads whatever file a site's project_settings name, a neighbour's too: nobody states them by a form."""
    secret = tmp_path / "borealis.key"
    secret.write_text("the neighbour's key")
    secret.chmod(0o600)
    path = tmp_path / "sites.toml"
    path.write_text(
        f"[platform]\nname = 'aviary'\n[platform.project_settings.LICENCE]\nsecret = true\n"
        f"[sites.aurora]\nhostnames = ['a.localhost']\n[sites.aurora.project_settings]\nLICENCE_file = '{secret}'\n"
    )
    ((_, value),) = open_registry(path, {}).site("aurora")[1].project_settings
    assert isinstance(value, Secret) and value.reveal() == "the neighbour's key"
    assert [key.who for key in declared() if (key.table, key.name) == (SITE, "project_settings")] == ["node"]


def test_keys_of_a_sites_people_are_few() -> None:
    """They may say how the site is called and reached, and settings of Django that are listed."""
    assert {table: names for table, names in found(who="site").items() if table != "settings"} == OF_THE_SITE


def test_places_are_those_that_are_compared() -> None:
    """What decides where data is is stated per key."""
    assert found(place=True) == PLACES


def test_snapshots_refuse_the_platforms_keys() -> None:
    """A key of the platform in a site's snapshot would open every site."""
    assert found(snapshot="refused") == {"platform": REFUSED_IN_SNAPSHOTS}


def test_front_servers_need_what_they_show_and_how() -> None:
    """States, redirects, limits, caches and certificates; no database, no secret."""
    fronts = {table: names for table, names in found(front=True).items() if table.rpartition(".")[2] != "nginx"}
    assert fronts == OF_FRONTS
    assert not found(front=True, is_secret=True)


def test_snapshots_leave_out_what_a_sites_process_has_no_use_for() -> None:
    """A change of what servers and people alone use is none of the site's."""
    left_out = {
        name: keys for name, keys in found(snapshot="left out").items() if name.rpartition(".")[2] not in OPTIONS
    }
    assert left_out == LEFT_OUT_OF_SNAPSHOTS


@pytest.mark.parametrize("table", ["cache", "database", "frontend", "mail", "settings", "storage", "tls"])
def test_shared_keys_are_all_but_a_sites_own(table: str) -> None:
    """The platform may state each key of a table but those that must differ from site to site."""
    own = {key.name for key in declared() if key.table == table and not key.is_shared}
    of_files = {key.name.removesuffix("_file") for key in declared() if key.table == table and key.needs_site}
    assert own | of_files == (set() if table in SHARED_WHOLE else OWN[table])


TOKENS = [(table, name) for table in OWN for name in sorted(OWN[table])]
KINDS = {
    ("database", "path"): 'engine = "sqlite"',
    ("storage", "path"): 'backend = "files"',
    ("frontend", "token"): 'backend = "cloudflare"',
}
PLAIN = {
    "database": 'engine = "postgresql", host = "db.internal"',
    "storage": 'backend = "s3"',
    "frontend": 'backend = "cloudfront"',
}


@pytest.mark.parametrize(("table", "name"), TOKENS)
def test_a_key_of_its_own_is_refused_for_all_sites(table: str, name: str, tmp_path: Path) -> None:
    """The platform's value of it would be every site's: one token would purge, read or open all of them."""
    fields = KINDS.get((table, name), PLAIN[table])
    path = tmp_path / "sites.toml"
    path.write_text(
        f'[platform]\nname = "aviary"\n{table} = {{ {fields}, {name} = "a1" }}\n'
        '[sites.aurora]\nhostnames = ["aurora.example.org"]\n',
        encoding="utf-8",
    )
    with pytest.raises(ConfigurationError) as caught:
        open_registry(path, {}).load()
    shared = [problem for problem in caught.value.problems if problem.message.startswith("Every site would share")]
    assert [problem.where for problem in shared] == [f"sites.toml: platform.{table}.{name}"]
