"""
A project with split settings, django-environ, WhiteNoise, several cache aliases and a page cache becomes two sites by
the commands of the guides, and keeps what it had.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adoption.adopted import OLD, Adopted, opened_project, start
from tests.adoption.promises import (  # noqa: F401  # tests
    test_checks_for_deployment_find_what_is_expected,
    test_each_site_has_its_own_admin,
    test_each_site_serves_its_own_pages_and_static_files,
    test_isolation_kit_passes,
    test_kept_pages_and_cache_entries_are_the_sites_own,
    test_new_upload_is_served,
    test_uploads_of_the_old_site_stay_where_they_were,
    test_what_would_change_is_said_before_the_move,
)
from tests.servers.accounts import SITES
from tests.servers.postgres import HOST

pytestmark = pytest.mark.servers

HERE = Path(__file__).parent


def postgres_url(project: Adopted) -> str:
    return f"postgres://{OLD}:{project.old_password}@{HOST}:{project.postgres.port}/{OLD}"


def make_split(project: Adopted) -> None:
    """Make a project with split settings, django-environ, WhiteNoise, several cache aliases and a page cache."""
    start("wagtail", "website", project.folder)
    SITES.folder(project.folder / "pages", 0o700)
    use_settings(project, "before")


def move_split(project: Adopted) -> None:
    use_settings(project, "after")


def use_settings(project: Adopted, form: str) -> None:
    settings = project.settings
    shutil.rmtree(settings)
    shutil.copytree(HERE / "split" / form / "settings", settings)
    values = {
        "secret_key": project.old_key,
        "database_url": postgres_url(project),
        "redis_url": f"rediscache://:{project.redis.password}@{HOST}:{project.redis.port}",
        "pages": project.folder / "pages",
    }
    text = (HERE / "split" / form / "dotenv").read_text()
    SITES.write(project.project / ".env", text.format_map(values))


@pytest.fixture(name="adopted", scope="module")
def _adopted() -> Iterator[Adopted]:
    with opened_project("website.settings.production", make_split, move_split) as project:
        yield project
