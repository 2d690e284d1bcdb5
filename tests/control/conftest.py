"""A private PostgreSQL for the control app, and a platform to begin with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.test import override_settings
from pytest_django.live_server_helper import LiveServer

from tests.accounts import passable_folder
from tests.control.browser import HOST as CONTROL_HOST
from tests.control.browser import ControlSite
from tests.control.fleet import Fleet, prepare_fleet
from tests.control.restarts import Restarts
from tests.control.roles import Roles
from tests.control.waves import WaveFleet
from tests.servers.chromium import Chromium, chromium
from tests.servers.postgres import HOST, SUPERUSER, Postgres, copy_cluster, running_postgres
from tests.workspace import KEPT_CLUSTER
from wagtail_multihost.control.wave_plans import BAKE_SETTING, SITES_SETTING


@pytest.fixture(name="kept_cluster", scope="session")
def _kept_cluster() -> Path | None:
    """Return a folder for a cluster with a migrated database. A run that does not find it makes it; others copy it."""
    return Path(os.environ[KEPT_CLUSTER]) if KEPT_CLUSTER in os.environ else None


@pytest.fixture(name="open_folder", scope="module")
def _open_folder() -> Iterator[Path]:
    with passable_folder() as folder:
        yield folder


@pytest.fixture(name="postgres", scope="session")
def _postgres(kept_cluster: Path | None) -> Iterator[Postgres]:
    is_kept = kept_cluster is not None and kept_cluster.exists()
    with passable_folder() as folder:
        with running_postgres(folder / "postgres", like=kept_cluster if is_kept else None) as server:
            yield server
        if kept_cluster is not None and not is_kept:
            copy_cluster(folder / "postgres", kept_cluster)


@pytest.fixture(name="restarts", scope="session")
def _restarts(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restarts]:
    """Return what restarts the server; what was started in its place runs until the test database has gone."""
    with ExitStack() as stack:
        yield Restarts(postgres, stack, tmp_path_factory.mktemp("restarts"))


@pytest.fixture(name="django_db_keepdb", scope="session")
def _django_db_keepdb(kept_cluster: Path | None) -> bool:
    return kept_cluster is not None


@pytest.fixture(name="django_db_modify_db_settings", scope="session")
def _django_db_modify_db_settings(postgres: Postgres, restarts: Restarts) -> None:
    """
    Lead Django to the private server, and make what the migrations do not: the database that it starts from. What may
    have started the server again goes after the test database, which is why it is asked for here.
    """
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


@pytest.fixture(name="made_roles", scope="module")
def _made_roles(django_db_setup: None, django_db_blocker: Any, postgres: Postgres) -> None:
    """Give the roles of the database their rights, for tests within one transaction."""
    with django_db_blocker.unblock():
        Roles(postgres).make()


@pytest.fixture(name="waves")
def _waves(fleet: Fleet, made_roles: None) -> Iterator[WaveFleet]:
    """Return a fleet of three nodes, where a change of more than two sites goes in a wave."""
    with override_settings(**{SITES_SETTING: 2, BAKE_SETTING: 0}):
        waves = WaveFleet(fleet)
        for node in ("web1", "web2", "web3"):
            waves.add_node(node)
        yield waves


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
