"""Variables that a process inherited from other programs."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.resolver.test_resolve import AMBIENT
from tests.spec.samples import PLATFORM_KEY, a_site, postgresql, redis, s3
from wagtail_multihost.resolver import ambient, resolve
from wagtail_multihost.resolver.ambient import WatchedVariables, ambient_names, remove_ambient
from wagtail_multihost.spec import SiteSpec
from wagtail_multihost.spec.frontend import FrontendCacheSpec

LOGGER = "wagtail_multihost.resolver"


@pytest.fixture(autouse=True)
def not_warned(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(ambient, "_has_warned", False)
    caplog.set_level(logging.WARNING, LOGGER)


def test_ambient_variables_are_named_once_without_their_values(
    registry_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning in a process's life says which variables its site takes nothing from."""
    for site in ("aurora", "borealis", "aurora"):
        resolve(registry_file, environ={"MULTIHOST_SITE": site, **AMBIENT})
    [record] = caplog.records
    assert (record.name, record.levelname) == (LOGGER, "WARNING")
    named = record.getMessage().partition(": ")[2].rstrip(".").split(", ")
    assert named == [
        "AWS_ACCESS_KEY_ID",
        "AWS_S3_ENDPOINT_URL",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_STORAGE_BUCKET_NAME",
        "DATABASE_URL",
        "PGDATABASE",
        "PGHOST",
        "PGPASSWORD",
        "PGUSER",
    ]
    assert "evil" not in record.getMessage()


def test_variable_that_the_sites_record_uses_is_no_news(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A variable that env: names is the site's on purpose, and the others are still reported."""
    path = tmp_path / "sites.toml"
    path.write_text(
        f'[platform]\nname = "aviary"\nsecret_key = "{PLATFORM_KEY}"\n'
        '[sites.aurora]\nhostnames = ["aurora.example.org"]\n'
        "[sites.aurora.database]\n"
        'engine = "postgresql"\nhost = "db.internal"\npassword = "env:PGPASSWORD"\n'
    )
    environ = {"MULTIHOST_SITE": "aurora", "PGPASSWORD": "hidden"}
    resolve(path, environ=environ)
    assert not caplog.records
    resolve(path, environ={**environ, "PGHOST": "evil.example"})
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == ["PGHOST."]


def test_build_mode_says_nothing_of_variables(caplog: pytest.LogCaptureFixture) -> None:
    """A process without a site has nothing to keep apart."""
    resolve(environ=dict(AMBIENT))
    assert not caplog.records


def test_role_of_a_machine_is_not_ambient() -> None:
    """What a container says about its role is what a site without keys of its own uses."""
    role = {
        "AWS_REGION": "a",
        "AWS_DEFAULT_REGION": "a",
        "AWS_ROLE_ARN": "a",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "a",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "a",
        "AWS_EXECUTION_ENV": "a",
        "PGADMIN_DEFAULT_EMAIL": "a",
        "PATH": "a",
    }
    site = a_site(database=postgresql(), storage=s3())
    assert ambient_names(role, site) == []
    assert ambient_names({**role, "AWS_PROFILE": "a", "AWS_X\n": "a"}, site) == ["AWS_PROFILE"]


def test_names_that_are_looked_through_are_not_used() -> None:
    """A record that takes its cache's password from a variable uses that one alone."""
    watched = WatchedVariables({"SSL_CERT_FILE": "a", "PGHOST": "b", "AWS_PROFILE": "c", "SSLKEYLOGFILE": "d"})
    site = a_site(database=postgresql(), cache=redis(tls=True), storage=s3())
    assert ambient_names(watched, site) == ["AWS_PROFILE", "PGHOST", "SSLKEYLOGFILE", "SSL_CERT_FILE"]
    assert not watched.used


@pytest.mark.parametrize(
    ("site", "left"),
    [
        (a_site(), {"PGSERVICE", "PGTZ", "PGHOST", "SSLKEYLOGFILE"}),
        (a_site(cache=redis(tls=True)), {"PGSERVICE", "PGTZ", "PGHOST", "SSLKEYLOGFILE"}),
        (a_site(database=postgresql()), {"PGHOST", "SSLKEYLOGFILE"}),
        (a_site(storage=s3()), {"PGSERVICE", "PGTZ", "PGHOST"}),
        (
            a_site(frontend=FrontendCacheSpec(backend="cloudfront", zone="E1")),
            {"PGSERVICE", "PGTZ", "PGHOST"},
        ),
    ],
    ids=["local", "cache", "database", "storage", "frontend"],
)
def test_only_what_nothing_overrides_is_taken_away(site: SiteSpec, left: set[str]) -> None:
    """A site's process keeps every variable but those, and these too where it has nothing that would read them."""
    environ = dict.fromkeys(("PGSERVICE", "PGTZ", "PGHOST", "SSLKEYLOGFILE"), "a")
    remove_ambient(site, environ)
    assert set(environ) == left


def test_variables_that_are_given_are_not_written(registry_file: Path) -> None:
    """Who resolves for other variables than the process's finds these as they were, and so the process's own."""
    environ = MappingProxyType({"MULTIHOST_SITE": "aurora", "PGSERVICE": "corp"})
    resolve(registry_file, environ=environ)


def test_process_that_becomes_a_site_has_no_service(registry_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What libpq lets nothing override is taken out of the process's variables when it is a site's."""
    variables = {"MULTIHOST_SITE": "aurora", "PGSERVICE": "corp", "PGHOST": "evil"}
    monkeypatch.setattr("wagtail_multihost.resolver._outcomes", {})
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MULTIHOST_REGISTRY", raising=False)
    resolve(registry_file, command="")
    assert ("PGSERVICE" in os.environ, os.environ["PGHOST"]) == (False, "evil")


def test_watched_variables_are_those_that_were_looked_up() -> None:
    """A look at all names uses none of them, and the values do not print."""
    watched = WatchedVariables({"A": "hidden", "B": "2"})
    assert (sorted(watched), len(watched), watched.used) == (["A", "B"], 2, set())
    assert watched.get("B") == "2"
    assert watched.used == {"B"}
    assert "hidden" not in repr(watched)
