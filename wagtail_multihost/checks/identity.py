"""The identity of the site's database."""

from __future__ import annotations

from collections.abc import Sequence

from django.apps import AppConfig
from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections

from wagtail_multihost.checks import TAG
from wagtail_multihost.identity.comparison import identity_of
from wagtail_multihost.identity.own import own_identity
from wagtail_multihost.running import current
from wagtail_multihost.spec.platform import PRODUCTION


@register(TAG, Tags.database)
def check_claimed(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: object
) -> list[CheckMessage]:
    """W002: no site has claimed the database. Only where the command line names the database to be checked."""
    own, running = own_identity(), current()
    # migrate is what claims it.
    if own is None or DEFAULT_DB_ALIAS not in (databases or ()) or (running and running.command == "migrate"):
        return []
    connection = connections[DEFAULT_DB_ALIAS]
    try:
        connection.ensure_connection()
        is_claimed = identity_of(connection) is not None
    except DatabaseError:
        return []  # it cannot be asked now
    if is_claimed:
        return []
    return [
        Warning(
            f"No site has claimed the database of the site {own.site.id}, so a wrong address would not be noticed.",
            hint=f"Run: manage.py multihost_as {own.site.id} migrate",
            id="wagtail_multihost.W002",
        )
    ]


@register(TAG)
def check_revision(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """W006: a platform in production whose registry has no revision."""
    own = own_identity()
    if own is None or own.platform.environment != PRODUCTION or own.revision:
        return []
    return [
        Warning(
            "The platform's environment is production, but its registry has no revision, so a machine with an older "
            "registry is not noticed.",
            hint="State revision = 1 in [platform], and raise it with every change.",
            id="wagtail_multihost.W006",
        )
    ]
