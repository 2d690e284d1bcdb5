"""A database whose owner has put things of his own in the way of who takes it over or retires it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.attacks.cluster import make_site, opened_cluster
from tests.attacks.test_identity_queries import END, HOSTILE, SITES, TABLE, Project, executor, make_project, table_of

pytestmark = pytest.mark.servers


def trigger(statement: str, when: str = "BEFORE UPDATE") -> str:
    """Return what makes a trigger of the identity's table."""
    return (
        f"CREATE FUNCTION hostile() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {statement}; RETURN NEW; END $$;"
        f"CREATE TRIGGER hostile {when} ON {TABLE} FOR EACH ROW EXECUTE FUNCTION hostile();"
    )


LATE = (
    f"CREATE FUNCTION hostile() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.environment != 'foreign' THEN "
    f"UPDATE {TABLE} SET environment = 'foreign', retired_at = NULL; END IF; RETURN NEW; END $$;"
    f"CREATE CONSTRAINT TRIGGER hostile AFTER UPDATE ON {TABLE} DEFERRABLE INITIALLY DEFERRED "
    "FOR EACH ROW EXECUTE FUNCTION hostile();"
)
#: Functions and operators that a role puts before PostgreSQL's.
SHADOWS = """
CREATE SCHEMA hostile;
CREATE FUNCTION hostile.no(uuid, uuid) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE OPERATOR hostile.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = hostile.no);
CREATE FUNCTION hostile.never(smallint, smallint) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE OPERATOR hostile.= (LEFTARG = smallint, RIGHTARG = smallint, FUNCTION = hostile.never);
CREATE FUNCTION hostile.to_regclass(text) RETURNS regclass LANGUAGE sql AS $$ SELECT 'pg_class'::regclass $$;
CREATE VIEW hostile.pg_class AS SELECT * FROM pg_catalog.pg_class WHERE false;
ALTER ROLE CURRENT_USER SET search_path = hostile, pg_catalog, public;
"""
ATTACKS = {
    "rule": f"CREATE RULE hostile AS ON UPDATE TO {TABLE} DO INSTEAD NOTHING",
    "nothing is written": trigger("RETURN NULL"),
    "another site's": trigger("NEW.uid = gen_random_uuid(); NEW.retired_at = NULL"),
    "at the commit": LATE,
    "domains": f"CREATE DOMAIN hostile AS text; ALTER TABLE {TABLE} ALTER uid TYPE hostile USING uid::text, "
    "ALTER revision TYPE numeric",
    "shadows": SHADOWS,
    "long value": f"ALTER TABLE {TABLE} ALTER platform TYPE text; UPDATE {TABLE} SET platform = repeat('x', 1 << 22)",
    "terminal": f"ALTER TABLE {TABLE} ALTER platform TYPE text; UPDATE {TABLE} SET platform = E'\\x1b]0;a\\x07'",
    "no time": f"UPDATE {TABLE} SET retired_at = 'infinity'",
}
RESTORED = f"""
SET search_path = public;
ALTER ROLE CURRENT_USER RESET search_path;
DROP SCHEMA IF EXISTS hostile CASCADE;
DROP RULE IF EXISTS hostile ON {TABLE};
DROP FUNCTION IF EXISTS hostile CASCADE;
DROP TABLE {TABLE} CASCADE;
DROP DOMAIN IF EXISTS hostile;
CREATE TABLE {TABLE} AS SELECT * FROM saved;
ALTER TABLE {TABLE} ADD PRIMARY KEY (id);
"""


@pytest.fixture(name="kept_project", scope="module")
def _kept_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with opened_cluster() as (server, folder):
        roles = {site: make_site(server, folder, f"aviary__{site}") for site in SITES}
        databases = {site: table_of(role) for site, role in roles.items()}
        made: Path = tmp_path_factory.mktemp("project")
        project = make_project(made, databases, executor(roles))
        deadline = made / "attacked.py"  # what is right takes a busy machine longer than a second
        deadline.write_text(deadline.read_text().replace("deadline.SECONDS = 1", "deadline.SECONDS = 10"))
        project.execute(HOSTILE, f"CREATE TABLE saved AS SELECT * FROM {TABLE}")
        yield replace(project, end=lambda site: server.execute("postgres", END, parameters=(roles[site].name,)))


@pytest.fixture(name="project")
def _project(kept_project: Project) -> Iterator[Project]:
    yield kept_project
    kept_project.end(HOSTILE)
    kept_project.execute(HOSTILE, RESTORED)


def is_usable(project: Project) -> bool:
    """Return whether the site's own processes connect to its database."""
    return project.manage(HOSTILE, "migrate", "--check")[0] == 0


@pytest.mark.parametrize("attack", ATTACKS)
def test_takeover_is_done_or_says_that_it_is_not(project: Project, attack: str) -> None:
    """What the command says of a database that was another environment's is so, whatever is in it."""
    project.execute(HOSTILE, f"UPDATE {TABLE} SET environment = 'foreign'")
    project.execute(HOSTILE, ATTACKS[attack])
    code, printed, _ = project.manage(HOSTILE, "multihost_adopt", HOSTILE, "--noinput")
    assert (code, "Done." in printed) in ((0, True), (2, False)), printed
    assert is_usable(project) == (code == 0), printed
    assert "Traceback" not in printed and "\x1b" not in printed and len(printed) < 3000


@pytest.mark.parametrize("attack", ["another site's", "at the commit"])
def test_retirement_is_done_or_says_that_it_is_not(project: Project, attack: str) -> None:
    """A database that goes on being used is not called retired."""
    project.execute(HOSTILE, ATTACKS[attack])
    code, printed, _ = project.manage(HOSTILE, "multihost_adopt", HOSTILE, "--noinput", "--retire")
    assert code == 2 and "Done." not in printed, printed
    assert "a trigger or a rule in it changes rows" in printed or "not borealis's to retire" in printed
