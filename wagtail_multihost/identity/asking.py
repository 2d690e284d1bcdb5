"""Asking the database of a site that has no pin whose it is, from a process that is no site's."""

from __future__ import annotations

import re
from contextlib import closing
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError
from django.db.utils import ConnectionHandler

from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.identity.comparison import database_name, drop, identity_of
from wagtail_multihost.identity.deadline import deadline
from wagtail_multihost.registry.evidence import Evidence
from wagtail_multihost.resolver.databases import ENGINES, connection
from wagtail_multihost.spec.site import SiteSpec

ALIAS = "asked"  # not the default one, which the fuse compares
SECONDS = 5
#: What a server says that has no database for the site, or none that the site's role opens.
# https://www.postgresql.org/docs/current/errcodes-appendix.html has codes, but libpq tells none while it connects.
NOT_THERE = re.compile(r'FATAL:\s+(?:(?:database|role) ".*" does not exist|password authentication failed)')


class Asker:
    """Asks databases on servers. A server that cannot be reached is asked once, however many sites it has."""

    def __init__(self) -> None:
        self.silent: dict[tuple[str, int], str] = {}

    def __call__(self, site: SiteSpec) -> tuple[Evidence | None, str]:
        """Return what the database of ``site`` says of its holder, and why it could not be asked."""
        database = site.database
        if database.engine == "sqlite":  # a file, and so found by who looks at files
            return None, ""
        place = (database.host, database.port)
        if place in self.silent:
            return None, self.silent[place]
        try:
            return self.asked(site), ""
        except DatabaseError as error:
            if NOT_THERE.search(str(error)):
                return None, ""
            message = f"its database on {database.host or 'this machine'}:{database.port} cannot be asked"
            if not has_answered(error):  # else it may answer for other sites, whatever this one does to its own
                self.silent[place] = message
            return None, message
        except MultihostError as error:
            return None, f"its database cannot be asked ({error})"
        except (InterfaceError, ImproperlyConfigured, ValueError):
            return None, "its database cannot be asked with what the registry says of it, or its answer is none"

    def asked(self, site: SiteSpec) -> Evidence | None:
        """Return the identity in the database of ``site``; None when there is none. Raises what Django raises."""
        settings = connection(site, ENGINES[site.database.engine], {})
        if site.database.password is not None:
            settings["PASSWORD"] = site.database.password.reveal()
        opened: Any = ConnectionHandler({"default": {}, ALIAS: settings})[ALIAS]
        try:
            with opened.wrap_database_errors:
                # Past the signal of new connections, whose receivers look the alias up among the project's.
                opened.connection = opened.get_new_connection(opened.get_connection_params())
            # What is asked may be a view of a hostile site, which may catch what the server's timeout raises.
            with deadline(opened, "said whose it is", SECONDS):
                with opened.wrap_database_errors, closing(opened.connection.cursor()) as cursor:
                    cursor.execute("SELECT set_config('statement_timeout', %s, false)", [f"{SECONDS}s"])
                found = identity_of(opened)
            return Evidence(database_name(opened), found.uid, is_its_word=True) if found else None
        finally:
            drop(opened)


def has_answered(error: DatabaseError) -> bool:
    """Return whether a server has said what is wrong; one that cannot be reached has not."""
    driver = error.__cause__
    return "FATAL:" in str(error) or bool(getattr(driver, "sqlstate", None) or getattr(driver, "pgcode", None))
