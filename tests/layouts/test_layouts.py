"""The usual layouts of settings, moved onto the resolver as the guide says."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from docs.committed import names_of
from tests.layouts.conftest import DSN, HERE, LAYOUTS, MOVED, OLD_KEY, SITES, Project, made

pytestmark = pytest.mark.projects

WHITENOISE = "whitenoise.storage.CompressedManifestStaticFilesStorage"
GUIDE = HERE.parents[1] / "docs" / "how-to" / "move-an-existing-project.md"
ASK = "from django.conf import settings; print(settings.CONFIGURATION, settings.ALLOWED_HOSTS[0])"
OWN = "own-aurora_%s-0123456789-0123456789-0123456789"
LIVE_DATABASE = "postgresql://aurora:secret-of-the-old-database@db.internal:5432/aurora"
SECRETS = (
    *("platform_key", "aurora_key", "aurora_database", "aurora_access_key", "aurora_bucket_key", "aurora_mail"),
    "aurora_stripe",
)


def explained(project: Project, *words: str) -> dict[str, Any]:
    """Return what ``multihost_explain`` says of the old site in the guide's registry."""
    environ = {"MULTIHOST_REGISTRY": str(MOVED), "SENTRY_DSN": DSN}
    result = project.manage("multihost_explain", "aurora", "--json", *words, **environ)
    assert result.returncode == 0, result.stderr
    assert "secret-of" not in result.stdout and OLD_KEY not in result.stdout
    return {row["name"]: row["value"] for row in json.loads(result.stdout)}


def held(project: Project, *hosts: str, **environ: str) -> dict[str, Any]:
    """Return what a site's process holds, and how it answers to ``hosts``."""
    result = project.run("probe.py", *hosts, **environ)
    assert result.returncode == 0, result.stderr
    return dict(json.loads(result.stdout.splitlines()[-1]))


def moved_registry(folder: Path) -> Path:
    """Return a copy of the guide's registry whose secrets are files in ``folder``."""
    for name in SECRETS:
        secret = folder / name
        own = OLD_KEY if name == "aurora_key" else OWN.replace("aurora_%s", name)
        secret.write_text(f"{own}\n")
        secret.chmod(0o600)
    text = MOVED.read_text().replace("/run/secrets", str(folder)).replace("/srv/aviary/data", str(folder / "data"))
    path = folder / "sites.toml"
    # In production root, who runs these tests in CI, may run nothing of a site.
    path.write_text(text.replace('environment = "production"', 'environment = "staging"'))
    return path


def test_project_before_its_move_is_valid(before: Project) -> None:
    """The old form is a project that Django accepts, and knows nothing of this package."""
    result = before.manage("check")
    assert result.returncode == 0, result.stderr
    assert not any("multihost" in path.read_text() for path in (before.folder / "website").rglob("*.py"))


def test_moved_project_serves_two_sites(after: Project, migrated: Path) -> None:
    """Each site's process passes its checks, and answers to the site's own hostname and no other."""
    shutil.copytree(migrated, after.folder / "data")
    for site, hostname in SITES.items():
        statuses = held(after, *SITES.values(), MULTIHOST_SITE=site)["statuses"]
        assert statuses == {host: 200 if host == hostname else 400 for host in SITES.values()}
    checked = after.manage("check", "--tag", "multihost", MULTIHOST_SITE="aurora")
    assert checked.returncode == 0, checked.stderr


def test_moved_project_is_checked_with_no_site(tmp_path: Path) -> None:
    """With no site named, settings for development have what the checks ask for."""
    project = made("split", "after", tmp_path / "after")
    result = project.manage("check", "--tag", "multihost", "--settings", "website.settings.dev")
    assert result.returncode == 0, result.stderr


def test_moved_configuration_runs_commands_as_a_site(tmp_path: Path, migrated: Path) -> None:
    """``multihost_as`` starts a manage.py of django-configurations again with its class."""
    project = made("configurations", "after", tmp_path / "after")
    shutil.copytree(migrated, project.folder / "data")
    result = project.manage("multihost_as", "borealis", "migrate", "--check")
    assert result.returncode == 0, result.stderr
    result = project.manage("multihost_as", "borealis", "shell", "--no-imports", "-c", ASK)
    assert result.stdout.strip() == "website.settings.Production www.borealis.example.org"


def test_moved_project_keeps_its_data_where_it_is(after: Project, tmp_path: Path) -> None:
    """
    The old site has its database, bucket and key, from the registry and not from the process's variables; every
    cache alias and search backend has the site's prefix, and WhiteNoise keeps the static files.
    """
    process = held(after, MULTIHOST_SITE="aurora", MULTIHOST_REGISTRY=str(moved_registry(tmp_path)))
    assert process["database"] == {
        "NAME": "aurora",
        "USER": "aurora",
        "PASSWORD": OWN % "database",
        "HOST": "db.internal",
    }
    assert process["storage"] == {
        "bucket_name": "aurora-media",
        "access_key": OWN % "access_key",
        "custom_domain": "media.aurora.example.org",
    }
    assert process["secret key"] == OLD_KEY
    assert process["mail"] == "mail.internal"
    prefixes = {
        "default": "aviary.aurora",
        "renditions": "aviary.aurora.renditions",
        "sessions": "aviary.aurora.sessions",
    }
    found = process["cache prefixes"]
    assert {"default", "renditions"} <= found.keys()
    assert found == {alias: prefixes[alias] for alias in found}
    assert (process["search"].get("INDEX_PREFIX"), process["search"].get("INDEX")) == ("aviary_aurora_", None)
    assert process["static files"] == WHITENOISE.rpartition(".")[2]


def test_moved_project_is_explained_without_secrets(after: Project) -> None:
    """``multihost_explain`` needs no secret and shows none, also of what stays the project's."""
    values = explained(after, "--all")
    assert values["DATABASES"]["default"]["NAME"] == "aurora"
    assert values["STORAGES"]["staticfiles"] == {"BACKEND": WHITENOISE}
    assert "cache.internal" in str(values["CACHES"]["renditions"]["LOCATION"])
    assert values["SENTRY_DSN"] == "https://***@sentry.example.org/1"
    assert "search.internal" in str(values["WAGTAILSEARCH_BACKENDS"]["default"]["URLS"])


def add_app(project: Project) -> None:
    """Change a project as the guide's first step says."""
    for path in (project.folder / "website").rglob("*.py"):
        path.write_text(path.read_text().replace("INSTALLED_APPS = [", 'INSTALLED_APPS = [\n"wagtail_multihost",', 1))


def test_guide_shows_what_its_first_step_prints(tmp_path: Path) -> None:
    """The differences in the guide are those of a project with split settings, word by word."""
    project = made("split", "before", tmp_path / "before")
    add_app(project)
    environ = {"MULTIHOST_REGISTRY": str(MOVED.with_name("before-the-move.toml"))}
    result = project.manage("multihost_explain", "aurora", "--against", project.settings, **environ)
    assert result.returncode == 0, result.stderr
    (shown,) = re.findall(r"```text\n(DATABASES.+?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    entries = re.findall(r"^\S.*\n(?: .*\n)+", shown, re.MULTILINE)
    assert len(entries) == 4
    assert not [entry for entry in entries if entry not in result.stdout]


def test_project_before_its_move_is_told_what_would_change(before: Project, tmp_path: Path) -> None:
    """
    With the app and the guide's registry alone, ``--against`` says what would change for the running project. The key
    and the database stay by what the guide writes down; no secret of either is shown.
    """
    add_app(before)
    environ = {"MULTIHOST_REGISTRY": str(moved_registry(tmp_path)), "DATABASE_URL": LIVE_DATABASE}
    result = before.manage("multihost_explain", "aurora", "--against", before.settings, "--json", **environ)
    assert result.returncode == 0, result.stderr
    rows = {row["setting"]: row for row in json.loads(result.stdout)}
    assert rows["FILE_UPLOAD_TEMP_DIR"]["then"].endswith("/sites/aurora/tmp")
    assert not rows.keys() & {"SECRET_KEY", "DATABASES.default.NAME", "DATABASES.default.USER"}
    assert "secret-of" not in result.stdout and OLD_KEY not in result.stdout and "own-" not in result.stdout


@pytest.mark.parametrize("name", LAYOUTS)
def test_guide_shows_the_files_that_are_tested(name: str) -> None:
    """The guide includes the moved settings of each layout, as a difference from the old ones."""
    text = GUIDE.read_text(encoding="utf-8")
    paths = {(GUIDE.parent / path).resolve() for pair in names_of("difference", text) for path in pair.split()}
    assert all(path.is_file() for path in paths)
    file = "settings/production.py" if name == "split" else "settings.py"
    assert {HERE / name / form / file for form in ("before", "after")} <= paths
