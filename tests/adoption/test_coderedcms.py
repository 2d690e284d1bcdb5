"""What ``coderedcms start`` makes becomes two sites by the commands of the guides, and keeps what it had."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.adoption.adopted import HOSTS, OLD, Adopted, edit, opened_project, start
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

RESOLVE = "\nfrom wagtail_multihost.resolver import resolve\n\nresolve().apply(globals())\n"
MIDDLEWARE = '    "wagtail_multihost.health.middleware.HealthMiddleware",\n'


def make_coderedcms(project: Adopted) -> None:
    """Make the project that ``coderedcms start`` makes, on PostgreSQL."""
    start("coderedcms", "shop", project.folder)
    SITES.folder(project.project / "cache", 0o700)
    settings = project.settings
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": OLD,
        "USER": OLD,
        "PASSWORD": project.old_password,
        "HOST": HOST,
        "PORT": project.postgres.port,
    }
    with open(settings / "prod.py", "a") as file:
        file.write(f'\nDATABASES = {{"default": {database!r}}}\nSECRET_KEY = {project.old_key!r}\n')
        file.write(f'ALLOWED_HOSTS = ["{HOSTS[OLD]}"]\n')


def move_coderedcms(project: Adopted) -> None:
    """Change its settings as the guide says."""
    settings = project.settings
    base = settings / "base.py"
    edit(
        base,
        ('    "django.contrib.messages",\n', '    "django.contrib.messages",\n    "django.contrib.postgres",\n'),
        ("MIDDLEWARE = [\n", f"MIDDLEWARE = [\n{MIDDLEWARE}"),
        ('MEDIA_ROOT = BASE_DIR / "media"\n', ""),
        ('WAGTAIL_SITE_NAME = "shop"\n', ""),
        ('WAGTAILADMIN_BASE_URL = "http://localhost"\n', ""),
    )
    production = settings / "prod.py"
    lines = production.read_text().splitlines(keepends=True)
    of_the_site = ("SECRET_KEY", "ALLOWED_HOSTS", "DEFAULT_FROM_EMAIL", "SERVER_EMAIL", "DATABASES")
    kept = [line for line in lines if not line.startswith(of_the_site)]
    database = 'DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql"}}\n'
    production.write_text("".join([*kept, database, RESOLVE]))
    with open(settings / "dev.py", "a") as file:
        file.write(RESOLVE)


@pytest.fixture(name="adopted", scope="module")
def _adopted() -> Iterator[Adopted]:
    with opened_project("shop.settings.prod", make_coderedcms, move_coderedcms) as project:
        yield project
