"""Findings 6 and 7: what a process inherits, keys that are misspelt, and how libraries read values."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Any

import dj_database_url
import environ
import pytest
from django.db.utils import ConnectionHandler
from environ.fileaware_mapping import FileAwareMapping

from tests.findings.conftest import REGISTRY, SettingsOf
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.resolver import resolve

INHERITED = "postgresql://aurora:of-aurora@db.internal:5432/aurora"
OWN = "postgresql://borealis:of-borealis@db.internal:5432/borealis"
PASSWORD = "$a#b?c/d@e["
PLATFORM = {
    "MULTIHOST_REGISTRY": "env:",
    "MULTIHOST_PLATFORM_NAME": "aviary",
    "MULTIHOST_PLATFORM_SECRET_KEY": "a-platform-key-0123456789-0123456789-0123456789",
    "MULTIHOST_SITE": "borealis",
    "MULTIHOST_SITE_HOSTNAMES": "borealis.example.org",
}
POSTGRESQL = {"MULTIHOST_SITE_DATABASE__ENGINE": "postgresql", "MULTIHOST_SITE_DATABASE__HOST": "db.internal"}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start elsewhere: relative folders of a site start at the working folder, and none belongs into the checkout."""
    monkeypatch.chdir(tmp_path)


def stock(variables: dict[str, str]) -> environ.Env:
    """Return django-environ in a process that has ``variables``."""
    return type("Env", (environ.Env,), {"ENVIRON": variables})()


def own_settings(**variables: str) -> dict[str, Any]:
    """Return the settings of a site whose registry is its ``variables``; writing them would raise."""
    namespace: dict[str, Any] = {}
    resolve(environ=MappingProxyType({**PLATFORM, **variables})).apply(namespace)
    return namespace


def wheres(**variables: str) -> list[str]:
    """Return the keys of the report on ``variables``."""
    with pytest.raises(ConfigurationError) as caught:
        own_settings(**variables)
    return [problem.where for problem in caught.value.problems]


def test_inherited_database_url_is_not_the_sites(settings_of: SettingsOf, tmp_path: Path) -> None:
    """Where a parent process has a DATABASE_URL, django-environ leaves a site's own .env aside; a registry is read."""
    (tmp_path / ".env").write_text(f"DATABASE_URL={OWN}\n")
    env = stock({"DATABASE_URL": INHERITED})
    env.read_env(tmp_path / ".env")
    assert env.db()["NAME"] == "aurora"
    registry = f'{REGISTRY}database = "{OWN}"\n'
    ambient = {"DATABASE_URL": INHERITED, "PGDATABASE": "aurora", "PGUSER": "aurora", "PGPASSWORD": "of-aurora"}
    database = settings_of("borealis", registry=registry, environ=ambient)["DATABASES"]["default"]
    assert [database[key] for key in ("NAME", "USER", "PASSWORD")] == ["borealis", "borealis", "of-borealis"]


def test_process_does_not_get_variables_from_a_file(tmp_path: Path) -> None:
    """django-environ writes what it reads where child processes inherit it; the resolver writes no variable."""
    (tmp_path / ".env").write_text(f"DATABASE_URL={OWN}\n")
    variables: dict[str, str] = {}
    stock(variables).read_env(tmp_path / ".env")
    assert variables == {"DATABASE_URL": OWN}
    assert own_settings()["ALLOWED_HOSTS"] == ["borealis.example.org"]  # its variables are a read-only mapping


def test_misspelt_key_of_a_database_is_refused() -> None:
    """Django takes a database table with any keys in it; a registry says which key is not known, and what it may be."""
    misspelt = {"ENGINE": "django.db.backends.postgresql", "NAME": "a", "PASWORD": "typed"}
    connection = ConnectionHandler({"default": misspelt})["default"]
    assert "password" not in connection.get_connection_params()
    with pytest.raises(ConfigurationError) as caught:
        own_settings(**POSTGRESQL, MULTIHOST_SITE_DATABASE__PASWORD="typed")
    messages = {problem.where: problem.message for problem in caught.value.problems}
    assert "password" in messages["MULTIHOST_SITE_DATABASE__PASWORD"]
    assert "typed" not in str(caught.value)


def test_blank_password_of_a_database_is_refused() -> None:
    """Django leaves a blank password out, and libpq takes PGPASSWORD; a registry refuses a blank."""
    blank = {"ENGINE": "django.db.backends.postgresql", "NAME": "a", "USER": "", "PASSWORD": ""}
    assert {"user", "password"}.isdisjoint(ConnectionHandler({"default": blank})["default"].get_connection_params())
    assert "MULTIHOST_SITE_DATABASE__PASSWORD" in wheres(**POSTGRESQL, MULTIHOST_SITE_DATABASE__PASSWORD="")


def test_password_is_taken_as_it_is_written() -> None:
    """In a URL, and as a value of django-environ, this password is an error or another one; as a key it is itself."""
    with pytest.raises(ValueError):
        dj_database_url.parse(f"postgresql://aurora:{PASSWORD}@db.internal/aurora")
    with pytest.raises(environ.ImproperlyConfigured):
        stock({"DATABASE_PASSWORD": PASSWORD}).str("DATABASE_PASSWORD")
    own = own_settings(**POSTGRESQL, MULTIHOST_SITE_DATABASE__PASSWORD=PASSWORD)
    assert own["DATABASES"]["default"]["PASSWORD"] == PASSWORD


def test_newline_of_a_secret_file_is_not_part_of_it(tmp_path: Path) -> None:
    """django-environ keeps the last newline of a file; here one is stripped."""
    file = tmp_path / "password"
    file.write_text("s3cret\n")
    file.chmod(0o600)
    mapping = FileAwareMapping({"PASSWORD_FILE": str(file)})
    assert type("Env", (environ.Env,), {"ENVIRON": mapping})().str("PASSWORD") == "s3cret\n"
    own = own_settings(**POSTGRESQL, MULTIHOST_SITE_DATABASE__PASSWORD_FILE=str(file))
    assert own["DATABASES"]["default"]["PASSWORD"] == "s3cret"


def test_misspelt_boolean_is_refused() -> None:
    """django-environ reads ``ture`` as false; here it is neither."""
    assert stock({"ENABLED": "ture"}).bool("ENABLED") is False
    assert wheres(MULTIHOST_SITE_ENABLED="ture") == ["MULTIHOST_SITE_ENABLED"]


def test_every_missing_key_is_in_one_report() -> None:
    """django-environ stops at the first missing variable; one report has all three, as the operator writes them."""
    env, missing = stock({}), []
    with pytest.raises(environ.ImproperlyConfigured) as caught:
        missing = [env.str(name) for name in ("FIRST", "SECOND", "THIRD")]
    assert missing == [] and "SECOND" not in str(caught.value)
    variables = {"MULTIHOST_SITE_DATABASE__ENGINE": "postgresql", "MULTIHOST_SITE_CACHE__BACKEND": "redis"}
    assert set(wheres(**variables)) >= {
        "MULTIHOST_SITE_DATABASE__HOST",
        "MULTIHOST_SITE_DATABASE__PASSWORD",
        "MULTIHOST_SITE_CACHE__HOST",
    }
