"""Ask the databases of sites without pins for their identities, from a process that serves no site."""

from __future__ import annotations

import os
import re
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError
from django.db.utils import ConnectionHandler

from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.identity.comparison import database_name, drop_connection, identity_of
from wagtail_multihost.identity.deadline import deadline
from wagtail_multihost.publishing.evidence import Evidence
from wagtail_multihost.resolver.ambient import remove_ambient
from wagtail_multihost.resolver.databases import ENGINES, connection_settings
from wagtail_multihost.spec.site import SiteSpec

ALIAS = "asked"  # not the default one, which the fuse compares
#: Precedes the reason for which a server refuses a connection. What follows may contain a site's words, even this one:
#: the name of a library that its role loads.
REFUSAL = "FATAL:"
#: What a server says when there is no database for the site, or no role.
# https://www.postgresql.org/docs/current/errcodes-appendix.html has codes, but libpq passes none on while it connects.
NOT_THERE = re.compile(r'(?:database|role) ".*" does not exist')
#: What it says for a wrong password, and also for a missing role, so that nobody can try out names
#: (https://www.postgresql.org/docs/current/auth-password.html).
NOT_LET_IN = "password authentication failed"


class Asker:
    """Asks databases on servers. A server that cannot be reached is asked once, however many sites it has."""

    def __init__(self) -> None:
        self.silent: dict[tuple[str, int], str] = {}

    def __call__(self, site: SiteSpec) -> tuple[Evidence | None, str]:
        """Return the identity that the database of ``site`` states, and why it could not be asked."""
        database = site.database
        if database.engine == "sqlite":  # a file, which the search of local files finds
            return None, ""
        place = (database.host, database.port)
        if place in self.silent:
            return None, self.silent[place]
        opened: Any = None
        try:
            opened = connect_to_database(site)
            # A hostile site may have a view in the table's place, which outlives the server's timeouts and says
            # anything.
            with deadline(opened, "returned its identity"):
                found = identity_of(opened)
        except DatabaseError as error:
            if opened is not None:  # the server works, so its other sites are asked
                return None, "its database cannot be queried: the query failed"
            return None, self.not_opened(site, str(error))
        except MultihostError as error:
            return None, f"its database cannot be queried ({error})"
        except (InterfaceError, ImproperlyConfigured, ValueError):
            return None, "its database cannot be queried with what the registry states, or its answer is not valid"
        finally:
            if opened is not None:
                drop_connection(opened)
        return (Evidence(database_name(opened), found.uid, is_forgeable=True) if found else None), ""

    def not_opened(self, site: SiteSpec, said: str) -> str:
        """Return why a database cannot be queried, from what the server said; blank where the database does not
        exist."""
        database = site.database
        refusal = said.partition(REFUSAL)[2].lstrip()
        if NOT_THERE.match(refusal):
            return ""
        if refusal.startswith(NOT_LET_IN):
            return login_refused_message(site)
        message = f"its database on {database.host}:{database.port} cannot be queried"
        if not refusal:  # a server that refuses one site may accept the others
            self.silent[database.host, database.port] = message
        return message


def login_refused_message(site: SiteSpec) -> str:
    database = site.database
    return (
        f"the server {database.host or 'on this machine'}:{database.port} refuses the login of the role {database.user}"
        ": its password is not the one in the registry, or there is no such role"
    )


def connect_to_database(site: SiteSpec) -> Any:
    """Return an open connection to the database of ``site``. Raises what Django raises."""
    remove_ambient(site, os.environ)
    settings = connection_settings(site, ENGINES[site.database.engine], {})
    if site.database.password is not None:
        settings["PASSWORD"] = site.database.password.reveal()
    opened: Any = ConnectionHandler({"default": {}, ALIAS: settings})[ALIAS]
    with opened.wrap_database_errors:
        # This bypasses the signal of new connections, whose receivers look the alias up among the project's.
        opened.connection = opened.get_new_connection(opened.get_connection_params())
    return opened
