"""A name server, and a control site's database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.accounts import passable_folder
from tests.operations.dns_server import Zone, running_name_server
from tests.operations.verifications import Verifications, prepared
from tests.servers.postgres import running_postgres
from tests.servers.workshop import open_python


@pytest.fixture
def zone() -> Iterator[Zone]:
    """A name server without any name."""
    with running_name_server(Zone()) as zone:
        yield zone


@pytest.fixture(scope="session")
def python() -> Iterator[Path]:
    """A Python that the courier's account can run, wherever the checkout is."""
    with passable_folder() as folder:
        yield open_python(folder)


@pytest.fixture(scope="session")
def control_database() -> Iterator[Verifications]:
    """A control site's database, on a server of its own."""
    with passable_folder() as folder, running_postgres(folder / "postgres") as server:
        yield prepared(server)


@pytest.fixture
def verifications(control_database: Verifications) -> Verifications:
    """The table of checks, empty."""
    control_database.clear()
    return control_database
