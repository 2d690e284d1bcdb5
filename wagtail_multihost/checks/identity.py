"""What is wrong with the identity of the site's database."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from django.apps import AppConfig
from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections

from wagtail_multihost.checks import TAG
from wagtail_multihost.identity.comparison import identity_of
from wagtail_multihost.identity.own import own_identity


@register(TAG, Tags.database)
def check_claimed(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: object
) -> list[CheckMessage]:
    """W002: no site has claimed the database. Only where the command line names the database to be checked."""
    own = own_identity()
    # migrate is what claims it.
    if own is None or DEFAULT_DB_ALIAS not in (databases or ()) or sys.argv[1:2] == ["migrate"]:
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
