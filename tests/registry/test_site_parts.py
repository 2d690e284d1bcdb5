"""What a site is read from: its own keys, the platform's, or neither, and where a mistake in each is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from tests.registry.conftest import AURORA, BOREALIS, HEAD, PLATFORM_KEY, RegistryMaker
from tests.spec.samples import secret_file
from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.registry import ACCEPTED, open_registry, registry_at, url_problem
from wagtail_multihost.registry.base import Contents, Registry, records_of, secret_files
from wagtail_multihost.registry.lines import located_labels, variable_labels
from wagtail_multihost.registry.reading import keys_stated_for_all
from wagtail_multihost.registry.record import Record
from wagtail_multihost.registry.site_record import SiteReader
from wagtail_multihost.registry.snapshot import SnapshotRegistry
from wagtail_multihost.registry.toml import TomlRegistry
from wagtail_multihost.registry.typed import TypedSource
from wagtail_multihost.spec import DatabaseSpec, NginxOptions, Secret, StorageSpec, TlsSpec, derive_names

UID = "6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978"
DERIVED = "derived from the platform's name and the site id"
POSTGRES = 'engine = "postgresql", host = "db.internal"'


def told(make: RegistryMaker, text: str, *, reads_secrets: bool = True) -> list[tuple[str, str]]:
    """Return where the problems of a site are, without the file, and what is said of each."""
    try:
        make(text).site("aurora", reads_secrets=reads_secrets)
    except ConfigurationError as error:
        return [(problem.where.removeprefix("sites.toml: "), problem.message) for problem in error.problems]
    return []


def test_sources_of_a_site_that_states_nothing(registry: RegistryMaker) -> None:
    """What is derived, and what is the default, is said in words."""
    _, site = registry(HEAD + AURORA).site("aurora")
    assert site.sources == {
        "id": "sites.toml: sites.aurora",
        "hostnames": "sites.toml: sites.aurora.hostnames",
        "names": DERIVED,
        "uid": DERIVED,
        "database": "default: SQLite in the platform's data folder",
        "cache": "default: local memory",
        "storage": "default: files in the platform's data folder",
        "mail": "default: the project's",
        "frontend": "default: none",
        "tls": "default: none",
    }


def test_sources_of_a_site_that_takes_the_platforms_parts(registry: RegistryMaker) -> None:
    """The platform's table, however deep what was read lies, and its own one where it has one."""
    parts = (
        f'database = {{ {POSTGRES} }}\ncache = "redis://c"\nstorage = {{ backend = "s3" }}\nmail = "smtp://m"\n'
        'frontend = { backend = "cloudfront" }\n'
    )
    own = (
        'storage = { bucket = "own-bucket" }\nfrontend = { zone = "z1" }\nmail = { username = "u", password = "p" }\n'
        'database = { password = "p" }\nuid = "' + UID + '"\n[sites.aurora.names]\nrole = "r"\n'
        '[sites.aurora.settings]\nTIME_ZONE = "UTC"\n'
    )
    platform = f'{HEAD}{parts}[platform.settings]\nLANGUAGE_CODE = "de"\nTIME_ZONE = "CET"\n'
    _, site = registry(platform + AURORA + own).site("aurora")
    found = {key: source.removeprefix("sites.toml: ") for key, source in site.sources.items()}
    assert found["cache"] == "platform.cache"
    for key in (
        "database",
        "storage",
        "frontend",
        "mail",
        "uid",
        "names",
        "settings",
        "settings.TIME_ZONE",
        "mail.username",
    ):
        assert found[key] == f"sites.aurora.{key}"
    assert found["settings.LANGUAGE_CODE"] == "platform.settings.LANGUAGE_CODE"
    assert dict(site.settings) == {"LANGUAGE_CODE": "de", "TIME_ZONE": "UTC"}
    assert (site.names, site.pinned) == (replace(derive_names("aviary", "aurora"), role="r"), False)
    assert (site.database.user, site.database.name, site.database.port) == ("r", "aviary__aurora", 5432)
    _, plain = registry(f'{HEAD}mail = {{ host = "m", username = "u", password = "p" }}\n{AURORA}').site("aurora")
    assert "mail.username" not in plain.sources
    assert plain.mail is not None and plain.mail.username == "u"


@pytest.mark.parametrize(
    ("platform", "own", "where"),
    [
        ('cache = "redis://h"', "cache = { port = 0 }", ["sites.aurora.cache.port"]),
        ('cache = { backend = "redis", host = "h", port = 0 }', "", ["platform.cache.port"]),
        ('cache = { backend = "redis", host = "h", port = 0 }', "cache = { number = 1 }", ["platform.cache.port"]),
        ('cache = { backend = "redis" }', "", ["platform.cache.host"]),
        ('cache = { backend = "redis" }', "cache = { number = 1 }", ["sites.aurora.cache.host"]),
        ("", 'cache = { backend = "redis" }', ["sites.aurora.cache.host"]),
        (f"database = {{ {POSTGRES} }}", "", ["platform.database.password"]),
        ("", f"database = {{ {POSTGRES} }}", ["sites.aurora.database.password"]),
        ('mail = "smtp://m"', 'mail = { username = "u" }', ["sites.aurora.mail.password"]),
        ("tls = { key = 7 }", "", ["platform.tls.key", "platform.tls.certificate", "platform.tls.key"]),
        ("tls = { key = '/k' }", "tls = { off = ['b.example'] }", ["sites.aurora.tls.certificate"]),
        ("tls = { key = '/k', certificate = '/c' }", "tls = { off = ['b.example'] }", ["sites.aurora.tls"]),
        ("tls = 7", "", ["platform.tls"]),
        ("settings = { TIME_ZONE = 7 }", "", ["platform.settings.TIME_ZONE"]),
        ("settings = { TIME_ZONE = 'x' }", "", ["sites.aurora.settings.TIME_ZONE"]),
    ],
)
def test_mistake_is_told_where_it_was_written(
    registry: RegistryMaker, platform: str, own: str, where: list[str]
) -> None:
    """In the platform's table what it states, in the site's what it states or ought to."""
    assert [place for place, _ in told(registry, f"{HEAD}{platform}\n{AURORA}{own}\n")] == where


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("TIME_ZONE", "7", "It must be a string, not a whole number."),
        ("WAGTAIL_I18N_ENABLED", "7", "It must be true or false without quotes, not a whole number."),
        ("WAGTAIL_I18N_ENABLED", "'true'", "It must be true or false without quotes, not a string."),
    ],
)
def test_setting_of_another_type_is_told(registry: RegistryMaker, name: str, value: str, message: str) -> None:
    """In the words of the setting's own type."""
    assert told(registry, f"{HEAD}{AURORA}settings = {{ {name} = {value} }}\n") == [
        (f"sites.aurora.settings.{name}", message)
    ]


@pytest.mark.parametrize(
    ("text", "is_uid"),
    [
        (UID, True),
        (UID.upper(), True),
        (UID.replace("-", ""), False),
        (f"{{{UID}}}", False),
        (f"urn:uuid:{UID}", False),
        (UID[:-1], False),
    ],
)
def test_uid_has_one_form(registry: RegistryMaker, text: str, is_uid: bool) -> None:
    """The usual one, in any case of letters."""
    found = told(registry, f'{HEAD}{AURORA}uid = "{text}"\n')
    assert [place for place, _ in found] == ([] if is_uid else ["sites.aurora.uid"])
    if is_uid:
        assert registry(f'{HEAD}{AURORA}uid = "{text}"\n').site("aurora")[1].uid == UUID(UID)


def pins(**changes: str | None) -> str:
    names = derive_names("other", "aurora")
    values = {key: getattr(names, key) for key in names.__slots__} | changes
    return "[sites.aurora.names]\n" + "".join(
        f'{key} = "{value}"\n' for key, value in values.items() if value is not None
    )


@pytest.mark.parametrize("missing", [None, *derive_names("a", "b").__slots__])
def test_site_with_every_name_and_a_uid_is_pinned(registry: RegistryMaker, missing: str | None) -> None:
    """A name that is missing is the derived one, and then the site is not pinned."""
    changes = {missing: None} if missing else {}
    _, site = registry(f'{HEAD}{AURORA}uid = "{UID}"\n{pins(**changes)}').site("aurora")
    assert site.pinned is (missing is None)
    expected = derive_names("other", "aurora")
    if missing:
        expected = replace(expected, **{missing: getattr(derive_names("aviary", "aurora"), missing)})
    assert site.names == expected
    _, without = registry(f"{HEAD}{AURORA}{pins(**changes)}").site("aurora")
    assert (without.pinned, without.uid) == (
        False,
        without and registry(HEAD + AURORA).site("aurora")[0].uid_of("aurora"),
    )


@pytest.mark.parametrize("key", derive_names("a", "b").__slots__)
def test_name_that_is_none_is_told_and_nothing_else(registry: RegistryMaker, key: str) -> None:
    """A mistake in one name hides no other, and makes none."""
    found = told(registry, f'{HEAD}{AURORA}epoch = 0\nuid = "{UID}"\n{pins(**{key: "-"})}')
    assert [place for place, _ in found] == ["sites.aurora.epoch", f"sites.aurora.names.{key}"]


@pytest.mark.parametrize("environment", ["production", "staging"])
@pytest.mark.parametrize("requires_pin", [True, False])
def test_pin_is_asked_for_in_production_only(registry: RegistryMaker, environment: str, requires_pin: bool) -> None:
    """And by those who need it; it is told at the site's table."""
    record, [own] = registry(f'{HEAD}environment = "{environment}"\n{AURORA}').read_tables(reads_secrets=False)
    from wagtail_multihost.registry.platform_record import read_platform

    platform, defaults = read_platform(record)
    assert platform is not None
    site = SiteReader(own, platform, defaults, requires_pin).read()
    is_refused = requires_pin and environment == "production"
    assert (site is None) is is_refused
    assert [problem.where for problem in record.problems] == ["sites.toml: sites.aurora"] * is_refused


@pytest.mark.parametrize(("length", "is_accepted"), [(49, False), (50, True)])
@pytest.mark.parametrize("key", ["secret_key", "secret_key_file"])
def test_key_of_a_site_has_fifty_characters(
    registry: RegistryMaker, tmp_path: Path, length: int, is_accepted: bool, key: str
) -> None:
    """As Django asks for; it is told under the key as it was written."""
    secret_file(tmp_path / "own.key", "k" * length)
    value = "own.key" if key.endswith("_file") else "k" * length
    found = told(registry, f'{HEAD}{AURORA}{key} = "{value}"\n')
    assert found == ([] if is_accepted else [(f"sites.aurora.{key}", "The key is too short: at least 50 characters.")])
    assert told(registry, f'{HEAD}{AURORA}{key} = "{value}"\n', reads_secrets=False) == []


def test_site_without_hostnames_is_told_once(registry: RegistryMaker) -> None:
    """What is missing, blank, or all wrong is one problem each, and the rest is checked as well."""
    missing = ("sites.aurora.hostnames", "It is missing: a site needs at least one hostname.")
    blank = ("sites.aurora.hostnames", "A site needs at least one hostname.")
    head = f"{HEAD}[sites.aurora]\nepoch = 0\n"
    epoch = ("sites.aurora.epoch", "The epoch 0 is not accepted: it must be 1 or more.")
    assert told(registry, head) == [missing, epoch]
    assert told(registry, head + "hostnames = []\n") == [epoch, blank]
    found = told(registry, head + 'hostnames = ["localhost"]\n')
    assert [place for place, _ in found] == ["sites.aurora.epoch", "sites.aurora.hostnames"]


def test_site_with_a_broken_part_has_its_other_problems_told(registry: RegistryMaker) -> None:
    """A stand-in takes the place of each part, so that nothing is hidden."""
    own = 'database = 7\ncache = "x"\nstorage = "y"\nmail = 1\nfrontend = 2\nstate = "gone"\n'
    keys = [place.removeprefix("sites.aurora.") for place, _ in told(registry, HEAD + AURORA + own)]
    assert sorted(set(keys)) == ["cache", "database", "frontend", "mail", "state", "storage"]


def test_paths_by_default_are_below_the_folder_of_data(registry: RegistryMaker, tmp_path: Path) -> None:
    """{site} in a path of either part is the id."""
    _, site = registry(f'{HEAD}data = "d"\n{AURORA}').site("aurora")
    home = tmp_path / "d/sites/aurora"
    assert (site.database.path, site.storage.path) == (home / "db.sqlite3", home / "media")
    own = 'database = { path = "x/{site}.db" }\nstorage = { path = "/y/{site}" }\n'
    _, site = registry(HEAD + AURORA + own).site("aurora")
    assert (site.database.path, site.storage.path) == (tmp_path / "x/aurora.db", Path("/y/aurora"))


def test_options_of_a_database_are_texts_and_integers(registry: RegistryMaker) -> None:
    """Anything else is told one by one."""
    own = f'database = {{ {POSTGRES}, password = "p", options = {{ sslmode = "require", connect_timeout = 3 }} }}\n'
    assert registry(HEAD + AURORA + own).site("aurora")[1].database.options == (
        ("sslmode", "require"),
        ("connect_timeout", 3),
    )
    own = f'database = {{ {POSTGRES}, password = "p", options = {{ a = true, b = 1.5, c = [] }} }}\n'
    expected = [
        (f"sites.aurora.database.options.{key}", f"It must be a string or a whole number, not {found}.")
        for key, found in (("a", "true or false"), ("b", "a number with a decimal point"), ("c", "a list"))
    ]
    assert told(registry, HEAD + AURORA + own) == expected


def test_certificates_are_the_platforms_where_the_site_states_none(registry: RegistryMaker) -> None:
    """Key by key, and none where nobody states any."""
    platform = 'tls = { certificate = "/c", key = "/k", off = ["www.aurora.example.org"] }\n'
    hosts = '[sites.aurora]\nhostnames = ["aurora.example.org", "www.aurora.example.org"]\n'
    off = ("www.aurora.example.org",)
    assert registry(HEAD + platform + hosts).site("aurora")[1].tls == TlsSpec(certificate="/c", key="/k", off=off)
    own = registry(HEAD + platform + hosts + 'tls = { key = "/own", off = [] }\n').site("aurora")[1]
    assert own.tls == TlsSpec(certificate="/c", key="/own")
    assert registry(HEAD + hosts).site("aurora")[1].tls is None


def test_options_of_a_site_lie_over_the_platforms(registry: RegistryMaker) -> None:
    """They are checked together, and a problem is the site's."""
    text = f"{HEAD}uwsgi = {{ processes = 4 }}\n{AURORA}"
    assert registry(text + "uwsgi = { cheaper = 3 }\n").site("aurora")[1].options == (("uwsgi", (("cheaper", 3),)),)
    assert [place for place, _ in told(registry, text + "uwsgi = { cheaper = 4 }\n")] == ["sites.aurora.uwsgi.cheaper"]
    platform, site = registry(text).site("aurora")
    assert (site.options_of("uwsgi"), platform.options_of(NginxOptions)) == ((), None)
    platform, _ = registry(f"{HEAD}nginx = {{}}\n{AURORA}").site("aurora")
    assert platform.options_of(NginxOptions) == NginxOptions()


# The platform's table.
@pytest.mark.parametrize(
    ("revision", "is_accepted"), [(-1, False), (0, True), (2**53, True), (2**53 + 1, False), (True, False)]
)
def test_revision_is_exact_in_every_reader(revision: int, is_accepted: bool, tmp_path: Path) -> None:
    """Up to 2^53."""
    path = tmp_path / "sites.toml"
    path.write_text(f"{HEAD}revision = {str(revision).lower()}\n{AURORA}", encoding="utf-8")
    if is_accepted:
        assert open_registry(path, {}).load().platform.revision == revision
    else:
        with pytest.raises(ConfigurationError, match=r"0 to 9007199254740992|whole number"):
            open_registry(path, {}).load()


def test_platform_states_its_keys_or_a_keyring(registry: RegistryMaker, tmp_path: Path) -> None:
    """Keys of a keyring are values, variables or files, in the order of the table; without secrets none is there."""
    for name in ("b", "c"):
        secret_file(tmp_path / f"{name}.key", name * 32)
    table = f'secret_keys = {{ a = "{"a" * 32}", b_file = "b.key", c_file = "c.key" }}\nkey_id = "b"\n'
    text = f'[platform]\nname = "aviary"\n{table}{AURORA}'
    platform, _ = registry(text).site("aurora")
    assert platform.secret_keys == tuple((name, Secret(name * 32)) for name in "abc")
    assert (platform.secret_key, platform.key_id) == (None, "b")
    assert not (tmp_path / "data").exists(), "no other key is made"
    platform, _ = registry(text).site("aurora", reads_secrets=False)
    assert (platform.secret_key, platform.secret_keys, platform.key_id) == (None, (), "")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("", None),
        ('environment = "development"\n', None),
        (
            'environment = "staging"\n',
            "It is missing, and the environment is 'staging'. A key is made only in development",
        ),
        ('environment = "production"\n', "It is missing, and the environment is 'production'. A key is made only in"),
    ],
)
def test_key_of_the_platform_is_made_in_development_only(
    registry: RegistryMaker, tmp_path: Path, lines: str, message: str | None
) -> None:
    """The problem is at the key, and says where its file is to be named."""
    text = f'[platform]\nname = "aviary"\n{lines}{AURORA}uid = "{UID}"\n{pins()}'
    found = told(registry, text)
    assert (tmp_path / "data/platform.key").exists() is (message is None)
    assert [place for place, _ in found] == ([] if message is None else ["platform.secret_key"])
    if message:
        assert found[0][1].startswith(message)
        assert found[0][1].endswith("name its file in sites.toml: platform.secret_key_file.")
        (tmp_path / "data").mkdir()
        secret_file(tmp_path / "data/platform.key", "k" * 32)
    platform, _ = registry(text).site("aurora")
    assert platform.sources["secret_key"] == str(tmp_path / "data/platform.key")
    assert platform.secret_key is not None and platform.secret_key.file == tmp_path / "data/platform.key"


def test_variables_that_state_no_environment_make_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers are many: each would make another key."""
    monkeypatch.chdir(tmp_path)
    environ = {"MULTIHOST_SITE": "aurora", "MULTIHOST_SITE_HOSTNAMES": "a.example", "MULTIHOST_PLATFORM_NAME": "aviary"}
    with pytest.raises(ConfigurationError, match="no environment is stated") as refused:
        open_registry("env:", environ).site("aurora")
    assert [problem.where for problem in refused.value.problems] == ["MULTIHOST_PLATFORM_SECRET_KEY"]
    environ["MULTIHOST_PLATFORM_ENVIRONMENT"] = "development"
    platform, _ = open_registry("env:", environ).site("aurora")
    assert platform.sources["secret_key"] == str(tmp_path / "data/platform.key")
    own = {**environ, "MULTIHOST_SITE_SECRET_KEY": "k" * 50, "MULTIHOST_PLATFORM_ENVIRONMENT": "staging"}
    platform, _ = open_registry("env:", own).site("aurora")
    assert platform.secret_key is None, "the only site has a key of its own"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("path", "/{site}", True),
        ("path", "/a", False),
        ("password_file", "/{site}", True),
        ("password", "{site}", False),
        ("bucket", "{site}", False),
        ("path", 7, False),
    ],
)
def test_path_of_the_platform_differs_per_site(name: str, value: object, expected: bool) -> None:
    """With {site} in it; nothing but a path does."""
    spec = StorageSpec if name == "bucket" else DatabaseSpec
    assert list(keys_stated_for_all(spec, {name: value})) == ([] if expected else [name])


def test_platform_without_a_name_is_told(registry: RegistryMaker) -> None:
    """Missing, or blank, which is no name either; and not both."""
    head = f'[platform]\nsecret_key = "{PLATFORM_KEY}"\n'
    assert told(registry, head + AURORA) == [
        ("platform.name", 'It is missing: the platform needs a name, such as name = "aviary".')
    ]
    blank = told(registry, f'{head}name = ""\n{AURORA}')
    assert [place for place, _ in blank] == ["platform.name"] * 2
    assert [message.partition(" is not accepted")[0] for _, message in blank] == [
        "It is blank.",
        "The platform name ''",
    ]


# What every registry can do.
def test_enabled_sites_are_those_that_are_served(registry: RegistryMaker) -> None:
    """In the order of the registry."""
    contents = registry(f"{HEAD}{AURORA}enabled = false\n{BOREALIS}").load()
    assert [site.id for site in contents.sites] == ["aurora", "borealis"]
    assert [site.id for site in contents.enabled] == ["borealis"]


def test_chosen_sites_are_read_with_their_secrets(registry: RegistryMaker) -> None:
    """Only these, in the order of the registry; the mistakes of the others are not looked at."""
    opened = registry(f'{HEAD}{BOREALIS}secret_key = "env:NONE"\n{AURORA}secret_key = "{"k" * 50}"\n[sites.c]\n')
    contents = opened.read_sites(["aurora"])
    assert isinstance(contents, Contents)
    assert [(site.id, site.secret_key) for site in contents.sites] == [("aurora", Secret("k" * 50))]
    assert opened.read_sites([]).sites == ()
    for chosen, place in (("borealis", "sites.borealis.secret_key"), ("c", "sites.c.hostnames")):
        with pytest.raises(ConfigurationError) as refused:
            opened.read_sites(["aurora", chosen])
        assert [problem.where for problem in refused.value.problems] == [f"sites.toml: {place}"]
    with pytest.raises(ConfigurationError) as refused:
        registry(f'{HEAD}origin = "x"\n{AURORA}epoch = 0\n').read_sites(["aurora"])
    assert [problem.where for problem in refused.value.problems] == ["sites.toml: platform.origin"]


def test_registry_keeps_nothing_that_it_does_not_say() -> None:
    """What only some registries know is nothing for the others."""

    class Bare(Registry):
        def read_tables(self, *, reads_secrets: bool) -> tuple[Record, list[Record]]:
            raise NotImplementedError

    bare = Bare()
    assert (bare.private_files("a"), list(bare.neighbour_files("a", ["b"])), bare.written_at("a")) == ((), [], None)
    assert (bare.files, bare.has_servers, bare.used) == ((), True, {})


def test_problem_that_is_met_twice_is_told_once(registry: RegistryMaker) -> None:
    """The platform's mistake is not told for each of its sites."""
    with pytest.raises(ConfigurationError) as refused:
        registry(f'{HEAD}cache = {{ backend = "redis", host = "h", port = 0 }}\n{AURORA}{BOREALIS}').load()
    assert [problem.where for problem in refused.value.problems] == ["sites.toml: platform.cache.port"]


def test_unknown_site_is_told_with_a_close_one(registry: RegistryMaker) -> None:
    """The registry is named; without a close one the few that there are, and nothing where there are many."""
    opened = registry(HEAD + AURORA)
    assert (
        opened.unknown_site_message("aurora2", ["aurora"])
        == f"{opened.name} has no site 'aurora2'. Did you mean aurora?"
    )
    message = f"{opened.name} has no site 'x'."
    assert opened.unknown_site_message("x", []) == message
    many = [f"site-{number}" for number in range(11)]
    assert opened.unknown_site_message("x", many) == message
    assert opened.unknown_site_message("x", many[:10]) == f"{message} The sites are: {', '.join(many[:10])}."
    assert opened.unknown_site_message("x", ["Not one"]) == f"{message} The sites are: 'Not one'."


def test_disabled_site_is_told_at_the_variable(registry: RegistryMaker) -> None:
    """Whoever starts it has named it there."""
    opened = registry(f"{HEAD}{AURORA}enabled = false\n")
    with pytest.raises(ConfigurationError) as refused:
        opened.site("aurora")
    message = f"The site aurora is disabled in {opened.name}."
    assert refused.value.problems == (Problem("MULTIHOST_SITE", message, "aurora"),)


def test_files_of_the_platforms_keys_are_known() -> None:
    """Of a single key and of a keyring; what is no text or no path is told elsewhere."""
    source = TypedSource(Path("/srv/sites.toml"), {}, reads_secrets=False)
    table = {
        "secret_key_file": "a",
        "secret_keys": {"b_file": "/b", "c": "x", "d_file": 7, "e_file": "\n"},
        "name": "n",
    }
    assert list(secret_files(Record.of(table, ("platform",), source, []))) == [Path("/srv/a"), Path("/b")]
    assert list(secret_files(Record.of({"secret_keys": 7}, ("platform",), source, []))) == []


@pytest.mark.parametrize(
    ("platform", "sites", "expected", "where"),
    [
        ({"name": "n"}, {"a": {}, "b": {}}, ["a", "b"], []),
        (7, {}, [], ["platform"]),
        ({}, 7, [], ["sites"]),
        ({}, {"a": 7, "b": {}}, ["b"], ["sites.a"]),
    ],
)
def test_tables_of_a_registry_are_records(
    platform: object, sites: object, expected: list[str], where: list[str]
) -> None:
    """One of the platform and one per site, which have their problems together."""
    source = TypedSource(Path("/f"), {}, reads_secrets=False)
    record, found = records_of(platform, sites, source)
    assert [(one.site, one.path) for one in found] == [(site, ("sites", site)) for site in expected]
    assert (record.path, record.site) == (("platform",), "")
    assert [problem.where for problem in record.problems] == [f"f: {place}" for place in where]
    assert all(one.problems is record.problems for one in found)


@pytest.mark.parametrize(
    ("sites", "needs_key"),
    [
        ({}, True),
        ({"a": {}}, True),
        ({"a": {"secret_key": "k"}}, False),
        ({"a": {"secret_key": "k"}, "b": {"secret_key_file": "f"}}, False),
        ({"a": {"secret_key": "k"}, "b": {}}, True),
    ],
)
def test_key_of_the_platform_is_needed_where_a_site_derives(sites: dict[str, object], needs_key: bool) -> None:
    """Where each has a key of its own, and there is one, none derives."""
    source = TypedSource(Path("/f"), {}, reads_secrets=False)
    records_of({}, sites, source)
    assert source.needs_platform_key is needs_key


# Which registry is opened, and where its keys are.
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *((text, "") for text in ("sites.toml", "/srv/a b", "env:", "env://", "file:///srv/a", "a:b", "env:x")),
        *((text, "It is blank") for text in ("", " ", "\n")),
        ("http://[h", "It is not a URL"),
        ("mysql://h", "URLs with the scheme 'mysql' are not supported"),
        ("file://h/a", "URLs with the scheme 'file' are not supported"),
        ("env://x", "URLs with the scheme 'env' are not supported"),
    ],
)
def test_text_that_names_no_registry_says_why(text: str, reason: str) -> None:
    """A path, a file or the environment; nothing else."""
    assert url_problem(text) == reason
    if reason:
        with pytest.raises(ConfigurationError) as refused:
            open_registry(text, {})
        assert refused.value.problems == (Problem("MULTIHOST_REGISTRY", f"{reason}; accepted: {ACCEPTED}."),)


def test_path_is_a_file_or_a_folder(tmp_path: Path) -> None:
    """A folder is one of snapshots, there or not yet; everything else is a file."""
    environ = {"A": "b"}
    for path in (f"{tmp_path}", f"{tmp_path}/none/", f"file://{tmp_path}/"):
        assert isinstance(open_registry(path, environ), SnapshotRegistry)
    for path in (f"{tmp_path}/none", "env.toml", f"file://{tmp_path}/a%20b"):
        opened = open_registry(path, environ)
        assert isinstance(opened, TomlRegistry)
        assert opened.environ is environ
    assert opened.path == tmp_path / "a b"
    snapshots = registry_at(str(tmp_path), environ)
    assert isinstance(snapshots, SnapshotRegistry)
    assert (snapshots.folder, snapshots.environ) == (tmp_path, environ)


def test_variables_are_told_with_those_of_their_table() -> None:
    """Each by itself, and the name of a table with all that are in it, in the order of the alphabet."""
    environ = {
        "MULTIHOST_SITE_MAIL__PORT": "",
        "MULTIHOST_SITE_MAIL__HOST": "",
        "MULTIHOST_SITE_UID": "",
        "MULTIHOST_PLATFORM_NAME": "",
        "MULTIHOST_SITE": "",
        "OTHER_MULTIHOST_SITE_X": "",
    }
    expected = {
        "MULTIHOST_SITE_MAIL": "MULTIHOST_SITE_MAIL__HOST, MULTIHOST_SITE_MAIL__PORT",
        **{
            name: name
            for name in (
                *("MULTIHOST_SITE_MAIL__PORT", "MULTIHOST_SITE_MAIL__HOST"),
                *("MULTIHOST_SITE_UID", "MULTIHOST_PLATFORM_NAME"),
            )
        },
    }
    assert variable_labels(environ) == expected
    assert located_labels(open_registry("env:", environ)) == expected
