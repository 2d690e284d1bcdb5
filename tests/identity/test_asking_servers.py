"""What a PostgreSQL server tells who asks it for a site that has no pin."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.conftest import _postgres, _workshop  # noqa: F401  # fixtures
from tests.servers.postgres import HOST, Postgres
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.identity.asking import Asker
from wagtail_multihost.identity.comparison import TABLE
from wagtail_multihost.publishing.pins import PinChoices, pin_sites
from wagtail_multihost.registry import Registry, open_registry

pytestmark = pytest.mark.servers

PASSWORD = "the-right-one-0123456789"
CLAIMED, FREE, MISSING = "asked_claimed", "asked_free", "asked_missing"
COLUMNS = "id int, platform text, environment text, uid uuid, revision bigint, digest text, retired_at timestamptz"


@pytest.fixture(name="server", scope="module")
def _server(postgres: Postgres) -> Iterator[Postgres]:
    """A server with three roles and the databases of two, one of which has an identity's table."""
    for name in (CLAIMED, FREE, MISSING):
        postgres.add_role(name, PASSWORD)
        if name != MISSING:
            postgres.add_database(name, name)
    postgres.execute(CLAIMED, f"CREATE TABLE {TABLE} ({COLUMNS})")
    postgres.execute(CLAIMED, f"GRANT SELECT ON {TABLE} TO {{}}", CLAIMED)
    return postgres


def opened(folder: Path, server: Postgres, *sites: str) -> Registry:
    text = '[platform]\nname = "aviary"\n' + "".join(sites).replace("PLACE", f'host = "{HOST}", port = {server.port}')
    path = folder / "sites.toml"
    path.write_text(text)
    return open_registry(path, {})


def site(name: str, database: str, *, role: str = "", password: str = PASSWORD) -> str:
    words = f'engine = "postgresql", name = "{database}", user = "{role or database}", password = "{password}", PLACE'
    return f'[sites.{name}]\nhostnames = ["{name}.example.org"]\ndatabase = {{ {words} }}\n'


def claim(server: Postgres, registry: Registry, name: str) -> None:
    uid = next(found.uid for found in registry.load(requires_pins=False).sites if found.id == name)
    server.execute(CLAIMED, f"DELETE FROM {TABLE}")
    statement = f"INSERT INTO {TABLE} VALUES (1, 'aviary', 'development', %s, 0, '', NULL)"
    server.execute(CLAIMED, statement, parameters=(uid,))


@pytest.mark.parametrize("wrong", [{"password": "mistyped-0123456789"}, {"role": "asked_nobody"}])
def test_wrong_password_is_no_answer_about_the_database(
    tmp_path: Path, server: Postgres, wrong: dict[str, str]
) -> None:
    """A site in use whose password is mistyped gets no new uid: the operator is told, and nothing is written."""
    registry = opened(tmp_path, server, site("aurora", CLAIMED, **wrong), site("borealis", FREE))
    claim(server, registry, "aurora")
    before = Path(registry.url).read_text()
    with pytest.raises(ConfigurationError) as refused:
        pin_sites(registry, ask=Asker())
    assert [problem.site for problem in refused.value.problems] == ["aurora"]
    role = wrong.get("role", CLAIMED)
    told = f"the server {HOST}:{server.port} refuses the login of the role {role}"
    assert told in str(refused.value) and "--new aurora" in str(refused.value)
    assert PASSWORD not in str(refused.value) and wrong.get("password", PASSWORD) not in str(refused.value)
    assert Path(registry.url).read_text() == before
    (kept, new) = pin_sites(registry, PinChoices(keep=["aurora"]), Asker())
    assert (kept.is_new, new.is_new) == (False, True)


def test_right_password_finds_who_has_the_database(tmp_path: Path, server: Postgres) -> None:
    """A database that was claimed keeps its site's uid; one without a claim, and one that is not there, say nothing."""
    sites = (site("aurora", CLAIMED), site("borealis", FREE), site("corona", MISSING))
    registry = opened(tmp_path, server, *sites)
    claim(server, registry, "aurora")
    assert [(written.site, written.is_new) for written in pin_sites(registry, ask=Asker())] == [
        ("aurora", False),
        ("borealis", True),
        ("corona", True),
    ]


def test_library_that_a_role_asks_for_hides_no_database(tmp_path: Path, server: Postgres) -> None:
    """A role can say which library is loaded at log-in: what the server says of one that is not there is no answer."""
    registry = opened(tmp_path, server, site("aurora", CLAIMED), site("borealis", FREE))
    claim(server, registry, "aurora")
    library = """'FATAL:  role "x" does not exist'"""
    server.execute(CLAIMED, f"ALTER ROLE {{}} SET local_preload_libraries = {library}", CLAIMED)
    try:
        with pytest.raises(ConfigurationError) as refused:
            pin_sites(registry, ask=Asker())
    finally:
        server.execute(CLAIMED, "ALTER ROLE {} RESET local_preload_libraries", CLAIMED)
    assert [problem.site for problem in refused.value.problems] == ["aurora"]
