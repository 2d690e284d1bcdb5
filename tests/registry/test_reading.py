"""Reading single values of tables and of variables, and what is said of each that is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.spec.samples import secret_file
from wagtail_multihost.exceptions import ConfigurationError, Problem, SecretUnreadableError
from wagtail_multihost.registry.environment import (
    EnvironmentRegistry,
    EnvironmentSource,
    nested_table,
    put_value,
    split_list,
)
from wagtail_multihost.registry.keys import Key, declared
from wagtail_multihost.registry.keys.key import field_keys, toml_literal
from wagtail_multihost.registry.keys.settings import accepted_by
from wagtail_multihost.registry.record import KeyEntry, Record, RegistrySource, check_digits, table_entries
from wagtail_multihost.registry.snapshot import SnapshotSource
from wagtail_multihost.registry.toml import TomlRegistry
from wagtail_multihost.registry.typed import TypedSource
from wagtail_multihost.spec.declared import declarations
from wagtail_multihost.spec.mail import MailSpec
from wagtail_multihost.spec.overrides import parse_language_code, parse_line
from wagtail_multihost.spec.secret import Secret

FILE = Path("/srv/sites.toml")
SITE = ("sites", "aurora")


def typed(**changes: Any) -> TypedSource:
    return TypedSource(FILE, {"KEY": "k", "BLANK": " "}, **{"reads_secrets": False, **changes})


def record(table: dict[str, object], source: RegistrySource | None = None, path: tuple[str, ...] = SITE) -> Record:
    return Record.of(table, path, source or typed(), [], "aurora")


def told(made: Record) -> list[tuple[str, str]]:
    assert {problem.site for problem in made.problems} <= {"aurora" if made.path[0] == "sites" else ""}
    return [(problem.where, problem.message) for problem in made.problems]


def test_sources_say_what_holds_for_them() -> None:
    """Files follow references, derive keys and are of development; variables are not, and snapshots do neither."""
    marks = ("follows_references", "needs_platform_key", "assumes_development", "reads_secrets", "revision")
    environment, snapshot = (
        EnvironmentSource({}, reads_secrets=True),
        SnapshotSource(FILE, {}, reads_secrets=True, revision=7),
    )
    assert [getattr(typed(), mark) for mark in marks] == [True, True, True, False, 0]
    assert [getattr(environment, mark) for mark in marks] == [True, True, False, True, 0]
    assert [getattr(snapshot, mark) for mark in marks] == [False, False, True, True, 7]
    assert (typed().base, environment.base) == (FILE.parent, Path.cwd())
    assert typed().pins_with == "Run: manage.py multihost_sites --pin"
    assert "MULTIHOST_SITE_UID" in environment.pins_with and "MULTIHOST_SITE_NAMES__" in environment.pins_with
    assert snapshot.pins_with.endswith("manage.py multihost_snapshot")


@pytest.mark.parametrize(
    ("path", "typed_label", "snapshot_label", "variable"),
    [
        (("platform", "name"), "sites.toml: platform.name", "sites.toml: platform.name", "MULTIHOST_PLATFORM_NAME"),
        (
            ("platform", "database", "host"),
            *("sites.toml: platform.database.host",) * 2,
            "MULTIHOST_PLATFORM_DATABASE__HOST",
        ),
        (("sites", "a", "uid"), "sites.toml: sites.a.uid", "sites.toml: site.uid", "MULTIHOST_SITE_UID"),
        (
            ("sites", "a", "mail", "host"),
            "sites.toml: sites.a.mail.host",
            "sites.toml: site.mail.host",
            "MULTIHOST_SITE_MAIL__HOST",
        ),
        (("sites", "a"), "sites.toml: sites.a", "sites.toml: site", "MULTIHOST_SITE"),
        (("MULTIHOST_X",), "sites.toml: MULTIHOST_X", "sites.toml: MULTIHOST_X", "MULTIHOST_X"),
    ],
)
def test_key_is_named_as_it_is_written(
    path: tuple[str, ...], typed_label: str, snapshot_label: str, variable: str
) -> None:
    """As a dotted path in the file, or as a variable."""
    snapshot = SnapshotSource(FILE, {}, reads_secrets=False)
    labels = (typed().label(path), snapshot.label(path), EnvironmentSource({}, reads_secrets=False).label(path))
    assert labels == (typed_label, snapshot_label, variable)


def test_key_that_is_not_bare_is_quoted() -> None:
    """A blank key, or one with other characters, is shown; without a key the file is named."""
    assert typed().label(("a", "", "b c", "d-_9")) == "sites.toml: a.''.'b c'.d-_9"
    assert typed().label(()) == "sites.toml"


@pytest.mark.parametrize(
    ("take", "value", "expected", "problem"),
    [
        ("take_text", "a", "a", None),
        ("take_text", " a ", " a ", None),
        ("take_text", "", "default", "It is blank."),
        ("take_text", " \n", "default", "It is blank."),
        ("take_text", 7, "default", "It must be a string, not a whole number."),
        ("take_boolean", False, False, None),
        ("take_boolean", 0, "default", "It must be true or false without quotes, not a whole number."),
        ("take_boolean", "true", "default", "It must be true or false without quotes, not a string."),
        ("take_integer", 999_999_999, 999_999_999, None),
        ("take_integer", -999_999_999, -999_999_999, None),
        ("take_integer", 1_000_000_000, "default", "The number is not accepted: it has more than nine digits."),
        ("take_integer", -1_000_000_000, "default", "The number is not accepted: it has more than nine digits."),
        ("take_integer", True, "default", "It must be a whole number without quotes, not true or false."),
        (
            "take_integer",
            1.0,
            "default",
            "It must be a whole number without quotes, not a number with a decimal point.",
        ),
        ("take_integer", "1", "default", "It must be a whole number without quotes, not a string."),
        ("take_texts", ["a", "b"], ("a", "b"), None),
        ("take_texts", [], (), None),
        ("take_texts", "a", "default", "It must be a list of strings, not a string."),
        ("take_texts", ["a", 7], "default", "It must be a string, not a whole number."),
        ("take_texts", [""], "default", "It is blank."),
        ("take_path", "a", Path("/srv/a"), None),
        ("take_path", "/a", Path("/a"), None),
        ("take_path", "postgresql://u:p@h/n", "default", "It is a URL; a path is accepted."),
        ("take_path", "../..", "default", "The path '/srv/../..' is not accepted: it must be absolute, without '..'."),
        ("take_path", "a\n", "default", r"The path 'a\n' is not accepted: it has unprintable characters."),
    ],
)
def test_value_is_taken_or_told(take: str, value: object, expected: object, problem: str | None) -> None:
    """What is of the type is returned, and of everything else the default, with a problem at the key; once."""
    made = record({"key": value, "other": 1})
    assert getattr(made, take)("key", "default") == expected
    assert told(made) == ([("sites.toml: sites.aurora.key", problem)] if problem else [])
    assert (list(made.entries), made.known, list(made.written)) == (["other"], ["key"], ["key", "other"])
    assert getattr(made, take)("key", "default") == "default", "it was taken"


def test_value_that_is_missing_is_its_default() -> None:
    """Without a default, text is blank and lists are empty."""
    made = record({})
    assert (made.take_text("a"), made.take_texts("b")) == ("", ())
    assert (made.take_boolean("c", True), made.take_integer("d", 7), made.take_path("e", None)) == (True, 7, None)
    assert (made.take("f"), made.take_table("g"), made.take_secret("h"), made.take_secrets("i")) == (
        None,
        None,
        None,
        (),
    )
    assert (made.take_hosts("j"), made.problems) == ((), [])
    assert made.known == [*"abcdefgh", "h_file", "i", "j"]


def test_number_has_nine_digits() -> None:
    """On either side of zero."""
    assert [check_digits(value) for value in (0, 10**9 - 1, 1 - 10**9)] == [0, 10**9 - 1, 1 - 10**9]
    for value in (10**9, -(10**9)):
        with pytest.raises(ValueError, match="more than nine digits"):
            check_digits(value)


def test_entry_does_not_print_its_value() -> None:
    """The value may be a secret."""
    assert repr(KeyEntry("hunter2", ("a", "b"))) == "Entry(a.b)"
    entries = table_entries({"a": 1}, ("x",))
    assert {key: (entry.value, entry.path) for key, entry in entries.items()} == {"a": (1, ("x", "a"))}


def test_table_in_a_table_goes_on_with_its_path() -> None:
    """It has the source, the problems and the site of the one around it; what is no table is a problem."""
    made = record({"a": {"b": 7}, "c": 7})
    inner = made.take_table("a")
    assert inner is not None
    assert inner.take_text("b") == ""
    assert (inner.path, inner.site, inner.source, inner.problems) == (
        (*SITE, "a"),
        "aurora",
        made.source,
        made.problems,
    )
    assert made.take_table("c") is None
    assert told(made) == [
        ("sites.toml: sites.aurora.a.b", "It must be a string, not a whole number."),
        ("sites.toml: sites.aurora.c", "It must be a table, not a whole number."),
    ]


def test_keys_that_nobody_took_are_told_at_the_end() -> None:
    """With the nearest known one, or all of them in the order of the alphabet, each once."""
    made = record({"nam": 1, "zzz": 2, "name": "a"})
    made.take_text("name")
    made.take_text("name")
    made.take_text("data")
    made.close()
    assert told(made) == [
        ("sites.toml: sites.aurora.nam", "The key 'nam' is not known. Did you mean name?"),
        ("sites.toml: sites.aurora.zzz", "The key 'zzz' is not known. Accepted: data, name."),
    ]


def test_problem_of_the_platform_is_no_sites() -> None:
    """What a site has of the platform is the platform's mistake."""
    made = record({})
    made.report("A.", ("platform", "cache"))
    made.report("B.", ("sites", "aurora", "cache"))
    made.report("C.", ())
    assert [problem.site for problem in made.problems] == ["", "aurora", "aurora"]


def test_hosts_are_told_one_by_one() -> None:
    """Those that are accepted are in ASCII, the others each a problem of the key."""
    made = record({"hosts": ["B\u00fccher.example", "localhost", "a.example", "A_b.example"]})
    assert made.take_hosts("hosts") == ("xn--bcher-kva.example", "a.example")
    assert [where for where, _ in told(made)] == ["sites.toml: sites.aurora.hosts"] * 2


def test_what_is_built_has_its_problems_under_the_keys_as_written() -> None:
    """Under the key, or the one of its file, where the operator wrote it, and else where it would be."""

    def fail() -> object:
        raise ConfigurationError([Problem(key, key) for key in ("a", "b", "c", "d.e")])

    made = Record(
        {"a": KeyEntry(1, ("platform", "x", "a")), "b_file": KeyEntry(1, ("x", "b_file"))}, SITE, typed(), [], "aurora"
    )
    assert made.build(fail) is None
    assert [problem.where for problem in made.problems] == [
        *("sites.toml: platform.x.a", "sites.toml: x.b_file"),
        *("sites.toml: sites.aurora.c", "sites.toml: sites.aurora.d.e"),
    ]
    assert [problem.message for problem in made.problems] == ["a", "b", "c", "d.e"]
    assert made.build(lambda: 0) == 0


@pytest.mark.parametrize(
    ("table", "value", "problems"),
    [
        ({"key": "k"}, Secret("k"), []),
        ({"key": "env:KEY"}, Secret("k"), []),
        ({"key": " env:KEY"}, Secret(" env:KEY"), []),
        ({"key": "env:"}, None, [("key", "The name of an environment variable must follow env:.")]),
        ({"key": "env:A-B"}, None, [("key", "The name of an environment variable must follow env:.")]),
        ({"key": "env:9"}, None, [("key", "The name of an environment variable must follow env:.")]),
        ({"key": "env:NONE"}, None, [("key", "The environment variable NONE is not set.")]),
        ({"key": "env:BLANK"}, Secret(" "), [("key", "The secret is blank.")]),
        ({"key": ""}, Secret(""), [("key", "It is blank.")]),
        ({"key": 7}, Secret(""), [("key", "It must be a string, not a whole number.")]),
        ({"key_file": 7}, Secret(""), [("key_file", "It must be a string, not a whole number.")]),
        (
            {"key_file": "{x}"},
            Secret(""),
            [("key_file", "The path '{x}' is not accepted: only {site} is accepted in braces.")],
        ),
        (
            {"key_file": "a}"},
            Secret(""),
            [("key_file", "The path 'a}' is not accepted: only {site} is accepted in braces.")],
        ),
        (
            {"key_file": "a\n"},
            Secret(""),
            [("key_file", r"The path 'a\n' is not accepted: only {site} is accepted in braces.")],
        ),
        ({"key_file": "a://b"}, Secret(""), [("key_file", "It is a URL; a path is accepted.")]),
        (
            {"key_file": "/none/at/all"},
            None,
            [("key_file", "Cannot read the secret file /none/at/all: No such file or directory.")],
        ),
        (
            {"key": "k", "key_file": "f"},
            Secret("k"),
            [("key_file", "It is stated together with key; give only one of the two.")],
        ),
    ],
)
def test_secret_is_taken_or_told(
    table: dict[str, object], value: Secret | None, problems: list[tuple[str, str]]
) -> None:
    """A value, a variable or a file, read where secrets are read; each mistake is at the key that has it."""
    made = record(dict(table), typed(reads_secrets=True))
    found = made.take_secret("key")
    assert found is not None
    if value is not None:
        assert found == value
    assert told(made) == [(f"sites.toml: sites.aurora.{key}", message) for key, message in problems]
    assert made.entries == {}
    assert made.known == ["key", "key_file"]


def test_secret_file_is_that_of_the_site(tmp_path: Path) -> None:
    """{site} in its path is the id, and the path starts where the registry is."""
    secret_file(tmp_path / "aurora.key", "of aurora\n")
    source = TypedSource(tmp_path / "sites.toml", {}, reads_secrets=True)
    made = record({"key_file": "{site}.key"}, source)
    found = made.take_secret("key")
    assert found == Secret("of aurora")
    assert found is not None and found.file == tmp_path / "aurora.key"
    platform = Record.of({"key_file": "{site}.key"}, ("platform",), source, [])
    platform.take_secret("key")
    assert [problem.where for problem in platform.problems] == ["sites.toml: platform.key_file"]


def test_secret_that_is_not_read_is_not_missed() -> None:
    """Where secrets are not read, neither a missing variable nor a missing file is a problem."""
    made = record({"a": "env:NONE", "b_file": "/none", "c": ["env:NONE"]})
    first, second, (third,) = made.take_secret("a"), made.take_secret("b"), made.take_secrets("c")
    assert (first.variable, second.file, third.variable) == ("NONE", Path("/none"), "NONE")  # type: ignore[union-attr]
    assert made.problems == []


def test_secrets_of_a_list_are_read_one_by_one() -> None:
    """Each is a value or a variable, and each that cannot be read is a problem of the list."""
    made = record({"keys": ["a", "env:KEY", "env:NONE", "env:BLANK", "env:-"]}, typed(reads_secrets=True))
    assert made.take_secrets("keys")[:2] == (Secret("a"), Secret("k"))
    assert told(made) == [
        ("sites.toml: sites.aurora.keys", "The name of an environment variable must follow env:."),
        ("sites.toml: sites.aurora.keys", "The environment variable NONE is not set."),
        ("sites.toml: sites.aurora.keys", "The secret is blank."),
        ("sites.toml: sites.aurora.keys", "The environment variable - is not set."),
    ]


def test_secret_of_a_snapshot_means_itself() -> None:
    """Neither a reference to a variable nor a file is followed, and the key of a file is not known."""
    made = record({"key": "env:KEY", "key_file": "f"}, SnapshotSource(FILE, {"KEY": "k"}, reads_secrets=True))
    assert made.take_secret("key") == Secret("env:KEY")
    assert list(made.entries) == ["key_file"]
    assert made.known == ["key"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((word, True) for word in ("true", "1", "yes", "on", " TRUE ", "On")),
        *((word, False) for word in ("false", "0", "no", "off", "False\n")),
        (True, True),
        (False, False),
    ],
)
def test_variable_is_a_boolean(text: object, expected: bool) -> None:
    """In the words that variables have for it, in any case; a part of a URL is one already."""
    assert EnvironmentSource({}, reads_secrets=False).boolean(text) is expected


@pytest.mark.parametrize("text", ["", " ", "2", "y", "truth", 7])
def test_variable_is_no_boolean(text: object) -> None:
    """Any other word is an error."""
    with pytest.raises(ValueError, match=r"true or false|blank|a string"):
        EnvironmentSource({}, reads_secrets=False).boolean(text)


@pytest.mark.parametrize(("text", "expected"), [("0", 0), (" 7 ", 7), ("9" * 19, int("9" * 19)), (7, 7)])
def test_variable_is_an_integer(text: object, expected: int) -> None:
    """In digits; a part of a URL is one already."""
    assert EnvironmentSource({}, reads_secrets=False).integer(text) == expected


@pytest.mark.parametrize("text", ["", "-1", "1.5", "\u0661", "9" * 20, "x"])
def test_variable_is_no_integer(text: object) -> None:
    """Anything else is an error."""
    with pytest.raises(ValueError, match=r"whole number|blank"):
        EnvironmentSource({}, reads_secrets=False).integer(text)


def test_variable_is_a_list() -> None:
    """Split at commas, without blanks around; none between two."""
    source = EnvironmentSource({}, reads_secrets=False)
    assert source.texts("a") == ("a",)
    assert source.texts(" a , b,c ") == ("a", "b", "c")
    assert split_list("a,b") == ["a", "b"]
    with pytest.raises(ValueError, match="empty item between commas"):
        source.texts("a, ,b")
    with pytest.raises(ValueError, match="It is blank"):
        source.texts(" ")


def test_variables_are_tables() -> None:
    """Two underscores lead into a table; names of settings keep their case; other variables are not looked at."""
    variables = {
        "MULTIHOST_SITE_DATABASE__HOST": "h",
        "MULTIHOST_SITE_DATABASE__OPTIONS__SSLMODE": "s",
        "MULTIHOST_SITE_SETTINGS__TIME_ZONE": "z",
        "MULTIHOST_SITE_UID": "u",
        "MULTIHOST_PLATFORM_NAME": "n",
        "OTHER": "o",
    }
    clashes: list[str] = []
    assert nested_table("MULTIHOST_SITE_", variables, clashes) == {
        "database": {"host": "h", "options": {"sslmode": "s"}},
        "settings": {"TIME_ZONE": "z"},
        "uid": "u",
    }
    assert nested_table("MULTIHOST_PLATFORM_", variables, clashes) == {"name": "n"}
    registry = EnvironmentRegistry(variables)
    assert (clashes, registry.name, registry.url, registry.files) == ([], "The environment", "env:", ())
    clashing = {"MULTIHOST_SITE_A": "a", "MULTIHOST_SITE_A__B": "b", "MULTIHOST_SITE_A__B__C": "c"}
    nested_table("MULTIHOST_SITE_", clashing, clashes)
    assert clashes == ["MULTIHOST_SITE_A__B", "MULTIHOST_SITE_A__B__C"]


def test_value_is_placed_in_its_table() -> None:
    """Tables on the way are made, and a value on the way is left as it is."""
    table: dict[str, object] = {"a": "value"}
    assert put_value(table, ["b", "c"], "x") is True
    assert put_value(table, ["b", "d"], "y") is True
    assert put_value(table, ["a", "c"], "z") is False
    assert table == {"a": "value", "b": {"c": "x", "d": "y"}}


def test_registry_of_a_file_knows_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is as it was given, the path and the URL are absolute."""
    monkeypatch.chdir(tmp_path)
    registry = TomlRegistry(Path("../x/sites.toml"), {})
    assert (registry.name, registry.path) == ("../x/sites.toml", tmp_path.parent / "x/sites.toml")
    assert (registry.url, registry.files, registry.has_servers) == (str(registry.path), (registry.path,), True)


def test_key_has_a_path_and_variables() -> None:
    """The key as the file has it, and the variables of the site and the platform that set it."""
    keys = {(key.table, key.name): key for key in declared()}
    shared, own = keys["cache", "host"], keys["names", "role"]
    assert (shared.path, shared.kind) == ("sites.ID.cache.host", "redis")
    assert shared.variables == ("MULTIHOST_SITE_CACHE__HOST", "MULTIHOST_PLATFORM_CACHE__HOST")
    assert own.variables == ("MULTIHOST_SITE_NAMES__ROLE",)
    assert (own.path, own.kind, own.is_shared, own.needs_site) == (
        "sites.ID.names.role",
        "",
        False,
        False,
    )
    option = Key("platform.nginx", "user", "t", "d", "m")
    assert (option.path, option.variables) == ("platform.nginx.user", ("MULTIHOST_PLATFORM_NGINX__USER",))
    assert (option.is_shared, option.needs_site) == (False, False)
    assert Key("platform", "name", "t", "d", "m").variables == ("MULTIHOST_PLATFORM_NAME",)
    assert Key("sites.ID", "uid", "t", "d", "m").variables == ("MULTIHOST_SITE_UID",)


@pytest.mark.parametrize(
    ("table", "name", "is_accepted", "needs_site"),
    [
        ("cache", "password", True, False),
        ("cache", "password_file", True, False),
        ("mail", "username", True, False),
        ("tls", "key", True, False),
        ("settings", "TIME_ZONE", True, False),
        ("database", "host", True, False),
        ("database", "name", False, False),
        ("database", "password", False, False),
        ("database", "password_file", True, True),
        ("database", "path", True, True),
        ("storage", "bucket", False, False),
        ("storage", "path", True, True),
        ("frontend", "token_file", True, True),
        ("sites.ID", "uid", False, False),
    ],
)
def test_key_is_one_that_the_platform_may_have(table: str, name: str, is_accepted: bool, needs_site: bool) -> None:
    """What tells sites apart is not, or has {site} in it; what they may share is."""
    [key] = [key for key in declared() if (key.table, key.name) == (table, name)]
    assert (key.is_shared, key.needs_site) == (is_accepted, needs_site)


def test_secret_has_two_keys() -> None:
    """Itself, and the path of a file."""
    [(field, found)] = [pair for pair in declarations(MailSpec) if pair[0].name == "password"]
    own, file = field_keys("mail", field, found, is_shared=True)
    assert (own.name, own.type, own.default, own.kind) == ("password", "secret", "required with a username", "smtp")
    assert (file.name, file.type, file.default, file.kind) == ("password_file", "path", "none", "smtp")
    assert file.meaning == "The file that holds the `password`."
    assert (own.is_secret, file.is_secret, own.is_shared, file.is_shared) == (True, False, True, True)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((value, "none") for value in (None, "", ())),
        *((0, "0"), (False, "false"), (True, "true"), ("a", '"a"'), (("a", "b"), '["a", "b"]'), (Path("/a"), '"/a"')),
    ],
)
def test_default_is_written_as_toml_has_it(value: object, expected: str) -> None:
    """What is nothing is a word; zero and false are values."""
    assert toml_literal(value) == expected


def test_tables_without_a_url_are_called_tables() -> None:
    """There is no common form of a URL of them."""
    found = {key.name: key.type for key in declared() if key.table == "platform"}
    assert {table for table, word in found.items() if word == "URL or table"} == {
        *("database", "cache", "storage", "mail")
    }
    assert {found[table] for table in ("frontend", "tls", "settings")} == {"table"}


def test_setting_is_explained_in_the_words_of_its_parser() -> None:
    """What a parser returns its value for is what is accepted; one that says nothing explains nothing."""
    assert (
        accepted_by(parse_language_code)
        == ", accepted when it is a language code in Django's form, such as `de` or `pt-br`"
    )
    assert accepted_by(parse_line) == ", accepted when it is one line of 1 to 200 printable characters, in any script"
    assert accepted_by(lambda: None) == accepted_by(None) == ""


def test_secret_that_cannot_be_read_is_an_error_of_its_own() -> None:
    """It is told by who reads it, and is no error of a value."""
    assert not issubclass(SecretUnreadableError, ValueError)
