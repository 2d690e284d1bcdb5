"""What stands in the place of the identity's table and does not end: commands give up, for that site alone."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest

from tests.attacks.cluster import Role, make_site, opened_cluster
from tests.servers.postgres import HOST

pytestmark = pytest.mark.servers

#: Where these tests are, there is the package that is attacked: a mutated one too.
PACKAGE = Path(__file__).parents[2]
LOOP = PACKAGE / "docs/examples/migrate-every-site.sh"
SITES = ("aurora", "borealis", "corona")
HOSTILE = "borealis"
TABLE = "wagtail_multihost_identity"
#: The deadline of this package's own queries in these tests, and when a command must have ended.
SECONDS, SLEEP, AT_MOST = 1, 12, 30
COMMANDS = (
    ("migrate",),
    ("multihost_hostname", HOSTILE),
    ("multihost_adopt", HOSTILE, "--noinput"),
    ("check", "--database", "default"),
)
#: A view whose function survives that its statement is cancelled; the role lifts its timeouts too.
ENDLESS = f"""
ALTER ROLE CURRENT_USER SET statement_timeout = 0;
CREATE FUNCTION never() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    LOOP
        BEGIN
            PERFORM set_config('statement_timeout', '0', false), pg_sleep(100);
        EXCEPTION WHEN query_canceled THEN
        END;
    END LOOP;
END $$;
ALTER TABLE {TABLE} RENAME TO real_identity;
CREATE VIEW {TABLE} AS
    SELECT platform, environment, uid, never() AS revision, digest, retired_at, claimed_at, id FROM real_identity;
"""
HARMLESS = f"ALTER TABLE {TABLE} RENAME TO real_identity; CREATE VIEW {TABLE} AS SELECT * FROM real_identity;"
TRIGGER = f"""
CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(100); RETURN NEW; END $$;
CREATE CONSTRAINT TRIGGER never AFTER UPDATE ON {TABLE} DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION never();
"""
RESTORED = f"""
DO $$ BEGIN
    IF to_regclass('real_identity') IS NOT NULL THEN
        DROP VIEW {TABLE};
        ALTER TABLE real_identity RENAME TO {TABLE};
    END IF;
END $$;
DROP FUNCTION IF EXISTS never CASCADE;
UPDATE {TABLE} SET revision = 7, retired_at = NULL;
"""
HANGING_MIGRATIONS = """
ALTER ROLE CURRENT_USER SET statement_timeout = 0;
ALTER TABLE django_migrations RENAME TO real_migrations;
CREATE VIEW django_migrations AS SELECT * FROM real_migrations WHERE pg_sleep(100) IS NOT NULL;
"""
MENDED_MIGRATIONS = "DROP VIEW django_migrations; ALTER TABLE real_migrations RENAME TO django_migrations"
END = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %s"
SQLITE_ENDLESS = f"""
ALTER TABLE {TABLE} RENAME TO real_identity;
CREATE VIEW {TABLE} AS
    WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)
    SELECT platform, environment, uid, (SELECT count(*) FROM n) AS revision, digest, retired_at, claimed_at, id
    FROM real_identity;
"""
SETTINGS = """
from wagtail_multihost.resolver import resolve

INSTALLED_APPS = ["wagtail_multihost", "django.contrib.postgres"]
MIDDLEWARE = ["wagtail_multihost.health.middleware.HealthMiddleware"]
USE_TZ = True
resolve().apply(globals())
from wagtail_multihost.identity import deadline
deadline.SECONDS = {seconds}
"""
MANAGE = (
    "import sys\nfrom django.core.management import execute_from_command_line\nexecute_from_command_line(sys.argv)\n"
)
REGISTRY = """
[platform]
name = "aviary"
data = "{folder}/data"
secret_key = "not-a-secret-not-a-secret-not-a-secret"
revision = {revision}
"""


@dataclass(frozen=True)
class Project:
    """A project with three sites, each with a database of its own."""

    folder: Path
    #: Runs statements in the database of a site, as its role.
    execute: Callable[[str, str], None]
    #: Ends the connections of a site's role, whatever they do.
    end: Callable[[str], object] = len

    def environ(self, **more: str) -> dict[str, str]:
        python = f"{Path(sys.executable).parent}:{os.defpath}"
        registry = str(self.folder / "sites.toml")
        own = {"PATH": python, "PYTHONPATH": str(PACKAGE), "DJANGO_SETTINGS_MODULE": "attacked"}
        return {**own, "MULTIHOST_REGISTRY": registry, **more}

    def run(self, *words: str, **more: str) -> tuple[int, str, float]:
        """Run a command; return its exit code, what it prints, and the seconds that it took."""
        start = time.monotonic()
        done = subprocess.run(
            words, env=self.environ(**more), cwd=self.folder, capture_output=True, text=True, timeout=120, check=False
        )
        return done.returncode, done.stdout + done.stderr, time.monotonic() - start

    def manage(self, site: str, *words: str) -> tuple[int, str, float]:
        return self.run("python", "manage.py", *words, MULTIHOST_SITE=site)


def make_project(folder: Path, databases: dict[str, str], execute: Callable[[str, str], None]) -> Project:
    """Write a project and its registry, and migrate each site."""
    (folder / "attacked.py").write_text(SETTINGS.format(seconds=SECONDS))
    (folder / "manage.py").write_text(MANAGE)
    sites = (f'[sites.{site}]\nhostnames = ["{site}.example.org"]\n{databases.get(site, "")}\n' for site in SITES)
    (folder / "sites.toml").write_text("\n".join([REGISTRY.format(folder=folder, revision=7), *sites]))
    project = Project(folder, execute)
    code, printed, _ = project.run("sh", str(LOOP))
    assert code == 0, printed
    return project


@pytest.fixture(name="kept_project", scope="module")
def _kept_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with opened_cluster() as (server, folder):
        roles = {site: make_site(server, folder, f"aviary__{site}") for site in SITES}
        databases = {site: table_of(role) for site, role in roles.items()}
        project = make_project(tmp_path_factory.mktemp("project"), databases, executor(roles))
        yield replace(project, end=lambda site: server.execute("postgres", END, parameters=(roles[site].name,)))


@pytest.fixture(name="project")
def _project(kept_project: Project) -> Iterator[Project]:
    """Yield a project on PostgreSQL, and mend afterwards what a test does to the hostile site's database."""
    yield kept_project
    kept_project.end(HOSTILE)
    kept_project.execute(HOSTILE, RESTORED)


@pytest.fixture(name="sqlite_project")
def _sqlite_project(tmp_path: Path) -> Project:
    def execute(site: str, statements: str) -> None:
        connection = sqlite3.connect(tmp_path / "data/sites" / site / "db.sqlite3")
        connection.executescript(statements)
        connection.close()

    return make_project(tmp_path, {}, execute)


def table_of(role: Role) -> str:
    return (
        f'database = {{ engine = "postgresql", host = "{HOST}", port = {role.server.port}, name = "{role.name}", '
        f'user = "{role.name}", password = "{role.password}" }}'
    )


def executor(roles: dict[str, Role]) -> Callable[[str, str], None]:
    def execute(site: str, statements: str) -> None:
        # A test may end the connection meanwhile.
        with suppress(psycopg.errors.AdminShutdown), roles[site].connect() as connection:
            connection.execute(statements)  # type: ignore[arg-type]

    return execute


def assert_gives_up(outcome: tuple[int, str, float]) -> None:
    """A command ended in time, with one sentence that names the site."""
    code, printed, seconds = outcome
    assert (code, len(printed.strip().splitlines())) == (2, 1), printed
    assert seconds < AT_MOST
    assert HOSTILE in printed


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_view_that_sleeps_hangs_no_command(project: Project, words: tuple[str, ...]) -> None:
    """A view that no timeout of the server ends is hung up by the client, and the command ends with one sentence."""
    project.execute(HOSTILE, ENDLESS)
    assert_gives_up(project.manage(HOSTILE, *words))


def test_view_that_sleeps_hangs_no_pin(project: Project) -> None:
    """Who asks each database whose it is gives up on the hostile one, and still asks the others on its server."""
    project.execute(HOSTILE, ENDLESS)
    registry = project.folder / "elsewhere.toml"  # of a machine that has none of the sites' folders
    registry.write_text((project.folder / "sites.toml").read_text().replace('/data"', '/elsewhere"'))
    words = ("python", "manage.py", "multihost_sites", "--pin", "--registry", str(registry))
    code, printed, seconds = project.run(*words)
    assert (code, seconds < AT_MOST) == (2, True), printed
    assert [site for site in SITES if site in printed] == [HOSTILE]


def test_locked_table_hangs_no_command(project: Project) -> None:
    """A role that keeps a lock on the table of the identity hangs no command."""
    locking = f"BEGIN; LOCK TABLE {TABLE} IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep({SLEEP}); COMMIT"
    thread = threading.Thread(target=project.execute, args=(HOSTILE, locking))
    thread.start()
    time.sleep(0.5)
    assert_gives_up(project.manage(HOSTILE, "migrate"))
    assert thread.is_alive()
    project.end(HOSTILE)
    thread.join(10)


def test_query_without_end_hangs_no_command_on_sqlite(sqlite_project: Project) -> None:
    """A recursive query without end in the place of the table is interrupted."""
    sqlite_project.execute(HOSTILE, SQLITE_ENDLESS)
    assert_gives_up(sqlite_project.manage(HOSTILE, "migrate"))
    assert sqlite_project.manage("aurora", "migrate")[0] == 0


def test_trigger_that_sleeps_at_the_commit_hangs_no_command(project: Project) -> None:
    """What waits until the commit of this package's own writing is hung up too."""
    project.execute(HOSTILE, f"{TRIGGER} UPDATE {TABLE} SET revision = 5 WHERE false")
    project.execute(HOSTILE, f"ALTER TABLE {TABLE} DISABLE TRIGGER never; UPDATE {TABLE} SET revision = 5;")
    project.execute(HOSTILE, f"ALTER TABLE {TABLE} ENABLE TRIGGER never")
    assert_gives_up(project.manage(HOSTILE, "migrate"))


@pytest.mark.parametrize("words", COMMANDS[:1] + COMMANDS[2:3], ids=lambda words: words[0])
def test_view_is_no_table(project: Project, words: tuple[str, ...]) -> None:
    """A view in the place of the table is refused by commands that write there, even when it answers."""
    project.execute(HOSTILE, HARMLESS)
    code, printed, _ = project.manage(HOSTILE, *words)
    assert code != 0
    assert f"{TABLE} in the database of {HOSTILE} is not a table but a 'view'" in printed


def test_impossible_revision_is_one_sites_alone_and_is_adopted(project: Project) -> None:
    """A revision that no registry has refuses its site with a sentence that names both, until it is adopted."""
    project.execute(HOSTILE, f"UPDATE {TABLE} SET revision = 9223372036854775807")
    code, printed, _ = project.manage(HOSTILE, "migrate")
    assert code == 2
    assert all(word in printed for word in ("9223372036854775807", str(2**53), f"multihost_adopt {HOSTILE}"))
    assert "Traceback" not in printed
    assert project.manage("aurora", "migrate", "--check")[0] == 0
    code, printed, _ = project.manage(HOSTILE, "multihost_adopt", HOSTILE, "--noinput")
    assert project.manage(HOSTILE, "migrate", "--check")[0] == 0, printed


def test_loop_over_sites_goes_on_and_names_the_site_that_failed(project: Project) -> None:
    """Where a hostile site hangs Django's own queries, the documented loop ends it, migrates the others and fails."""
    project.execute(HOSTILE, HANGING_MIGRATIONS)
    try:
        code, printed, seconds = project.run("sh", str(LOOP), SECONDS_EACH="15")
        assert (code, printed.strip().splitlines()[-1]) == (1, f"These sites failed: {HOSTILE}"), printed
        assert printed.count("No migrations to apply.") == len(SITES) - 1
        assert seconds < 2 * AT_MOST
    finally:
        project.end(HOSTILE)
        project.execute(HOSTILE, MENDED_MIGRATIONS)


REFUSES = f"""
CREATE FUNCTION never() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'FATAL:  database "" does not exist'; END $$;
ALTER TABLE {TABLE} RENAME TO real_identity;
CREATE VIEW {TABLE} AS SELECT platform, environment, uid, never() AS revision, digest, retired_at FROM real_identity;
"""
MANY = f"""
ALTER TABLE {TABLE} RENAME TO real_identity;
CREATE VIEW {TABLE} AS SELECT real_identity.* FROM real_identity, generate_series(1, 2000000);
"""


@pytest.mark.parametrize(
    ("statements", "told"), [(ENDLESS, "has not returned its identity within"), (REFUSES, "the query failed")]
)
def test_hostile_database_neither_hangs_pinning_nor_speaks_for_its_server(
    project: Project, statements: str, told: str
) -> None:
    """Root's own question ends in time, is not told that nothing is there, and asks the neighbours all the same."""
    project.execute(HOSTILE, statements)
    registry = project.folder / "new-machine.toml"  # without files, databases alone say what is in use
    registry.write_text((project.folder / "sites.toml").read_text().replace('/data"', '/new-data"'))
    words = ("multihost_sites", "--pin", "--registry", str(registry))
    code, printed, seconds = project.run("timeout", str(AT_MOST), "python", "manage.py", *words)
    assert code == 2 and seconds < AT_MOST
    assert told in printed and "Traceback" not in printed
    assert not any(neighbour in printed for neighbour in SITES if neighbour != HOSTILE), printed


def test_rows_without_number_are_not_kept(project: Project) -> None:
    """Of what stands in the table's place one row is taken: it would fill the memory of who asks."""
    project.execute(HOSTILE, MANY)
    limited = "import resource, runpy; resource.setrlimit(resource.RLIMIT_DATA, (400 << 20,) * 2)\n"
    limited += "import sys; sys.argv = ['manage.py', 'check', '--database', 'default']\nrunpy.run_path('manage.py')"
    code, printed, _ = project.run("python", "-c", limited, MULTIHOST_SITE=HOSTILE)
    assert code == 0, printed
