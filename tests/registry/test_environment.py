"""A registry of one site in environment variables."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.registry.conftest import PLATFORM_KEY, shown_by_error_pages
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import open_registry
from wagtail_multihost.spec import PlatformSpec, Secret, SiteSpec, TlsSpec, UwsgiOptions

MINIMAL = {
    "MULTIHOST_SITE": "aurora",
    "MULTIHOST_SITE_HOSTNAMES": "aurora.example.org",
    "MULTIHOST_PLATFORM_NAME": "aviary",
    "MULTIHOST_PLATFORM_SECRET_KEY": PLATFORM_KEY,
}


def read(**variables: str) -> tuple[PlatformSpec, SiteSpec]:
    return open_registry("env:", {**MINIMAL, **variables}).site("aurora")


def refused(**variables: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as found:
        read(**variables)
    return found.value


def test_environment_describes_one_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Platform and site come from their variables, and paths start at the working folder."""
    monkeypatch.chdir(tmp_path)
    platform, site = read()
    assert (platform.name, platform.secret_key, platform.data) == ("aviary", Secret(PLATFORM_KEY), tmp_path / "data")
    assert (site.id, site.hostnames) == ("aurora", ("aurora.example.org",))
    assert site.sources["hostnames"] == "MULTIHOST_SITE_HOSTNAMES"


def test_environment_variables_reach_every_kind_of_key() -> None:
    """Lists, numbers, switches, tables and settings are read from text."""
    platform, site = read(
        MULTIHOST_SITE_HOSTNAMES="aurora.example.org, www.aurora.example.org",
        MULTIHOST_SITE_ALIASES="aurora.example.net",
        MULTIHOST_SITE_ENABLED="ON",
        MULTIHOST_SITE_EPOCH="2",
        MULTIHOST_SITE_DATABASE__ENGINE="postgresql",
        MULTIHOST_SITE_DATABASE__HOST="db.internal",
        MULTIHOST_SITE_DATABASE__PORT="5433",
        MULTIHOST_SITE_DATABASE__PASSWORD="env:OTHER",
        MULTIHOST_SITE_DATABASE__OPTIONS__SSLMODE="require",
        MULTIHOST_SITE_CACHE="redis://cache.internal:6380/1",
        MULTIHOST_SITE_TLS__CERTIFICATE="/etc/a.pem",
        MULTIHOST_SITE_TLS__KEY="/etc/a.key",
        MULTIHOST_SITE_SETTINGS__WAGTAIL_SITE_NAME="Aurora",
        MULTIHOST_PLATFORM_ORIGIN="http://{hostname}:8000",
        MULTIHOST_PLATFORM_UWSGI__PROCESSES="3",
        OTHER="hers",
    )
    assert site.hosts == ("aurora.example.org", "www.aurora.example.org", "aurora.example.net")
    assert (site.enabled, site.epoch, site.database.port) == (True, 2, 5433)
    assert site.database.password == Secret("hers")
    assert site.database.options == (("sslmode", "require"),)
    assert (site.cache.host, site.cache.port, site.cache.number) == ("cache.internal", 6380, 1)
    assert site.tls == TlsSpec(certificate="/etc/a.pem", key="/etc/a.key")
    assert site.settings == (("WAGTAIL_SITE_NAME", "Aurora"),)
    assert (platform.origin, platform.options_of(UwsgiOptions).processes) == ("http://{hostname}:8000", 3)


def test_environment_loads_the_one_site() -> None:
    """Loading the whole registry gives the one site."""
    assert [site.id for site in open_registry("env:", MINIMAL).load().sites] == ["aurora"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MULTIHOST_SITE_ENABLED", "maybe"),
        ("MULTIHOST_SITE_ENABLED", ""),
        ("MULTIHOST_SITE_EPOCH", "two"),
        ("MULTIHOST_SITE_EPOCH", "-1"),
        ("MULTIHOST_SITE_EPOCH", "\u0662"),
        ("MULTIHOST_SITE_EPOCH", "0"),
        ("MULTIHOST_SITE_HOSTNAMES", "a.example, ,b.example"),
        ("MULTIHOST_SITE_HOSTNAMES", ""),
        ("MULTIHOST_SITE_HOSTNAMES", "a_b.example"),
        ("MULTIHOST_SITE_UID", "aurora"),
        ("MULTIHOST_SITE_DATABASE", "nonsense"),
        ("MULTIHOST_SITE_DATABASE__PORT", "1"),
        ("MULTIHOST_SITE_DATABASE__OPTIONS", "x"),
        ("MULTIHOST_SITE_CACHE__BACKEND", "memcached"),
        ("MULTIHOST_SITE_SETTINGS__DEBUG", "1"),
        ("MULTIHOST_SITE_HOSTNAME", "a.example"),
        ("MULTIHOST_SITE_", "x"),
        ("MULTIHOST_PLATFORM_NAME", "Aviary!"),
        ("MULTIHOST_PLATFORM_ORIGIN", ""),
        ("MULTIHOST_PLATFORM_ORIGINS", "x"),
        ("MULTIHOST_PLATFORM_NGINX__USER", "a b"),
        ("MULTIHOST_PLATFORM_DATABASE", "postgresql://u:hunter2@h/n"),
    ],
    ids=ascii,
)
def test_environment_mistake_is_reported_under_its_variable(name: str, value: str) -> None:
    """Every mistake is a problem with the variable that has it."""
    error = refused(**{name: value})
    assert {problem.where for problem in error.problems} == {name}
    assert "hunter2" not in str(error) + shown_by_error_pages(error)


def test_environment_without_hostnames_or_name_names_the_variables() -> None:
    """What is missing is named by the variable that would have it."""
    with pytest.raises(ConfigurationError) as found:
        open_registry("env:", {"MULTIHOST_SITE": "aurora", "MULTIHOST_PLATFORM_SECRET_KEY": PLATFORM_KEY}).load()
    assert {problem.where for problem in found.value.problems} == {
        "MULTIHOST_SITE_HOSTNAMES",
        "MULTIHOST_PLATFORM_NAME",
    }


def test_environment_key_beside_its_single_keys_is_refused() -> None:
    """A URL beside variables for single fields is refused, since one of them would be ignored."""
    error = refused(MULTIHOST_SITE_DATABASE="sqlite:///a", MULTIHOST_SITE_DATABASE__PATH="b")
    assert [problem.where for problem in error.problems] == ["MULTIHOST_SITE_DATABASE__PATH"]


def test_environment_without_a_site_is_refused() -> None:
    """A registry in the environment needs MULTIHOST_SITE."""
    with pytest.raises(ConfigurationError) as found:
        open_registry("env:", {}).load()
    assert [problem.where for problem in found.value.problems] == ["MULTIHOST_SITE"]


def test_environment_with_a_hostile_site_id_is_refused() -> None:
    """A site id in the environment has the same rules as in a file."""
    with pytest.raises(ConfigurationError) as found:
        open_registry("env:", {**MINIMAL, "MULTIHOST_SITE": "../aurora"}).site("../aurora")
    assert [problem.where for problem in found.value.problems] == ["MULTIHOST_SITE"]


def test_environment_has_no_other_site() -> None:
    """The registry of the environment has the one site that it describes."""
    with pytest.raises(ConfigurationError, match="has no site"):
        open_registry("env:", MINIMAL).site("borealis")


@pytest.mark.parametrize("value", ["a\\.example", "$(id).example", "${HOME}.example", "(a.example)"])
def test_environment_list_is_not_expanded(value: str) -> None:
    """Nothing in a list is expanded or proxied to another variable."""
    error = refused(MULTIHOST_SITE_HOSTNAMES=value, HOME="b.example")
    assert {problem.where for problem in error.problems} == {"MULTIHOST_SITE_HOSTNAMES"}


def test_environment_takes_nothing_from_ambient_variables() -> None:
    """Variables of other programs do not reach the site."""
    ambient = {
        "DATABASE_URL": "postgresql://u:p@evil.example/n",
        "PGPASSWORD": "p",
        "PGHOST": "evil.example",
        "REDIS_URL": "redis://evil.example",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_STORAGE_BUCKET_NAME": "evil",
        "SECRET_KEY": "s",
        "DJANGO_SECRET_KEY": "s",
    }
    assert read(**ambient) == read()


def test_environment_with_another_package_named_environ_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """environ-config installs a package of the same name; it is told from django-environ."""
    monkeypatch.setitem(sys.modules, "environ", ModuleType("environ"))
    with pytest.raises(ConfigurationError, match="not django-environ"):
        read()


@pytest.mark.parametrize(("text", "value"), [("true", True), ("0", False)])
def test_switches_among_settings_are_read_from_variables(text: str, value: bool) -> None:
    """As other switches are: a variable is always text."""
    _, site = read(MULTIHOST_SITE_SETTINGS__WAGTAIL_I18N_ENABLED=text)
    assert dict(site.settings)["WAGTAIL_I18N_ENABLED"] is value
