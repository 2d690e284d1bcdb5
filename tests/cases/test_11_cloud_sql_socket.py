"""Case 11: the folder of a socket is any that libpq takes, and so are the ways to write one in a URL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest

from tests.cases.processes import asked, registry_of
from tests.servers.accounts import POSTGRES
from tests.servers.postgres import Postgres, running_postgres
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import open_registry

PASSWORD = "of-aurora"
#: Cloud SQL's, with and without a domain (https://cloud.google.com/sql/docs/postgres/connect-run), and others that
#: libpq takes as well.
FOLDERS = (
    "proj-1:europe-west1:pg",
    "example.com:proj-1:europe-west1:pg",
    "with blanks",
    "UPPER",
    "100%",
    "a=b;c'd",
    "\u00fc",
)
SCRIPT = """
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SELECT current_user, inet_server_addr() IS NULL")
    print(*cursor.fetchone())
"""


class Sockets(NamedTuple):
    """A server, and the folders of its sockets."""

    server: Postgres
    hosts: tuple[str, ...]


@pytest.fixture(scope="module")
def sockets(server_folder: Path) -> Iterator[Sockets]:
    parent = POSTGRES.folder(server_folder / "cloudsql", 0o755)
    hosts = tuple(str(POSTGRES.folder(parent / name, 0o755)) for name in FOLDERS)
    listed = ",".join(f'"{host}"' for host in hosts)
    with running_postgres(server_folder / "postgres", f"unix_socket_directories={listed}") as server:
        server.add_role("aurora", PASSWORD)
        server.add_database("site1", "aurora")
        yield Sockets(server, hosts)


def urls_of(host: str, port: int) -> Iterator[str]:
    """Yield a URL as libpq writes it in two ways, and as django-environ does."""
    yield f"postgresql://aurora:{PASSWORD}@{quote(host, safe='')}:{port}/site1"
    yield f"postgresql://aurora:{PASSWORD}@/site1?host={quote(host)}&port={port}"
    yield f"postgresql://aurora:{PASSWORD}@/{quote(host)}/site1?port={port}"


@pytest.mark.servers
def test_site_connects_by_every_folder_that_libpq_takes(sockets: Sockets, tmp_path: Path) -> None:
    """Whatever is in its name, the folder of a socket leads to the server that listens there."""
    for host in sockets.hosts:
        port = sockets.server.port
        database = f'{{ engine = "postgresql", host = "{host}", port = {port}, name = "site1", user = "aurora", '
        registry = registry_of(tmp_path, f'database = {database}password = "{PASSWORD}" }}')
        asking = asked(registry, SCRIPT)
        assert asking.stdout == "aurora True\n", (host, asking.stderr)
        for url in urls_of(host, port):
            asking = asked(registry_of(tmp_path, f'database = "{url}"'), SCRIPT)
            assert asking.stdout == "aurora True\n", (url, asking.stderr)


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("/cloudsql/a:b:c,/cloudsql/d:e:f", "several servers"),
        ("db-1.internal,db-2.internal", "several servers"),
        (f"/{'a' * 93}", "longer than 107 bytes"),
        ("/a\\n", "printable"),
        ("@a", "host name"),
        ("cloudsql/a:b:c", "host name"),
        ("proj-1:europe-west1:pg", "host name"),
        ("fe80::1%", "host name"),
    ],
)
def test_host_that_is_no_single_server_is_refused_with_the_reason(tmp_path: Path, host: str, said: str) -> None:
    """What libpq would read as several servers, or cannot bind, is refused under the key."""
    registry = registry_of(tmp_path, f'database = {{ engine = "postgresql", host = "{host}", password = "x" }}')
    with pytest.raises(ConfigurationError) as refused:
        open_registry(registry, {}).site("aurora")
    [problem] = refused.value.problems
    assert problem.where == "sites.toml: sites.aurora.database.host"
    assert said in problem.message


@pytest.mark.parametrize("host", ["/cloudsql/proj-1:europe-west1:pg", "db.internal.", "fe80::1%eth0", f"/{'a' * 91}"])
def test_host_that_libpq_takes_is_accepted(tmp_path: Path, host: str) -> None:
    """The longest folder, a name with its final dot and a zone are as libpq takes them."""
    registry = registry_of(tmp_path, f'database = {{ engine = "postgresql", host = "{host}", password = "x" }}')
    assert open_registry(registry, {}).site("aurora")[1].database.host == host
