"""Asking the database of a site that has no pin whose it is, from a process that is no site's."""

from __future__ import annotations

import re
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError
from django.db.utils import ConnectionHandler

from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.identity.comparison import database_name, drop, identity_of
from wagtail_multihost.identity.deadline import deadline
from wagtail_multihost.publishing.evidence import Evidence
from wagtail_multihost.resolver.databases import ENGINES, connection
from wagtail_multihost.spec.site import SiteSpec

ALIAS = "asked"  # not the default one, which the fuse compares
#: Before what a server says that refuses a connection. In the rest may be a site's words, this one too: the name of a
#: library that its role asks for.
REFUSAL = "FATAL:"
#: What a server says that has no database for the site, or no role.
# https://www.postgresql.org/docs/current/errcodes-appendix.html has codes, but libpq tells none while it connects.
NOT_THERE = re.compile(r'(?:database|role) ".*" does not exist')
#: What it says of a wrong password, and of a role that is not there too, so that nobody can try out names
#: (https://www.postgresql.org/docs/current/auth-password.html).
NOT_LET_IN = "password authentication failed"


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
        opened: Any = None
        try:
            opened = opened_for(site)
            # What is asked may be a view of a hostile site: it outlives the server's timeouts, and says what it likes.
            with deadline(opened, "said whose it is"):
                found = identity_of(opened)
        except DatabaseError as error:
            if opened is not None:  # the server is well, so its other sites are asked
                return None, "its database cannot be asked: what is in it has refused"
            return None, self.not_opened(site, str(error))
        except MultihostError as error:
            return None, f"its database cannot be asked ({error})"
        except (InterfaceError, ImproperlyConfigured, ValueError):
            return None, "its database cannot be asked with what the registry says of it, or its answer is none"
        finally:
            if opened is not None:
                drop(opened)
        return (Evidence(database_name(opened), found.uid, is_forgeable=True) if found else None), ""

    def not_opened(self, site: SiteSpec, said: str) -> str:
        """Return why a database cannot be asked that was not opened, by what was said; blank where it is not there."""
        database = site.database
        refusal = said.partition(REFUSAL)[2].lstrip()
        if NOT_THERE.match(refusal):
            return ""
        if refusal.startswith(NOT_LET_IN):
            return not_let_in(site)
        message = f"its database on {database.host}:{database.port} cannot be asked"
        if not refusal:  # a server that refuses one site may let the others in
            self.silent[database.host, database.port] = message
        return message


def not_let_in(site: SiteSpec) -> str:
    database = site.database
    return (
        f"the server {database.host or 'on this machine'}:{database.port} does not let the role {database.user} in: it "
        "has another password than the registry states, or there is no such role"
    )


def opened_for(site: SiteSpec) -> Any:
    """Return an open connection to the database of ``site``. Raises what Django raises."""
    settings = connection(site, ENGINES[site.database.engine], {})
    if site.database.password is not None:
        settings["PASSWORD"] = site.database.password.reveal()
    opened: Any = ConnectionHandler({"default": {}, ALIAS: settings})[ALIAS]
    with opened.wrap_database_errors:
        # Past the signal of new connections, whose receivers look the alias up among the project's.
        opened.connection = opened.get_new_connection(opened.get_connection_params())
    return opened
