"""Findings 3 and 7 with a real PostgreSQL: names that it cuts, and what libpq takes from the surroundings."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler

from tests.findings.conftest import REGISTRY, SettingsOf
from tests.servers.postgres import HOST, Postgres
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import open_registry

pytestmark = pytest.mark.servers

ENGINE = "django.db.backends.postgresql"
NEIGHBOUR = "n" * 63
# 40 characters and 80 bytes: what is left of it is 31 characters.
ACCENTED = "é" * 40


@pytest.fixture(scope="module")
def neighbour(postgres: Postgres) -> Postgres:
    """A server on which another site has the databases that names are cut down to."""
    postgres.add_role("neighbour", "of-neighbour")
    for name in (NEIGHBOUR, "é" * 31, "aviary__aurora"):
        postgres.add_database(name, "neighbour")
    return postgres


@contextlib.contextmanager
def connection_to(options: dict[str, Any]) -> Iterator[BaseDatabaseWrapper]:
    connection = ConnectionHandler({"default": options})["default"]
    with contextlib.closing(connection):
        yield connection


def database_of(options: dict[str, Any]) -> tuple[str, str]:
    """Return the database and the user that Django is connected to with ``options``."""
    with connection_to(options) as connection:
        parameters = connection.get_connection_params()
        with contextlib.closing(connection.get_new_connection(parameters)) as raw:
            row = raw.execute("SELECT current_database(), current_user").fetchone()
    return str(row[0]), str(row[1])


def test_long_name_of_a_database_leads_to_the_neighbours(neighbour: Postgres, tmp_path: Path) -> None:
    """PostgreSQL cuts names to 63 bytes, where it makes and where it finds them; a registry refuses longer ones."""
    with neighbour.connect(f"{NEIGHBOUR}n") as connection:
        assert connection.info.dbname == f"{NEIGHBOUR}n"
        assert connection.execute("SELECT current_database()").fetchone() == (NEIGHBOUR,)
    for name in (f"{NEIGHBOUR}n", ACCENTED):
        with pytest.raises(psycopg.errors.DuplicateDatabase):
            neighbour.add_database(name, "neighbour")
    # Django's own guard counts characters, and these are 40.
    with connection_to({"ENGINE": ENGINE, "NAME": ACCENTED}) as connection:
        assert connection.get_connection_params()["dbname"] == ACCENTED
    for name in (f"{NEIGHBOUR}n", ACCENTED):
        path = tmp_path / "sites.toml"
        own = f'database = {{ engine = "postgresql", host = "{HOST}", password = "p", name = "{name}" }}\n'
        path.write_text(REGISTRY + own)
        with pytest.raises(ConfigurationError) as caught:
            open_registry(path, {}).load()
        assert {problem.site for problem in caught.value.problems} == {"borealis"}


def test_surroundings_do_not_log_a_site_in(
    neighbour: Postgres, settings_of: SettingsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a misspelt password Django connects as whom PGUSER and PGPASSWORD name; a site is refused by the server."""
    for name, value in {"PGUSER": "neighbour", "PGPASSWORD": "of-neighbour", "PGDATABASE": "aviary__aurora"}.items():
        monkeypatch.setenv(name, value)
    address = {"ENGINE": ENGINE, "NAME": "aviary__aurora", "HOST": HOST, "PORT": neighbour.port}
    assert database_of({**address, "PASWORD": "typed"}) == ("aviary__aurora", "neighbour")
    server = f'host = "{HOST}", port = {neighbour.port}, user = "neighbour", password = "mistyped"'
    registry = f'{REGISTRY}database = {{ engine = "postgresql", {server} }}\n'
    own = settings_of("borealis", registry=registry)["DATABASES"]["default"]
    with pytest.raises(psycopg.OperationalError, match="neighbour"):
        database_of(own)
