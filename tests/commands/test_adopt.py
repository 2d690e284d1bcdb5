"""multihost_adopt: how a site takes over a database, as an operator runs it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.commands.conftest import PASSWORD, Manage

pytestmark = pytest.mark.projects

UID = "SELECT uid, retired_at IS NULL FROM wagtail_multihost_identity"
#: What aurora's first migrate has made, once for all tests.
MIGRATED: list[bytes] = []


def as_site(site: str, **more: str) -> dict[str, str]:
    return {"MULTIHOST_SITE": site, **more}


@pytest.fixture
def draco(project: Path, manage: Manage) -> Path:
    """The database file of the site draco: a copy of aurora's, after aurora has migrated it."""
    registry = project / "sites.toml"
    registry.write_text(registry.read_text() + '[sites.draco]\nhostnames = ["draco.example.org"]\n')
    folder = project / "data" / "sites" / "aurora"
    if not MIGRATED:
        result = manage("migrate", environ=as_site("aurora"))
        assert result.returncode == 0, result.stderr
        assert "The database now belongs to the site aurora." in result.stdout
        MIGRATED.append((folder / "db.sqlite3").read_bytes())
    for site in ("aurora", "draco"):
        path = folder.with_name(site)
        path.mkdir(parents=True, exist_ok=True)
        (path / "db.sqlite3").write_bytes(MIGRATED[0])
    return path / "db.sqlite3"


def identity(path: Path) -> tuple[str, int]:
    connection = sqlite3.connect(path)
    try:
        (row,) = connection.execute(UID)
    finally:
        connection.close()
    return row


@pytest.mark.parametrize(
    "words",
    [
        ("migrate",),
        ("check", "--database", "default"),
        ("showmigrations",),
        ("shell", "-c", "from website.models import Page; Page.objects.create()"),
        ("runserver", "--noreload", "0"),
        ("flush", "--noinput"),
    ],
    ids=lambda words: words[0],
)
def test_copied_database_is_refused(manage: Manage, draco: Path, words: tuple[str, ...]) -> None:
    """Every command that would use a copy of another site's database fails, and the file stays as it is."""
    before = draco.read_bytes()
    result = manage(*words, environ=as_site("draco"))
    assert result.returncode != 0
    assert "multihost_adopt draco" in result.stderr
    assert draco.read_bytes() == before
    if words[0] != "shell":
        assert (result.returncode, "Traceback" in result.stderr) == (2, False)


def test_copied_database_is_usable_after_adoption(manage: Manage, draco: Path) -> None:
    """Run without a site, the command starts itself again as the site; then the site's own commands work."""
    before = identity(draco)
    result = manage("multihost_adopt", "draco", "--noinput")
    assert (result.returncode, "nothing to do" in result.stdout) == (0, False), result.stderr
    assert identity(draco) != before
    assert manage("check", "--database", "default", environ=as_site("draco")).returncode == 0
    again = manage("multihost_adopt", "draco", "--no-input", environ=as_site("draco"))
    assert (again.returncode, "nothing to do" in again.stdout, "Done" in again.stdout) == (0, True, False)


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("YES\n", 0), ("n\n", 1), ("\n", 1), ("", 1), ("draco\n", 1)])
def test_adoption_asks(manage: Manage, draco: Path, answer: str, code: int) -> None:
    """Only a yes changes anything; no answer at all is a no."""
    before = draco.read_bytes()
    result = manage("multihost_adopt", "draco", answer=answer)
    assert result.returncode == code
    assert (draco.read_bytes() == before) == (code == 1)
    assert "New identity" in result.stdout


def test_adoption_is_committed_in_a_project_without_autocommit(manage: Manage, project: Path, draco: Path) -> None:
    """With AUTOCOMMIT False the command commits what it has done."""
    settings = project / "website" / "settings.py"
    settings.write_text(settings.read_text().replace('"NAME": BASE', '"AUTOCOMMIT": False, "NAME": BASE'))
    before = identity(draco)
    result = manage("multihost_adopt", "draco", "--noinput")
    assert (result.returncode, "nothing to do" in result.stdout) == (0, False), result.stderr
    assert identity(draco) != before


def test_dry_run_changes_nothing(manage: Manage, draco: Path) -> None:
    """--dry-run says what would be done and asks nothing."""
    before = draco.read_bytes()
    result = manage("multihost_adopt", "draco", "--dry-run")
    assert (result.returncode, "New identity" in result.stdout) == (0, True)
    assert draco.read_bytes() == before


def test_retired_database_is_refused_until_it_is_adopted(manage: Manage, project: Path, draco: Path) -> None:
    """After a move no process of the site connects to the old database, unless it is taken back."""
    aurora = project / "data" / "sites" / "aurora" / "db.sqlite3"
    assert manage("multihost_adopt", "aurora", "--retire", "--noinput").returncode == 0
    assert identity(aurora)[1] == 0
    refused = manage("check", "--database", "default", environ=as_site("aurora"))
    assert (refused.returncode, "retired" in refused.stderr) == (2, True)
    again = manage("multihost_adopt", "aurora", "--retire", "--noinput")
    assert (again.returncode, "nothing to do" in again.stdout, "Done" in again.stdout) == (0, True, False)
    assert manage("multihost_adopt", "aurora", "--noinput").returncode == 0
    assert manage("check", "--database", "default", environ=as_site("aurora")).returncode == 0


def test_process_of_another_site_is_refused(manage: Manage, draco: Path) -> None:
    """Where MULTIHOST_SITE names another site, nothing is taken over for either."""
    before = draco.read_bytes()
    result = manage("multihost_adopt", "draco", "--noinput", environ=as_site("aurora"))
    assert (result.returncode, "MULTIHOST_SITE" in result.stderr) == (2, True)
    assert draco.read_bytes() == before


@pytest.mark.parametrize("site", ["corona", "auror", ""])
def test_site_that_is_not_served_is_refused(manage: Manage, site: str) -> None:
    """An unknown, disabled or blank site is exit code 2 and a report."""
    result = manage("multihost_adopt", site, "--noinput")
    assert (result.returncode, result.stdout, "Traceback" in result.stderr) == (2, "", False)


def test_database_without_migrations_is_refused(manage: Manage) -> None:
    """Before its first migration there is nothing to adopt, and the report has the command to run."""
    result = manage("multihost_adopt", "aurora", "--noinput")
    assert (result.returncode, "multihost_as aurora migrate" in result.stderr) == (2, True)


def test_database_that_is_down_is_a_report(manage: Manage) -> None:
    """A server that cannot be reached is exit code 2, without a traceback and without the password."""
    result = manage("multihost_adopt", "borealis", "--noinput")
    assert (result.returncode, "Traceback" in result.stderr) == (2, False)
    assert PASSWORD not in result.stderr + result.stdout


def test_given_registry_holds(manage: Manage, project: Path, draco: Path, tmp_path: Path) -> None:
    """--registry is the registry of the process that takes over, whatever the surroundings say."""
    other = tmp_path / "other.toml"
    folder = project / "data"
    text = (project / "sites.toml").read_text().replace('name = "aviary"', f'name = "moved"\ndata = "{folder}"')
    other.write_text(text)
    result = manage("multihost_adopt", "draco", "--noinput", "--registry", str(other))
    assert result.returncode == 0, result.stderr
    assert "platform 'moved'" in result.stdout
    refused = manage("migrate", "--check", environ=as_site("draco"))
    assert (refused.returncode, "Remove the mark" in refused.stderr) == (2, True)
    (folder / "sites/draco/.multihost-site").unlink()
    assert manage("migrate", "--check", environ=as_site("draco")).returncode == 2


def test_database_that_nobody_has_claimed_is_w002(manage: Manage, draco: Path) -> None:
    """A check of the database says that it is nobody's; everything goes on, and migrate claims it."""
    connection = sqlite3.connect(draco)
    connection.execute("DELETE FROM wagtail_multihost_identity")
    connection.commit()
    connection.close()
    unclaimed = manage("check", "--database", "default", environ=as_site("draco"))
    assert (unclaimed.returncode, "wagtail_multihost.W002" in unclaimed.stderr) == (0, True)
    assert "W002" not in manage("check", environ=as_site("draco")).stderr
    migrated = manage("migrate", environ=as_site("draco"))
    assert (migrated.returncode, "W002" in migrated.stderr) == (0, False)
    assert "W002" not in manage("check", "--database", "default", environ=as_site("draco")).stderr
