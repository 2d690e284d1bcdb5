"""The Django app: registers checks, the identity fuse and the guard of cookies; refuses connections in build mode."""

from __future__ import annotations

import tempfile
from types import ModuleType

from django.apps import AppConfig
from django.core.signals import request_started
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate, pre_save

from wagtail_multihost.running import current, register_reset, registered_site


class MultihostConfig(AppConfig):
    """The app ``wagtail_multihost``."""

    name = "wagtail_multihost"
    verbose_name = "Wagtail multihost"

    def __init__(self, app_name: str, app_module: ModuleType | None) -> None:
        super().__init__(app_name, app_module)
        from wagtail_multihost.backends.forked import note_connection
        from wagtail_multihost.identity.comparison import compare_identity

        connection_created.connect(note_connection, dispatch_uid="wagtail_multihost.forked")
        # Before any app is ready: one that queries the database there must not get past the fuse.
        connection_created.connect(compare_identity, dispatch_uid="wagtail_multihost.identity")

    def ready(self) -> None:
        from wagtail_multihost.backends.build_mode import refuse_without_database
        from wagtail_multihost.backends.planted_cookies import drop_planted_cookies
        from wagtail_multihost.checks import applied as applied_checks  # noqa: F401  # importing it registers them
        from wagtail_multihost.checks import caches, cookies, databases, mail, media, registry, search, storages, tasks  # noqa: F401
        from wagtail_multihost.checks import declared as declared_checks  # noqa: F401
        from wagtail_multihost.checks import deployment as deployment_checks  # noqa: F401
        from wagtail_multihost.checks import exposure as exposure_checks  # noqa: F401
        from wagtail_multihost.checks import health as health_checks  # noqa: F401
        from wagtail_multihost.checks import identity as identity_checks  # noqa: F401
        from wagtail_multihost.identity.claim import after_migrate, refuse_foreign_fixture
        from wagtail_multihost.models import Identity

        post_migrate.connect(after_migrate, sender=self, dispatch_uid="wagtail_multihost.identity")
        pre_save.connect(refuse_foreign_fixture, sender=Identity, dispatch_uid="wagtail_multihost.identity")
        # Django sends it before it makes the request, whatever middleware a project has.
        request_started.connect(drop_planted_cookies, dispatch_uid="wagtail_multihost.planted_cookies")
        refuse_without_database()
        set_temporary_folder()


def set_temporary_folder() -> None:
    """Make Python's tempfile use the site's folder too, so that all temporary files of this process are there."""
    running = current()
    folder = running.values.get("FILE_UPLOAD_TEMP_DIR") if running and registered_site() else None
    if isinstance(folder, str):
        tempfile.tempdir = folder


@register_reset
def reset_temporary_folder() -> None:
    """Use the temporary folder of the site that this process serves now."""
    tempfile.tempdir = None
    set_temporary_folder()
