"""Variables that a process inherited from other programs."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.resolver.test_resolve import AMBIENT
from tests.spec.samples import PLATFORM_KEY
from wagtail_multihost.resolver import ambient, resolve
from wagtail_multihost.resolver.ambient import WatchedVariables, ambient_names

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
    assert ambient_names(role) == []
    assert ambient_names({**role, "AWS_PROFILE": "a", "AWS_X\n": "a"}) == ["AWS_PROFILE"]


def test_watched_variables_are_those_that_were_looked_up() -> None:
    """A look at all names uses none of them, and the values do not print."""
    watched = WatchedVariables({"A": "hidden", "B": "2"})
    assert (sorted(watched), len(watched), watched.used) == (["A", "B"], 2, set())
    assert watched.get("B") == "2"
    assert watched.used == {"B"}
    assert "hidden" not in repr(watched)
