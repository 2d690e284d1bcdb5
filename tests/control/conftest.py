"""A private PostgreSQL for the control app, and a platform to begin with."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connections
from pytest_django.live_server_helper import LiveServer

from tests.control.browser import HOST as CONTROL_HOST
from tests.control.browser import ControlSite
from tests.control.fleet import Fleet, prepare_fleet
from tests.servers.chromium import Chromium, chromium
from tests.servers.postgres import HOST, SUPERUSER, Postgres, running_postgres


@pytest.fixture(name="postgres", scope="session")
def _postgres() -> Iterator[Postgres]:
    # Not below pytest's folder: another run that starts meanwhile closes that to the server's account.
    with tempfile.TemporaryDirectory(prefix="multihost-control-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with running_postgres(folder / "postgres") as server:
            yield server


@pytest.fixture(name="django_db_modify_db_settings", scope="session")
def _django_db_modify_db_settings(postgres: Postgres) -> None:
    """Lead Django to the private server, and make what the migrations do not: the database that it starts from."""
    address = {"HOST": HOST, "PORT": postgres.port, "USER": SUPERUSER, "PASSWORD": postgres.password}
    connections["default"].settings_dict.update(address)


@pytest.fixture(name="fleet")
def _fleet(db: None) -> Fleet:
    """Return a fleet with a platform and no site, in a transaction that is rolled back."""
    return prepare_fleet()


@pytest.fixture(name="live_fleet")
def _live_fleet(transactional_db: None) -> Fleet:
    """Return the same where every transaction is a real one."""
    return prepare_fleet()


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture(name="tab", scope="session")
def _tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        browser.send("Network.enable")
        yield browser


@pytest.fixture(name="control_site")
def _control_site(live_fleet: Fleet, live_server: LiveServer, tab: Chromium) -> Iterator[ControlSite]:
    """Return the control site as a browser shows it; nobody is signed in."""
    tab.send("Network.clearBrowserCookies")
    yield ControlSite(f"http://{CONTROL_HOST}:{live_server.thread.port}", tab)
    # A page that is still shown would ask the server during the next test.
    tab.send("Page.navigate", url="about:blank")
