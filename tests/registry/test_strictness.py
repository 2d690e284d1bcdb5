"""Nothing is guessed: a value of another type, a blank, an unknown key and a file that is none are mistakes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.registry.conftest import AURORA, HEAD, PLATFORM_KEY, RegistryMaker
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import Registry, open_registry
from wagtail_multihost.resolver.resolved import ResolvedSettings
from wagtail_multihost.spec.secret import Secret

NETWORKED = '[sites.aurora.database]\nengine = "postgresql"\nhost = "h"\n'
VARIABLES = {
    "MULTIHOST_SITE": "aurora",
    "MULTIHOST_PLATFORM_NAME": "aviary",
    "MULTIHOST_PLATFORM_SECRET_KEY": PLATFORM_KEY,
    "MULTIHOST_SITE_HOSTNAMES": "aurora.example.org",
}
ON_SERVER = {"MULTIHOST_SITE_DATABASE__ENGINE": "postgresql", "MULTIHOST_SITE_DATABASE__HOST": "h"}
AWKWARD = "$a#b?c/d@e["


def wheres(registry: Registry) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        registry.site("aurora")
    return [problem.where for problem in refused.value.problems]


def of_variables(**variables: str) -> Registry:
    own = {f"MULTIHOST_SITE_{name}": value for name, value in variables.items()}
    return open_registry("env:", {**VARIABLES, **own})


@pytest.mark.parametrize("value", ['"ture"', '"true"', '""', "1", "1.0", "[]", "2026-02-28", "nan"])
@pytest.mark.parametrize("key", ["enabled", "cache.tls", "settings.WAGTAIL_I18N_ENABLED"])
def test_boolean_of_a_file_is_a_boolean(registry: RegistryMaker, key: str, value: str) -> None:
    """Only true and false are: neither text nor a number stands for one."""
    cache = 'cache.backend = "redis"\ncache.host = "h"\n' if key == "cache.tls" else ""
    assert wheres(registry(f"{HEAD}{AURORA}{cache}{key} = {value}\n")) == [f"sites.toml: sites.aurora.{key}"]


@pytest.mark.parametrize("value", ["ture", "2", "tru e", "none", "True;", "\u0131"])
@pytest.mark.parametrize("name", ["ENABLED", "CACHE__TLS"])
def test_boolean_of_a_variable_is_one_of_eight_words(name: str, value: str) -> None:
    """A misspelt word is a mistake and not false."""
    cache = {"CACHE__BACKEND": "redis", "CACHE__HOST": "h"} if name == "CACHE__TLS" else {}
    assert wheres(of_variables(**cache, **{name: value})) == [f"MULTIHOST_SITE_{name}"]


@pytest.mark.parametrize(
    "value", ['"5432"', "5432.0", "true", "nan", "-inf", "1e3", "2026-02-28", "07:32:00", "[5432]", "{}"]
)
def test_integer_of_a_file_is_an_integer(registry: RegistryMaker, value: str) -> None:
    """Neither text nor a float nor a date is read as a number."""
    opened = registry(f'{HEAD}{AURORA}{NETWORKED}password = "p"\nport = {value}\n')
    assert wheres(opened) == ["sites.toml: sites.aurora.database.port"]


@pytest.mark.parametrize("value", ["5432.0", "0x10", "5_432", "1e3", "+1", "-1", "\u0665", "\u00b2", "nan", "9" * 30])
def test_integer_of_a_variable_has_digits_only(value: str) -> None:
    """What Python's int() also takes is a mistake."""
    assert wheres(of_variables(EPOCH=value)) == ["MULTIHOST_SITE_EPOCH"]


@pytest.mark.parametrize(
    "value", ['""', '" "', '"\\t\\n"', "5", "nan", "2026-02-28T00:00:00Z", "[]", "{ a = 1 }", "false"]
)
@pytest.mark.parametrize("key", ["host", "user", "name", "password", "engine"])
def test_text_of_a_file_is_text_and_not_blank(registry: RegistryMaker, key: str, value: str) -> None:
    """A field that is set but blank is a mistake: libpq would take another value for it."""
    rest = {"engine": '"postgresql"', "host": '"h"', "password": '"p"', key: value}
    lines = "".join(f"{name} = {stated}\n" for name, stated in rest.items())
    found = wheres(registry(f"{HEAD}{AURORA}[sites.aurora.database]\n{lines}"))
    assert f"sites.toml: sites.aurora.database.{key}" in found


@pytest.mark.parametrize("name", ["HOST", "USER", "NAME", "PASSWORD"])
@pytest.mark.parametrize("value", ["", " ", "\n"])
def test_text_of_a_variable_is_not_blank(name: str, value: str) -> None:
    """A variable that is set but blank is a mistake."""
    registry = open_registry(
        "env:",
        {**VARIABLES, **ON_SERVER, "MULTIHOST_SITE_DATABASE__PASSWORD": "p", f"MULTIHOST_SITE_DATABASE__{name}": value},
    )
    assert wheres(registry)[0] == f"MULTIHOST_SITE_DATABASE__{name}"


@pytest.mark.parametrize(
    ("lines", "key", "hint"),
    [
        (f'{NETWORKED}passwrod = "hunter2"\npassword = "p"', "database.passwrod", "password"),
        ('cache = { backend = "redis", host = "h", usrname = "x" }', "cache.usrname", "username"),
        ('storage = { backend = "s3", acces_key = "hunter2" }', "storage.acces_key", "access_key"),
        ('mail = { host = "h", user_name = "x" }', "mail.user_name", "username"),
        ('frontend = { backend = "http", location = "http://h", zon = "x" }', "frontend.zon", "zone"),
        ('names = { databse = "x" }', "names.databse", "database"),
        ('tls = { certificate = "/a", key = "/b", ky = "/c" }', "tls.ky", "key"),
        ("settings = { WAGTAIL_SITENAME = 'x' }", "settings.WAGTAIL_SITENAME", "WAGTAIL_SITE_NAME"),
    ],
)
def test_unknown_key_of_every_table_has_a_suggestion(registry: RegistryMaker, lines: str, key: str, hint: str) -> None:
    """A misspelt key is told with the one that was meant, and its value is not shown."""
    with pytest.raises(ConfigurationError) as refused:
        registry(f"{HEAD}{AURORA}{lines}\n").site("aurora")
    (problem,) = refused.value.problems
    assert problem.where == f"sites.toml: sites.aurora.{key}"
    assert problem.message.endswith(f"Did you mean {hint}?")
    assert "hunter2" not in problem.message


@pytest.mark.parametrize(
    ("content", "value"),
    [("hunter2\n", "hunter2"), ("hunter2\r\n", "hunter2"), ("hunter2\n\n", "hunter2\n"), (" hunter2 ", " hunter2 ")],
)
def test_secret_file_loses_one_newline(tmp_path: Path, content: str, value: str) -> None:
    """An editor's last newline is no part of a secret; everything else is."""
    path = tmp_path / "secret"
    path.write_text(content, newline="")
    path.chmod(0o600)
    assert Secret.from_file(path).reveal() == value


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('database = { path = "postgresql://u:hunter2@db/n" }', "database.path"),
        ('storage = { path = "s3://u:hunter2@bucket" }', "storage.path"),
        ('secret_key_file = "https://u:hunter2@vault/key"', "secret_key_file"),
    ],
)
def test_url_in_the_place_of_a_path_is_refused(registry: RegistryMaker, line: str, key: str) -> None:
    """A URL is no path, and what may be a password in it is in no message."""
    opened = registry(f"{HEAD}{AURORA}{line}\n")
    assert wheres(opened) == [f"sites.toml: sites.aurora.{key}"]
    with pytest.raises(ConfigurationError) as refused:
        opened.load()
    assert "hunter2" not in str(refused.value)


def test_missing_keys_are_all_in_one_report(registry: RegistryMaker) -> None:
    """Three things that are missing are three problems of one error."""
    found = wheres(registry(f'[platform]\nsecret_key = "{PLATFORM_KEY}"\n[sites.aurora]\n{NETWORKED}'))
    assert found == [
        "sites.toml: platform.name",
        "sites.toml: sites.aurora.hostnames",
        "sites.toml: sites.aurora.database.password",
    ]


def password_of(registry: Registry) -> object:
    platform, site = registry.site("aurora")
    databases = ResolvedSettings(platform, site).databases
    assert isinstance(databases, dict)
    return databases["default"]["PASSWORD"]


@pytest.mark.parametrize(
    "password", [AWKWARD, "%41", "\\$x", "$HOME", "{site}", "a b", "\u00e9", "'\"", "true", "1e5", "@none"]
)
def test_password_is_what_was_written(registry: RegistryMaker, tmp_path: Path, password: str) -> None:
    """No form of a password is interpolated, decoded or cast, wherever it is written."""
    path = tmp_path / "password"
    path.write_text(f"{password}\n", encoding="utf-8")
    path.chmod(0o600)
    for line in (
        f"password = {password!r}" if "'" not in password else None,
        'password = "env:P"',
        'password_file = "password"',
    ):
        if line is not None:
            opened = registry(f"{HEAD}{AURORA}{NETWORKED}{line}\n".replace("'\\\\$x'", "'\\$x'"), {"P": password})
            assert password_of(opened) == password
    variables = {**VARIABLES, **ON_SERVER, "MULTIHOST_SITE_DATABASE__PASSWORD": password}
    assert password_of(open_registry("env:", variables)) == password


def test_password_in_a_url_is_percent_encoded(registry: RegistryMaker) -> None:
    """Encoded it is what was meant; as it is, the URL is refused without repeating any of it."""
    url = f'{HEAD}{AURORA}database = "postgresql://u:{{}}@h/n"\n'
    assert password_of(registry(url.format("%24a%23b%3Fc%2Fd%40e%5B"))) == AWKWARD
    with pytest.raises(ConfigurationError) as refused:
        registry(url.format(AWKWARD)).site("aurora")
    assert [problem.where for problem in refused.value.problems] == ["sites.toml: sites.aurora.database"]
    assert "c/d" not in str(refused.value) and "$a" not in str(refused.value)


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('names = { key_prefix = "a:1" }', "names.key_prefix"),
        ('names = { key_prefix = "a*" }', "names.key_prefix"),
        ('names = { index_prefix = "a" }', "names.index_prefix"),
        (f'names = {{ database = "{"a" * 55}" }}', "names.database"),
        (f'names = {{ role = "{"a" * 64}" }}', "names.role"),
        (f'{NETWORKED}password = "p"\nname = "{"a" * 64}"', "database.name"),
        (f'{NETWORKED}password = "p"\nname = "{chr(233) * 40}"', "database.name"),
        (f'{NETWORKED}password = "p"\nuser = "{"a" * 64}"', "database.user"),
    ],
)
def test_name_that_a_server_would_read_otherwise_is_refused(registry: RegistryMaker, line: str, key: str) -> None:
    """A separator or a pattern in a prefix, and a name that PostgreSQL cuts, are refused."""
    assert wheres(registry(f"{HEAD}{AURORA}{line}\n")) == [f"sites.toml: sites.aurora.{key}"]


def as_pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def as_text(text: bytes) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        path.write_bytes(text)
        return path

    return write


NOT_FILES: list[Callable[[Path], Path]] = [
    as_pipe,
    lambda path: Path("/dev/zero"),
    lambda path: Path("/dev/null/x"),
    lambda path: path,
    lambda path: path.with_name("a" * 300),
    as_text(b"\xff\xfe"),
    as_text(b"a = 1" + b"[" * 100_000),
    as_text(b"a = " + b"9" * 10_000),
]


class StillWaitingError(Exception):
    """Something waited longer than it may."""


@pytest.fixture
def hurry() -> Iterator[None]:
    """End what the test waits for after ten seconds, such as the writer of a pipe."""

    def stop(*_: object) -> None:
        raise StillWaitingError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize("make", NOT_FILES)
def test_registry_that_is_no_file_is_refused(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    """A pipe, a device, nothing, and what is not TOML are one problem at once, for one site and for all."""
    path = make(tmp_path / "sites.toml")
    registry = open_registry(path, {})
    with pytest.raises(ConfigurationError) as refused:
        registry.load()
    assert [problem.where for problem in refused.value.problems] == [str(path)]
    assert wheres(registry) == [str(path)]


def test_registry_that_became_a_folder_is_refused(registry: RegistryMaker) -> None:
    """A folder in the place of the file is a report too, and leaves no file open."""
    opened = registry(HEAD + AURORA)
    path = opened.files[0]
    path.unlink()
    path.mkdir()
    before = len(os.listdir("/proc/self/fd"))
    assert wheres(opened) == [str(path)]
    assert len(os.listdir("/proc/self/fd")) == before


def test_registry_that_may_not_be_read_is_refused(registry: RegistryMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of another account is reported with the reason of the system."""
    opened = registry(HEAD + AURORA)

    def forbid(*arguments: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", forbid)
    with pytest.raises(ConfigurationError, match="Permission denied"):
        opened.load()


@pytest.mark.parametrize("data", ["../up", "a/../../up"])
def test_key_is_never_made_in_a_folder_that_is_refused(registry: RegistryMaker, tmp_path: Path, data: str) -> None:
    """The platform's key is made in a folder that was accepted, or not at all."""
    opened = registry(f'[platform]\nname = "aviary"\ndata = "{data}"\n{AURORA}')
    assert wheres(opened) == ["sites.toml: platform.data"]
    assert not (tmp_path.parent / "up").exists()
