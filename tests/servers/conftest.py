"""Real servers, started once for the whole run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import nginx, postgres, uwsgi
from tests.servers.postgres import Postgres, running_postgres
from tests.servers.redis import RedisServer, running_redis
from tests.servers.s3 import S3Server, running_s3
from tests.servers.street import Street, opened_street, opened_tls_street
from tests.servers.workshop import Workshop, opened_workshop

PROGRAMS = {
    "nginx-light": nginx.PROGRAM,
    "openssl": Path("/usr/bin/openssl"),
    "postgresql": postgres.programs() / "initdb",
    "redis-server": Path("/usr/bin/redis-server"),
    "uwsgi-core": uwsgi.PROGRAM,
    "uwsgi-plugin-python3": uwsgi.PLUGIN,
}


@pytest.fixture(name="workshop", scope="session")
def _workshop() -> Iterator[Workshop]:
    missing = [package for package, program in PROGRAMS.items() if not program.exists()]
    assert not missing, f"These Debian packages are needed: {' '.join(missing)}"
    uwsgi.refuse_other_python()
    with opened_workshop() as workshop:
        yield workshop


@pytest.fixture(name="postgres", scope="session")
def _postgres(workshop: Workshop) -> Iterator[Postgres]:
    with running_postgres(workshop.folder / "postgres") as server:
        yield server


@pytest.fixture(name="redis", scope="session")
def _redis(workshop: Workshop) -> Iterator[RedisServer]:
    with running_redis(workshop.folder / "redis") as server:
        yield server


@pytest.fixture(name="s3", scope="session")
def _s3(workshop: Workshop) -> Iterator[S3Server]:
    with running_s3(workshop.folder / "s3", workshop.python) as server:
        yield server


@pytest.fixture(name="enforcing_s3", scope="session")
def _enforcing_s3(workshop: Workshop) -> Iterator[S3Server]:
    """Give a separate S3 server to the test that enforces policies."""
    with running_s3(workshop.folder / "enforcing-s3", workshop.python) as server:
        yield server


@pytest.fixture(name="street", scope="session")
def _street(workshop: Workshop, postgres: Postgres, redis: RedisServer, s3: S3Server) -> Iterator[Street]:
    with opened_street(workshop, postgres, redis, s3) as street:
        yield street


@pytest.fixture(name="tls_street", scope="session")
def _tls_street(street: Street) -> Iterator[Street]:
    with opened_tls_street(street.workshop) as tls_street:
        yield tls_street


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Add the end of uWSGI's log, where a site's traceback is, to the report of a failed test."""
    report = yield
    streets = [value for value in getattr(item, "funcargs", {}).values() if isinstance(value, Street)]
    if report.failed:
        for street in streets:
            report.sections.append(("uwsgi.log", street.log.read_text(errors="replace")[-uwsgi.LOG_CHARACTERS :]))
    return report
