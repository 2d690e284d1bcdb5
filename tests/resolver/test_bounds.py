"""Small decisions of the resolver, each on both sides of where it changes."""

from __future__ import annotations

import atexit
import datetime
import logging
import re
import sys
import weakref
from collections.abc import Callable
from importlib import metadata
from pathlib import Path, PurePath
from types import SimpleNamespace
from typing import Any

import pytest

from tests.spec.samples import a_site, postgresql, s3
from wagtail_multihost.resolver import ambient, masking
from wagtail_multihost.resolver.ambient import WatchedVariables, is_amazon, warn_of_ambient
from wagtail_multihost.resolver.caches import move_password_to_options
from wagtail_multihost.resolver.csp import (
    add_media_sources,
    is_service,
    is_shared,
    media_sources,
    sources_of,
    split_sources,
)
from wagtail_multihost.resolver.django_version import django_version
from wagtail_multihost.resolver.explain import is_same_value, jsonable, source_of_field, stated_fields, stated_key
from wagtail_multihost.resolver.inert import build_settings, ephemeral_site, throwaway_options
from wagtail_multihost.resolver.logs import add_site_to_format, is_standard_handler, log_file_path
from wagtail_multihost.resolver.mail import move_mail_to_folder, writes_files
from wagtail_multihost.resolver.masking import (
    certain_secrets,
    is_certain,
    is_open,
    mask_known_secrets,
    mask_setting,
    mask_value,
)
from wagtail_multihost.resolver.setting import ABSENT, aliases_of, reveal_secrets
from wagtail_multihost.resolver.starting import TEST_COMMANDS, start_of_process
from wagtail_multihost.spec import Secret

SQLITE, POSTGRESQL = "django.db.backends.sqlite3", "django.db.backends.postgresql"

# Test runs and build mode


@pytest.mark.parametrize(
    ("argv", "environ", "is_run"),
    [
        (["manage.py", "test"], {}, True),
        (["manage.py", "makemigrations", "x"], {}, True),
        (["manage.py", "testserver"], {}, True),
        (["manage.py"], {}, False),
        ([], {}, False),
        (["test", "migrate"], {}, False),
        (["manage.py", "migrate"], {"PYTEST_VERSION": ""}, True),
    ],
)
def test_command_line_tells_a_test_run(
    monkeypatch: pytest.MonkeyPatch, argv: list[str], environ: dict[str, str], is_run: bool
) -> None:
    """The first word after manage.py, or pytest's variable in a process that has loaded it."""
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.delenv("PYTEST_VERSION", raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert (start_of_process().command in TEST_COMMANDS) is is_run


def test_throw_away_site_is_of_the_run_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names, keys and folder are its own, and the folder goes with the process."""
    weakref.finalize(
        test_throw_away_site_is_of_the_run_alone, list
    ).detach()  # the first one of a process registers itself
    registered: list[Callable[[], object]] = []
    monkeypatch.setattr(atexit, "register", registered.append)
    platform, site, folder = ephemeral_site()
    data = Path(folder.name)
    assert re.fullmatch("multihost-test-[a-z0-9_]{8}", data.name) and data.is_dir()
    assert (platform.name, platform.data, platform.origin) == ("ephemeral", data, "http://{hostname}")
    assert platform.secret_key and len(platform.secret_key.reveal()) == 64
    assert (site.id, site.uid, site.hostnames) == ("test", platform.uid_of("test"), ("test.localhost",))
    assert (site.names.key_prefix, site.names.database) == ("ephemeral.test", "ephemeral__test")
    assert (site.database.engine, site.database.path) == ("sqlite", data / "db.sqlite3")
    assert (site.storage.backend, site.storage.path, site.cache.backend) == ("files", data / "media", "locmem")
    assert registered == [folder.cleanup]
    folder.cleanup()
    assert not data.exists()


@pytest.mark.parametrize(
    ("own", "command", "kept"),
    [
        ({}, "test", {"ENGINE": SQLITE, "NAME": ":memory:"}),
        ({"ENGINE": "", "TEST": {"NAME": "x"}}, "", {"ENGINE": SQLITE, "NAME": ":memory:", "TEST": {"NAME": "x"}}),
        ({"ENGINE": SQLITE, "NAME": "db"}, "makemigrations", {"ENGINE": SQLITE, "NAME": ":memory:"}),
        (
            {"ENGINE": "django.contrib.gis.db.backends.spatialite", "OPTIONS": {"a": 1}},
            "",
            {"ENGINE": "django.contrib.gis.db.backends.spatialite", "OPTIONS": {"a": 1}, "NAME": ":memory:"},
        ),
        ({"ENGINE": POSTGRESQL, "NAME": "db"}, "makemigrations", {"ENGINE": POSTGRESQL, "NAME": ""}),
    ],
)
def test_database_of_a_test_run_leads_nowhere(own: dict[str, object], command: str, kept: dict[str, object]) -> None:
    """SQLite is in memory, and a server is reached by tests alone."""
    assert throwaway_options(own, command) == kept


@pytest.mark.parametrize("command", ["test", "pytest", ""])
def test_database_of_a_test_run_on_a_server_is_its_own(command: str) -> None:
    """Both names are new, and what the project says of tests besides is kept."""
    found = throwaway_options(
        {"ENGINE": POSTGRESQL, "NAME": "db", "HOST": "h", "TEST": {"NAME": "t", "MIRROR": "x"}}, command
    )
    name = str(found["NAME"])
    assert re.fullmatch("multihost_[0-9a-f]{16}", name)
    assert found == {"ENGINE": POSTGRESQL, "NAME": name, "HOST": "h", "TEST": {"NAME": f"test_{name}", "MIRROR": "x"}}
    assert throwaway_options({"ENGINE": POSTGRESQL, "TEST": None}, command)["TEST"] != {}


def test_key_of_build_mode_is_long_and_of_the_moment() -> None:
    """It has 64 random bytes."""
    keys = [
        reveal_secrets(setting.value)
        for _ in range(2)
        for setting in build_settings({})
        if setting.name == "SECRET_KEY"
    ]
    assert len(set(keys)) == 2 and [len(str(key)) for key in keys] == [86, 86]


def test_commands_that_need_no_server_are_few() -> None:
    """Others are in build mode without a site."""
    assert {"test", "makemigrations", "testserver", "pytest"} == TEST_COMMANDS


# Variables of the surroundings


@pytest.mark.parametrize(
    ("name", "is_theirs"),
    [
        ("AWS_PROFILE", True),
        ("AWS_X", True),
        ("AWS_REGION", False),
        ("AWS_REGION_X", False),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", False),
        ("AWS_WEB_IDENTITY_TOKEN_FILES", True),
        ("AWS_A-B", False),
        ("MY_AWS_X", False),
        ("PATH", False),
    ],
)
def test_variables_of_amazon_are_told_from_its_machines(name: str, is_theirs: bool) -> None:
    """A name that is none, or of a role, is not one that leads elsewhere."""
    assert is_amazon(name) is is_theirs


def test_warning_is_given_once_and_for_something(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A process without such variables may be warned later; one that was is not warned again."""
    monkeypatch.setattr(ambient, "_has_warned", False)
    caplog.set_level(logging.WARNING, "wagtail_multihost.resolver")
    site = a_site(database=postgresql())
    warn_of_ambient(WatchedVariables({"PATH": "x"}), site)
    assert ambient._has_warned is False
    watched = WatchedVariables({"PGHOST": "x", "PGUSER": "x", "DATABASE_URL": "x"})
    assert watched["PGUSER"] == "x"
    for _ in range(2):
        warn_of_ambient(watched, site)
    assert ambient._has_warned is True
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == ["DATABASE_URL, PGHOST."]


def test_variables_that_are_watched_print_their_number() -> None:
    """And none of their values."""
    assert repr(WatchedVariables({"A": "hidden", "B": "hidden"})) == "Watched(2 variables)"


# Django's version


@pytest.mark.parametrize(
    ("installed", "version"),
    [
        ("5.2.8", (5, 2)),
        ("6.0", (6, 0)),
        ("6.1a1", (6, 11)),
        ("6.1.dev2026", (6, 1)),
        ("6.x", (6, 0)),
        ("10.12", (10, 12)),
    ],
)
def test_version_of_django_is_the_installed_one(
    monkeypatch: pytest.MonkeyPatch, installed: str, version: tuple[int, int]
) -> None:
    """Where Django is not loaded its distribution says it; where it is, it does."""
    asked: list[str] = []
    monkeypatch.setattr(metadata, "version", lambda name: asked.append(name) or installed)
    monkeypatch.setitem(sys.modules, "django", SimpleNamespace(VERSION=(4, 3, 9, "final", 0)))
    assert django_version() == (4, 3)
    monkeypatch.setitem(sys.modules, "django", SimpleNamespace())
    assert django_version() == version
    monkeypatch.delitem(sys.modules, "django")
    assert django_version() == version
    assert asked == ["django"] * 2


# Tables and values


def test_tables_are_copied_two_levels_deep() -> None:
    """What is no table of tables has none, and names are texts."""
    options = {"a": 1}
    found = aliases_of({"X": {"one": options, 2: {}, "bad": None}}, "X")
    assert found == {"one": {"a": 1}, "2": {}} and found["one"] is not options
    assert aliases_of({"X": [1]}, "X") == {} == aliases_of({}, "X")


def test_secrets_are_revealed_in_copies() -> None:
    """In tables and lists, however deep; anything else is what it was."""
    inner: dict[str, object] = {"a": [Secret("s"), {"b": Secret("t")}], "c": (Secret("u"),)}
    found: Any = reveal_secrets(inner)
    assert found["a"] == ["s", {"b": "t"}] and found is not inner and found["a"] is not inner["a"]
    assert found["c"] is inner["c"]
    assert repr(ABSENT) == "(not set)"


# Policies


@pytest.mark.parametrize(
    ("source", "shared"),
    [
        ("'self'", False),
        ("<nonce>", False),
        ("https://s3.amazonaws.com", True),
        ("https://s3.amazonaws.com/", True),
        ("https://s3.amazonaws.com/bucket/", False),
        ("https://s3.eu-west-1.amazonaws.com", True),
        ("https://bucket.s3.amazonaws.com", False),
        ("https://bucket.s3.amazonaws.com:443", False),
        ("https://bucket.s3.amazonaws.com.", False),
        ("*.s3.amazonaws.com", True),
        ("*.amazonaws.com/bucket/", True),
        ("amazonaws.com", True),
        ("amazonaws.com.", True),
        ("amazonaws.com:443", True),
        ("amazonaws.com/bucket", False),
        ("s3-eu-west-1.amazonaws.com", True),
        ("s3-bucket.s3.amazonaws.com", False),
        ("s3-accelerate.dualstack.amazonaws.com", True),
        ("notamazonaws.com", False),
        ("*.com", True),
        ("*.example.org", False),
        ("*.net", True),
        ("com", False),
        ("fra1.digitaloceanspaces.com", True),
        ("bucket.fra1.digitaloceanspaces.com", False),
        ("nl-ams.s3.scw.cloud", True),
        ("bucket.s3.nl-ams.scw.cloud", False),
        ("storage.googleapis.com/bucket/", False),
        ("storage.googleapis.com//", True),
        ("https://storage.googleapis.com//", True),
        ("//storage.googleapis.com", True),
        ("x.cloudfront.net", False),
        ("*.cloudfront.net", True),
        ("account.r2.cloudflarestorage.com", True),
        ("bucket.account.r2.cloudflarestorage.com", False),
        ("pub-1.r2.dev", False),
    ],
)
def test_source_of_several_owners_is_told_from_one_buckets(source: str, shared: bool) -> None:
    """By the labels before the provider's name, by a path, and by wildcards."""
    assert is_shared(source) is shared


@pytest.mark.parametrize(
    ("labels", "is_theirs"),
    [
        (["s3"], True),
        (["s3", "eu"], True),
        (["s3-eu"], True),
        (["s3-eu", "x"], False),
        (["s3-accelerate", "x"], True),
        (["bucket", "s3"], False),
    ],
)
def test_services_of_s3_are_no_buckets(labels: list[str], is_theirs: bool) -> None:
    """Its own names stand first."""
    assert is_service(labels) is is_theirs


@pytest.mark.parametrize(
    ("values", "sources"),
    [
        (None, None),
        (False, None),
        (True, []),
        ({"b", "a"}, ["a", "b"]),
        (frozenset({"b", "a"}), ["a", "b"]),
        (["b", "a"], ["b", "a"]),
        (("b",), ["b"]),
        ("a b", ["a b"]),
        (7, ["7"]),
    ],
)
def test_sources_are_read_as_django_reads_them(values: object, sources: list[str] | None) -> None:
    """A directive may be left out, have none, or be in any of several forms."""
    assert sources_of(values) == sources
    assert split_sources(["A b", "C"]) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("policy", "own", "expected"),
    [
        ({"img-src": ["a"]}, [], {"img-src": ["a"]}),
        ({"img-src": ["a", "m"]}, ["m"], {"img-src": ["a", "m"]}),
        ({"img-src": "'none'"}, ["m", "n"], {"img-src": ["m", "n"]}),
        ({"img-src": ["*"], "media-src": None}, ["m"], {"img-src": ["*"], "media-src": None}),
        ({"img-src": ["x HTTPS:"]}, ["m"], {"img-src": ["x HTTPS:"]}),
        ({"default-src": ["d"]}, ["m"], {"default-src": ["d"], "img-src": ["d", "m"], "media-src": ["d", "m"]}),
        (
            {"default-src": ["d"], "img-src": True},
            ["m"],
            {"default-src": ["d"], "img-src": ["m"], "media-src": ["d", "m"]},
        ),
    ],
)
def test_media_host_is_added_where_it_is_not_let_in(policy: Any, own: list[str], expected: dict[str, Any]) -> None:
    """A directive follows the default one, and one that lets everything in stays."""
    before = dict(policy)
    assert add_media_sources(policy, own) == expected
    assert policy == before


def test_media_host_of_an_endpoint_has_the_buckets_path() -> None:
    """Where there is no domain of its own."""
    assert media_sources(s3(endpoint="https://s3.internal")) == ["https://s3.internal/aviary--aurora/"]


# What is explained


@pytest.mark.parametrize(
    ("value", "other", "same"),
    [
        ({"a": 1}, {"a": 1}, True),
        ({"a": 1}, {"b": 1}, False),
        ({"a": 1}, {"a": 2}, False),
        ({"a": 1}, [1], False),
        ([1, 2], (1, 2), True),
        ([1, 2], [1], False),
        ([1], [1, 2], False),
        ([1, 2], [2, 1], False),
        (Path("/a"), "/a", True),
        ("/a", PurePath("/a"), True),
        (Path("/a"), "/b", False),
        (Secret("a"), "a", False),
        ("a", Secret("a"), False),
        (1, 1.0, True),
        (None, False, False),
    ],
)
def test_values_are_the_same_as_settings(value: object, other: object, same: bool) -> None:
    """Lists and tuples, paths and their texts; a secret is equal to nothing."""
    assert is_same_value(value, other) is same


def test_fields_that_say_nothing_are_left_out() -> None:
    """None, blanks and empty tuples; numbers and switches say something."""
    found = dict(stated_fields(postgresql(options=(("sslmode", "require"),))))
    assert found["options"] == {"sslmode": "require"} and "path" not in found
    assert list(stated_fields(None)) == [] == list(stated_fields("x"))
    assert dict(stated_fields(a_site().cache)) == {"backend": "locmem", "port": 6379, "number": 0, "tls": False}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Secret("x"), "***"),
        ({1: Secret("x"), "a": Path("/p")}, {"1": "***", "a": "/p"}),
        (7, 7),
        ("a", "a"),
        ((1,), "(1,)"),
    ],
)
def test_facts_are_plain(value: object, shown: object) -> None:
    """Numbers and texts are themselves, and everything else is a text."""
    assert jsonable(value) == shown


LABELS = {
    "f: sites.a.database.port": "1",
    "f: platform.database.host": "2",
    "f: sites.b.database": "3",
    "f: sites.c.cache.backend": "4",
    "MULTIHOST_SITE__DATABASE__PASSWORD_FILE": "5",
}


@pytest.mark.parametrize(
    ("source", "site", "key", "found"),
    [
        ("f: sites.a.database", "a", "port", "f: sites.a.database.port"),
        ("f: sites.a.database", "a", "host", "f: platform.database.host"),
        ("f: sites.a.database", "a", "name", "default"),
        ("f: sites.b.database", "b", "port", "f: sites.b.database"),
        ("f: sites.c.cache", "c", "port", "f: sites.c.cache"),
        ("MULTIHOST_SITE__DATABASE", "a", "password", "MULTIHOST_SITE__DATABASE__PASSWORD_FILE"),
        ("elsewhere", "a", "port", "elsewhere"),
        ("", "a", "port", ""),
    ],
)
def test_source_of_a_field_is_as_fine_as_it_is_known(source: str, site: str, key: str, found: str) -> None:
    """The field's own key, the platform's below a table that is laid over it, or the table."""
    assert source_of_field(source, site, key, LABELS) == found


def test_key_may_be_stated_by_a_file() -> None:
    """In files and variables, the key itself first."""
    assert stated_key("x", "key", {"x.key_file": "", "x__KEY": ""}) == "x.key_file"
    assert stated_key("x", "key", {"x__KEY_FILE": "", "x__KEY": ""}) == "x__KEY"
    assert stated_key("x", "key", {"y.key": ""}) == ""


# What is masked


@pytest.mark.parametrize(
    ("name", "value", "is_shown"),
    [
        ("PASSWORD", "x", False),
        ("PASSWORD", "", True),
        ("PASSWORD", None, True),
        ("PASSWORD", True, True),
        ("PASSWORD", 1, False),
        ("KEY_PREFIX", "x", True),
        ("NAME", "x", True),
    ],
)
def test_value_is_open_by_its_name_and_itself(name: str, value: object, is_shown: bool) -> None:
    """Nothing, and a switch, are no secrets, whatever they are called."""
    assert is_open(name, value) is is_shown
    assert mask_setting(name, value) == (value if is_shown else "***")


def test_lists_of_secrets_show_their_number() -> None:
    """A list under a telling name is masked item by item."""
    assert mask_setting("SECRET_KEYS", ["a", "b"]) == ["***", "***"]
    assert mask_setting("SECRET_KEYS", []) == []
    assert mask_setting("NAMES", ("a",)) == ["a"]


@pytest.mark.parametrize("make", [lambda inner: {"a": inner}, lambda inner: [inner], lambda inner: (inner,)])
def test_values_are_shown_to_a_depth(make: Callable[[object], object]) -> None:
    """What is deeper is cut, and what is as deep as that is shown."""
    value: object = "inside"
    for _ in range(20):
        value = make(value)
    assert "inside" in repr(mask_value(value))
    assert "inside" not in repr(mask_value(make(value))) and "…" in repr(mask_value(make(value)))
    assert "inside" in repr(mask_value({frozenset({"inside"}): 1, "set": {"inside"}}))


def test_long_text_is_shown_to_a_length() -> None:
    """A character more is its length alone."""
    assert masking.mask_text("a " * 5000) == "a " * 5000
    assert masking.mask_text("a " * 5000 + "b") == "<10001 characters>"


def test_types_of_json_are_themselves() -> None:
    """Numbers, switches and nothing; dates and patterns are texts, and other objects their types."""
    assert mask_value([1, 1.5, True, None]) == [1, 1.5, True, None]
    assert mask_value(datetime.date(2026, 1, 2)) == "2026-01-02"
    assert mask_value(Path("/a")) == "/a"
    assert mask_value({1: "a", None: "b", 2.5: "c"}) == {"1": "a", "None": "b", "2.5": "c"}
    assert mask_value({"b", "a"}) == ["a", "b"]
    assert (
        mask_value(object()) == "<builtins.object>"
        and mask_value(len) == "<builtins.len>"
        and mask_value(Path) != "<builtins.type>"
    )


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("TOKEN", "12345678", ["12345678"]),
        ("TOKEN", "1234567", []),
        ("NAME", "12345678", []),
        ("TOKEN", ["12345678", ("abcdefgh",)], ["12345678", "abcdefgh"]),
        ("TOKEN", {"name": "12345678"}, ["12345678"]),
        ("X", {"token": "12345678", "name": "abcdefgh"}, ["12345678"]),
        ("X", {"a": {"token": {"b": "12345678"}}}, ["12345678"]),
        ("TOKEN", 12345678, []),
        ("KEY_PREFIX", "12345678", []),
    ],
)
def test_certain_secrets_are_long_texts_under_certain_names(name: str, value: object, found: list[str]) -> None:
    """The name above counts for what is below it."""
    assert list(certain_secrets(name, value)) == found


def test_certain_secrets_are_looked_for_to_a_depth() -> None:
    """A value that holds itself comes to an end."""
    value: object = "12345678"
    for _ in range(20):
        value = [value]
    assert list(certain_secrets("TOKEN", value)) == ["12345678"]
    assert list(certain_secrets("TOKEN", [value])) == []
    assert is_certain("TOKEN") is True and is_certain("NAME") is False and is_certain("passfile") is False


def test_secrets_are_taken_out_longest_first() -> None:
    """In keys, lists and texts."""
    secrets = frozenset({"abc", "abcdef"})
    assert mask_known_secrets({"abcdef": ["xabcx", 7, {"a": "abcdef"}]}, secrets) == {"***": ["x***x", 7, {"a": "***"}]}


# Logs, mail and caches


@pytest.mark.parametrize(
    ("filename", "path"),
    [
        ("/dev/stderr", "/dev/stderr"),
        ("/proc/self/fd/2", "/proc/self/fd/2"),
        ("/device/x.log", "/logs/x.log"),
        ("/var/log/aurora.log", "/var/log/aurora.log"),
        ("/var/log/my-aurora.log", "/logs/my-aurora.log"),
        ("/var/log/aurora2.log", "/logs/aurora2.log"),
        ("/var/log/aurora_x.log", "/var/log/aurora_x.log"),
        ("x.log", "/logs/x.log"),
    ],
)
def test_file_is_the_sites_when_its_id_is_a_word_of_it(filename: str, path: str) -> None:
    """Streams stay, and other files go to the site's folder."""
    assert log_file_path(filename, "h", a_site(), Path("/logs"), {}) == path


def test_files_of_one_name_are_told_apart_by_their_handlers() -> None:
    """The same file of two handlers is one."""
    taken: dict[str, str] = {}
    found = [
        log_file_path(name, str(number), a_site(), Path("/l"), taken)
        for number, name in enumerate(("/a/x", "/b/x", "/a/x"))
    ]
    assert found == ["/l/x", "/l/1-x", "/l/x"]


@pytest.mark.parametrize(
    ("formatter", "text"),
    [
        ({}, "%(site)s %(message)s"),
        ({"format": "%(site)s x"}, "%(site)s x"),
        ({"format": "%(site)-9s x"}, "%(site)-9s x"),
        ({"format": "x", "style": "{"}, "{site} x"),
        ({"format": "{site:9} x", "style": "{"}, "{site:9} x"),
        ({"style": "{"}, "{site} {message}"),
        ({"format": "$site x", "style": "$"}, "$site x"),
        ({"format": "${site} x", "style": "$"}, "${site} x"),
        ({"style": "$"}, "${site} ${message}"),
        ({"format": "x", "class": "logging.Formatter"}, "%(site)s x"),
        ({"format": "x", "class": "project.Json"}, "x"),
        ({"format": "x", "()": "project.Json"}, "x"),
        ({"format": "x", "style": "?"}, "x"),
    ],
)
def test_formatter_says_the_site_once(formatter: dict[str, object], text: str) -> None:
    """A plain one that does not say it yet."""
    found: Any = add_site_to_format(formatter)
    assert found["format"] == text
    assert {key: value for key, value in found.items() if key != "format"} == {
        key: value for key, value in formatter.items() if key != "format"
    }
    assert add_site_to_format(None) is None


def test_plain_handlers_are_the_standard_librarys() -> None:
    """By the class that is named."""
    assert is_standard_handler({"class": "logging.StreamHandler"}) is True
    assert is_standard_handler({"class": "project.logging.X"}) is False and is_standard_handler({}) is False


@pytest.mark.parametrize(
    ("mailer", "writes"),
    [
        ({"BACKEND": "django.core.mail.backends.filebased.EmailBackend"}, True),
        ({"BACKEND": "x", "OPTIONS": {"file_path": ""}}, True),
        ({"BACKEND": "x", "OPTIONS": {"host": ""}}, False),
        ({"BACKEND": "x", "OPTIONS": None}, False),
        ({}, False),
    ],
)
def test_mailer_that_writes_files_has_the_sites_folder(mailer: dict[str, Any], writes: bool) -> None:
    """By its backend or by its options; the others stay as they are."""
    assert writes_files(mailer) is writes
    options = {**(mailer.get("OPTIONS") or {}), "file_path": "/f"}
    assert move_mail_to_folder(mailer, "/f") == ({**mailer, "OPTIONS": options} if writes else mailer)


REDIS = "wagtail_multihost.backends.cache.SiteRedisCache"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"BACKEND": REDIS, "LOCATION": "redis://a@h"}, None),
        ({"BACKEND": REDIS, "LOCATION": "redis://:@h"}, None),
        ({"BACKEND": REDIS, "LOCATION": "redis://:p@h;redis://i"}, None),
        ({"BACKEND": REDIS, "LOCATION": "redis://:p@h;redis://:q@i"}, None),
        ({"BACKEND": REDIS, "LOCATION": "redis://:p@h;redis://u:p@i"}, ("redis://h,redis://u@i", {"password": "p"})),
        ({"BACKEND": REDIS, "LOCATION": ("redis://:p@h",)}, (["redis://h"], {"password": "p"})),
        (
            {"BACKEND": REDIS, "LOCATION": "redis://:p@h", "OPTIONS": {"password": "own"}},
            ("redis://h", {"password": "own"}),
        ),
        ({"BACKEND": REDIS, "LOCATION": None}, None),
        ({"BACKEND": REDIS}, None),
        ({"BACKEND": "x", "LOCATION": "redis://:p@h"}, None),
    ],
)
def test_password_moves_where_there_is_one_for_all(
    options: dict[str, Any], expected: tuple[object, object] | None
) -> None:
    """An alias without one, or with several, stays as it is."""
    found: Any = reveal_secrets(move_password_to_options(dict(options)))
    wanted = options if expected is None else {**options, "LOCATION": expected[0], "OPTIONS": expected[1]}
    assert found == wanted
