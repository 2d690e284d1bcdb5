"""What is declared of the keys of a registry is what holds, and one line of a spec is all that a new key takes."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import open_registry
from wagtail_multihost.registry.keys import SITE, declared

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
    },
    "platform.nginx": {
        *("http", "https", "user", "pid", "logs", "temp", "mime_types", "acme", "pages", "include", "site_include"),
        *("cache_path", "authorities", "node_certificate", "node_key", "node_authority"),
        *("front_certificate", "front_key", "front_authority"),
    },
    "platform.uwsgi": {"http", "cgroup"},
    "platform.systemd": {"user"},
    SITE: {"secret_key_file", "code", "nginx", "database", "cache", "storage", "mail", "frontend", "tls"},
    "database": {"path", "password_file", "options"},
    "cache": {"password_file"},
    "storage": {"path", "access_key_file", "secret_key_file"},
    "mail": {"password_file"},
    "frontend": {"token_file", "access_key_file", "secret_key_file"},
    "tls": {"certificate", "key"},
    "code": {"directory", "virtualenv", "wsgi", "settings_module", "pythonpath"},
    "nginx": {"site_include"},
}
OF_THE_SITE = {SITE: {"hostnames", "aliases", "admins", "settings"}}
PLACES = {
    "database": {"engine", "path", "name", "user", "host", "port"},
    "cache": {"backend", "host", "port", "number"},
    "storage": {"backend", "path", "bucket", "region", "endpoint"},
    "names": {"key_prefix", "index_prefix"},
}
#: What a front server needs, besides all options of nginx.
OF_FRONTS = {
    "platform": {
        *("name", "data", "sockets", "origin", "runner", "templates", "nodes", "storage", "tls", "nginx"),
    },
    SITE: {"hostnames", "aliases", "enabled", "state", "nodes", "nginx", "storage", "tls"},
    "tls": {"certificate", "key", "pending", "off"},
}
LEFT_OUT_OF_SNAPSHOTS = {
    "platform": {"revision", "user", "runner", "templates", "snapshots", "nodes", "nginx", "uwsgi", "systemd"},
    SITE: {"labels", "state", "nodes", "code", "nginx", "uwsgi", "systemd"},
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


NEW_KEY = """    reply_to: str = key(
        Kind("mail address", str, lambda value: value), "Where answers go.", "", of=SMTP
    )

    def __post_init__"""
PROBE = """
import json, os, sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
import wagtail_multihost
assert wagtail_multihost.__file__.startswith(os.getcwd()), wagtail_multihost.__file__
from wagtail_multihost.registry import open_registry
from wagtail_multihost.registry.base import Contents
from wagtail_multihost.registry.keys import declared
from wagtail_multihost.registry.keys.schema import json_schema
from wagtail_multihost.publishing.snapshot_draft import drafts
from wagtail_multihost.spec.secret import Secret
from docs.generated import keys_of
[key] = [key for key in declared() if key.name == "reply_to"]
registry = open_registry(Path("docs/examples/every-key.toml"), {})
contents = registry.load()
stated = next(site for site in contents.sites if site.id == "aurora")
own = replace(stated, **{part: None for part in ("frontend",)}, secret_key_fallbacks=(),
    mail=replace(stated.mail, password=Secret("hidden")), database=replace(stated.database, password=Secret("hidden")),
    cache=replace(stated.cache, password=None),
    storage=replace(stated.storage, access_key=None, secret_key=None))
[draft] = drafts(Path("/nowhere"), registry, Contents(contents.platform, (own,)), datetime.now(UTC))
environ = {"MULTIHOST_SITE": "aurora", "MULTIHOST_SITE_HOSTNAMES": "aurora.example.org",
    "MULTIHOST_PLATFORM_NAME": "aviary", "MULTIHOST_SITE_MAIL__HOST": "mail.internal",
    "MULTIHOST_SITE_MAIL__REPLY_TO": "e@example.org"}
mail = open_registry("env:", environ).load().sites[0].mail
refused = {**environ, "MULTIHOST_SITE_MAIL__BACKEND": "console"}
del refused["MULTIHOST_SITE_MAIL__HOST"]
try:
    open_registry("env:", refused).load()
    problems = []
except Exception as error:
    problems = [problem.where for problem in error.problems]
site = json_schema()["properties"]["sites"]["patternProperties"]
[found] = [table["properties"]["mail"]["anyOf"][1]["properties"] for table in site.values()]
print(json.dumps([key.path, key.variables, stated.mail.reply_to, draft.document["site"]["mail"]["reply_to"],
    mail.reply_to, problems, found["reply_to"]["type"], "`reply_to`" in keys_of("mail")]))
"""


def test_a_plain_key_is_one_line_of_a_spec_and_one_of_the_example(tmp_path: Path) -> None:
    """
    It is read from files and variables, refused where it does not belong, held by snapshots, and in the reference and
    the schema, without another change.
    """
    for folder in ("wagtail_multihost", "docs"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "_build"))
    spec = tmp_path / "wagtail_multihost/spec/mail.py"
    text = spec.read_text(encoding="utf-8")
    assert text.count("\n    def __post_init__") == 1
    spec.write_text(text.replace("    def __post_init__", NEW_KEY), encoding="utf-8")
    example = tmp_path / "docs/examples/every-key.toml"
    text = example.read_text(encoding="utf-8")
    own = 'mail = "smtps://aurora:its%20password@mail.internal:465"'
    assert own in text
    example.write_text(
        text.replace(
            own,
            'mail = { backend = "smtp", host = "mail.internal", username = "aurora", password = "its password", '
            'reply_to = "desk@example.org" }',
        ),
        encoding="utf-8",
    )
    environ = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", textwrap.dedent(PROBE)]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == (
        '["sites.ID.mail.reply_to", ["MULTIHOST_SITE_MAIL__REPLY_TO", "MULTIHOST_PLATFORM_MAIL__REPLY_TO"], '
        '"desk@example.org", "desk@example.org", "e@example.org", ["MULTIHOST_SITE_MAIL__REPLY_TO"], "string", true]'
    )
