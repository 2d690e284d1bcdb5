"""The declared keys are those that the readers take, with the defaults that the specs have."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.test_imports import modules_after
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import open_registry
from wagtail_multihost.registry.environment import EnvironmentSource
from wagtail_multihost.registry.keys import NONE, REQUIRED, SITE, Key, declared, table_names
from wagtail_multihost.registry.keys.settings import DERIVED_SETTINGS
from wagtail_multihost.registry.record import Record
from wagtail_multihost.resolver.content import content_settings
from wagtail_multihost.spec.overrides import OVERRIDABLE

PLATFORM_KEY = "platform-key-0123456789-0123456789-0123456789"
SITES = '[sites.aurora]\nhostnames = ["aurora.example.org"]\n'
#: What makes each kind of each table a valid one, in TOML. The kind "" stands for a table without kinds.
KINDS = {
    "database": {
        "sqlite": 'engine = "sqlite"',
        "postgresql": 'engine = "postgresql", host = "db.internal", password = "hidden"',
    },
    "cache": {"locmem": 'backend = "locmem"', "redis": 'backend = "redis", host = "cache.internal"'},
    "storage": {"files": 'backend = "files"', "s3": 'backend = "s3"'},
    "mail": {"console": 'backend = "console"', "smtp": 'backend = "smtp", host = "mail.internal"'},
    "frontend": {
        "http": 'backend = "http", location = "http://127.0.0.1:6081"',
        "cloudflare": 'backend = "cloudflare", zone = "a1", token = "hidden"',
        "cloudfront": 'backend = "cloudfront", zone = "a1"',
    },
    "tls": {"": 'certificate = "/a", key = "/b"'},
    "names": {"": 'database = "aurora"'},
}
#: What a site has where nobody states a table.
DEFAULT_TABLES = {key.name: key.default for key in declared() if key.meaning == "The default of all sites."}
OPTIONS = "nginx = {}\nuwsgi = {}\nsystemd = {}\n"
DECLARATIONS = """
project_settings = { NAME = { default = "" } }
env = { NAME = { default = "aviary" } }
codebases = { name = {} }
"""
SITE_OPTIONS = "code = {}\nnginx = {}\nuwsgi = {}\nsystemd = {}\n"
#: Where leaving a key out depends on other keys.
CONDITIONAL = {
    ("platform", "key_id"): ('secret_keys = { a = "' + PLATFORM_KEY + '" }\n', ""),
    ("database", "password"): ("", 'database = { engine = "postgresql", host = "db.internal" }\n'),
    ("storage", "secret_key"): ("", 'storage = { backend = "s3", access_key = "a" }\n'),
    ("mail", "password"): ("", 'mail = { backend = "smtp", host = "mail.internal", username = "aurora" }\n'),
    ("frontend", "secret_key"): ("", 'frontend = { backend = "cloudfront", zone = "a1", access_key = "a" }\n'),
}


def names_in(table: str) -> set[str]:
    return {key.name for key in declared() if key.table == table}


def identified(keys: list[Key]) -> list[str]:
    return [f"{key.table}.{key.name}" for key in keys]


def written(tmp_path: Path, platform: str = "", site: str = "", *, sites: str = SITES) -> Path:
    path = tmp_path / "sites.toml"
    name = "" if platform.startswith("name") else 'name = "aviary"\n'
    path.write_text(f"[platform]\n{name}{platform}{sites}{site}", encoding="utf-8")
    return path


def table_of(record: Record) -> str:
    """Return the declarations' name of a record's table."""
    parts = ["NAME" if part == "name" else part for part in record.path if part != record.site]
    if parts == ["sites"]:
        return SITE
    return ".".join(parts) if parts[0] == "platform" and parts[-1] not in KINDS else parts[-1]


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Mapping[str, set[str]]:
    """What the readers take from each table, of every kind."""
    known: dict[str, set[str]] = defaultdict(set)
    close = Record.close

    def observed(record: Record) -> None:
        known[table_of(record)].update(record.known)
        close(record)

    monkeypatch.setattr(Record, "close", observed)
    for table, kinds in KINDS.items():
        for text in kinds.values():
            path = written(tmp_path, OPTIONS + DECLARATIONS, f"{table} = {{ {text} }}\n{SITE_OPTIONS}")
            open_registry(path, {}).site("aurora", reads_secrets=False)
    return known


def test_declared_keys_are_those_that_the_readers_take(taken: Mapping[str, set[str]]) -> None:
    """Each table's declarations and its reader name the same keys, and there is no other table."""
    assert set(taken) == set(table_names()) - {"settings"}
    assert dict(taken) == {table: names_in(table) for table in taken}


def test_declared_settings_are_those_that_a_site_may_have() -> None:
    """The keys of the table settings are the allow-list."""
    assert names_in("settings") == OVERRIDABLE


def test_no_key_is_declared_twice() -> None:
    """A table and a name belong to one declaration."""
    names = identified(list(declared()))
    assert sorted(names) == sorted(set(names))


def test_declarations_are_whole() -> None:
    """Each has a type, a default and a sentence, and is of a kind that its table has."""
    for key in declared():
        assert key.type and key.default and key.meaning.endswith(".")
        assert set(key.kind.split(", ")) <= {*KINDS.get(key.table, {}), ""}


@pytest.mark.parametrize("kind", [(table, kind) for table in KINDS for kind in KINDS[table]], ids="-".join)
def test_literal_defaults_are_those_of_the_spec(kind: tuple[str, str], tmp_path: Path) -> None:
    """Where a default is a literal, or none, it is what a record without the key leads to."""
    table, name = kind
    path = written(tmp_path, OPTIONS, f"{table} = {{ {KINDS[table][name]} }}\n")
    platform, site = open_registry(path, {}).site("aurora", reads_secrets=False)
    specs = {
        "platform": platform,
        **{f"platform.{options.target}": options for options in platform.options},
        SITE: site,
        table: getattr(site, table),
    }
    compared = 0
    for key in declared():
        if key.table not in specs or (name and key.kind and name not in key.kind.split(", ")):
            continue
        if key.table == table and key.name in ("engine", "backend"):
            continue
        value = getattr(specs[key.table], key.name.removesuffix("_file"), None)
        if re.match(r'["\[0-9]|true$|false$', key.default):
            literal = tomllib.loads(f"x = {key.default}")["x"]
            literal = Path(path.parent, literal) if key.type == "path" else literal
            assert value == (tuple(literal) if isinstance(literal, list) else literal), key
            compared += 1
        elif key.default == NONE and not key.name.endswith("_file"):
            assert not value, key
            compared += 1
    assert compared > 10


@pytest.mark.parametrize(("table", "key"), [("database", "engine"), ("cache", "backend"), ("storage", "backend")])
def test_default_kinds_are_those_of_the_readers(table: str, key: str, tmp_path: Path) -> None:
    """A site that says nothing has the declared engine and backends."""
    _, site = open_registry(written(tmp_path), {}).site("aurora", reads_secrets=False)
    (declaration,) = [entry for entry in declared() if (entry.table, entry.name) == (table, key)]
    assert f'"{getattr(getattr(site, table), key)}"' == declaration.default


def test_mail_is_smtp_unless_it_says_otherwise(tmp_path: Path) -> None:
    """The default of the mail table's backend holds once there is a mail table."""
    path = written(tmp_path, "", 'mail = { host = "mail.internal" }\n')
    _, site = open_registry(path, {}).site("aurora", reads_secrets=False)
    (declaration,) = [entry for entry in declared() if (entry.table, entry.name) == ("mail", "backend")]
    assert site.mail is not None
    assert f'"{site.mail.backend}"' == declaration.default


def test_default_tables_are_as_declared(tmp_path: Path) -> None:
    """Tables that default to nothing, or to the project's, are None where nobody states them."""
    _, site = open_registry(written(tmp_path), {}).site("aurora", reads_secrets=False)
    for table, default in DEFAULT_TABLES.items():
        assert (not getattr(site, table)) == (default in (NONE, "the project's")), table
    assert site.database.path == tmp_path / "data/sites/aurora/db.sqlite3"
    assert site.storage.path == tmp_path / "data/sites/aurora/media"


def test_derived_settings_are_those_of_the_resolver(tmp_path: Path) -> None:
    """The settings that are declared as derived are what a site without settings gets, and all of it."""
    _, site = open_registry(written(tmp_path), {}).site("aurora", reads_secrets=False)
    # Set where the project has it; elsewhere Wagtail takes the other one by itself.
    project = {"WAGTAILADMIN_NOTIFICATION_FROM_EMAIL": "cms@example.org"}
    found = {setting.name for setting in content_settings(site, project)}
    assert found & OVERRIDABLE == set(DERIVED_SETTINGS)


# A table without a single field counts as none.
ANY_FIELD = 'zone = "a1"'
REQUIRED_KEYS = [key for key in declared() if key.default.startswith(REQUIRED)]


@pytest.mark.parametrize("key", REQUIRED_KEYS, ids=identified(REQUIRED_KEYS))
def test_required_keys_are_asked_for(key: Key, tmp_path: Path) -> None:
    """A registry without a required key has a problem with it, or with a name that it cannot do without."""
    platform, site, sites = "", "", SITES
    if (key.table, key.name) in CONDITIONAL:
        platform, site = CONDITIONAL[key.table, key.name]
    elif key.table == "platform":
        platform = "name_is_missing = 1\n"
    elif key.table == SITE:
        sites = "[sites.aurora]\n"
    else:
        kind = key.kind.split(", ")[0]
        fields = KINDS[key.table].get(kind) or next(iter(KINDS[key.table].values()))
        kept = [field for field in fields.split(", ") if not field.startswith(f"{key.name} = ")]
        site = f"{key.table} = {{ {', '.join(kept or [ANY_FIELD])} }}\n"
    with pytest.raises(ConfigurationError) as caught:
        open_registry(written(tmp_path, platform, site, sites=sites), {}).site("aurora")
    where = [problem.where for problem in caught.value.problems]
    assert [place for place in where if place.endswith(f".{key.name}")]


# Numbers and words that stand for nothing in the other kinds are not looked at there.
IGNORED = ("port", "security", "timeout")
KINDED = [key for key in declared() if key.kind and not key.name.endswith("_file") and key.name not in IGNORED]
ANY_VALUE = '"aurora"'
VALUES = {
    "number": "1",
    "tls": "true",
    "options": '{ sslmode = "prefer" }',
    "location": '"http://127.0.0.1:6081"',
    "endpoint": '"http://127.0.0.1:9000"',
    "domain": '"media.example.org"',
    "path": '"/srv/a"',
}


@pytest.mark.parametrize("key", KINDED, ids=identified(KINDED))
def test_a_key_of_one_kind_is_refused_by_the_others(key: Key, tmp_path: Path) -> None:
    """An engine or a backend does not take the keys of another one."""
    for kind, fields in KINDS[key.table].items():
        if kind in key.kind.split(", "):
            continue
        site = f"{key.table} = {{ {fields}, {key.name} = {VALUES.get(key.name, ANY_VALUE)} }}\n"
        with pytest.raises(ConfigurationError) as caught:
            open_registry(written(tmp_path, "", site), {}).load()
        assert [problem for problem in caught.value.problems if problem.where.endswith(f"{key.table}.{key.name}")]


@pytest.mark.parametrize("key", declared(), ids=identified(list(declared())))
def test_variables_are_those_that_the_environment_reads(key: Key) -> None:
    """The name of a key's first variable is how the environment's registry writes the key's path."""
    source = EnvironmentSource({}, reads_secrets=False)
    path = tuple(key.path.replace(SITE, "sites.aurora").split("."))
    assert source.label(path) == key.variables[0].upper()
    if len(key.variables) == 2:
        assert source.label(("platform", key.table, key.name)) == key.variables[1].upper()


SHARED = [key for key in declared() if key.table in KINDS and key.table not in ("names", "tls")]


@pytest.mark.parametrize("key", SHARED, ids=identified(SHARED))
def test_keys_that_the_platform_refuses_have_no_variable_of_the_platform(key: Key, tmp_path: Path) -> None:
    """Exactly the keys that sites must not share are refused in the platform's table."""
    kind = key.kind.split(", ")[0] or next(iter(KINDS[key.table]))
    fields = [
        field
        for field in KINDS[key.table][kind].split(", ")
        if not re.match(rf"{key.name} =|password|zone|token", field)
    ]
    value = '"/srv/{site}/a"' if key.name == "path" or key.name.endswith("_file") else VALUES.get(key.name, ANY_VALUE)
    platform = f"{key.table} = {{ {', '.join([*fields, f'{key.name} = {value}'])} }}\n"
    try:
        open_registry(written(tmp_path, platform), {}).load()
        problems: list[str] = []
    except ConfigurationError as error:
        problems = [problem.message for problem in error.problems if problem.where.startswith("sites.toml: platform.")]
    shared = [message for message in problems if message.startswith("Every site would share")]
    assert bool(shared) != key.is_shared
    if key.needs_site:
        path = written(tmp_path, platform.replace("{site}", "everyone"))
        with pytest.raises(ConfigurationError, match="Every site would share"):
            open_registry(path, {}).load()


def test_resolving_a_site_does_not_import_the_declarations() -> None:
    """A site's process starts without them."""
    modules = modules_after("import wagtail_multihost.resolver")
    assert "wagtail_multihost.registry.record" in modules
    assert "wagtail_multihost.registry.keys" not in modules


def test_unknown_engine_is_told_alone(tmp_path: Path) -> None:
    """Which keys it would take is not known."""
    path = written(tmp_path, "", 'database = { engine = "mysql", host = "db.internal", password_file = "/p" }\n')
    with pytest.raises(ConfigurationError) as caught:
        open_registry(path, {}).load()
    assert [problem.where for problem in caught.value.problems] == ["sites.toml: sites.aurora.database.engine"]
