"""Whether Wagtail's default Site row has the site's address."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from django.apps import apps
from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

from wagtail_multihost.health.probe import Outcome, Probe, passed, warned
from wagtail_multihost.health.probes import connection as opening
from wagtail_multihost.health.status import Criticality
from wagtail_multihost.identity.comparison import UNDEFINED_TABLE
from wagtail_multihost.identity.own import own_identity
from wagtail_multihost.identity.wagtail_site import SiteRow, canonical_address, hostnames_of_others, is_canonical

# No more rows are read than anybody has: the site writes them.
MOST_ROWS = 1000
QUERY = f"SELECT id, hostname, port, is_default_site FROM wagtailcore_site ORDER BY id LIMIT {MOST_ROWS}"  # noqa: S608
NO_TABLE = "no such table: wagtailcore_site"  # SQLite's message


@dataclass(frozen=True, kw_only=True)
class SiteRowProbe(Probe):
    """
    Compares Wagtail's Site rows with the hostnames of the site's record, by one query: links in mails, sitemaps and
    purges are made of them. The check `wagtail_multihost.W005` says which rows are meant. Visitors are served anyway,
    so by default this is informative.
    """

    component: ClassVar[str] = "datastore"
    codes: ClassVar[Mapping[str, str]] = {
        **opening.CODES,
        "other_address": "The default Site row does not have the site's canonical hostname and port.",
        "foreign_hostnames": "Site rows have hostnames that the site does not have; the value is their number.",
    }

    criticality: Criticality = field(default=Criticality.INFORMATIVE, metadata={"meaning": "What a failure means."})
    alias: str = field(default="default", metadata={"meaning": "The alias in `DATABASES`."})
    interval: float = field(default=300, metadata={"meaning": "Seconds between runs that pass; 0: `INTERVAL`."})
    retry: float = field(default=30, metadata={"meaning": "Seconds until the next run after any other; 0: `RETRY`."})

    def measure(self) -> Iterator[Outcome]:
        if own_identity() is None or not apps.is_installed("wagtail"):
            yield passed()
            return
        with (
            opening.catch_database_errors(self.alias) as outcomes,
            opening.new_connection(self.alias, self.timeout) as connection,
        ):
            outcomes.append(compare_rows(read_rows(connection)))
        yield from outcomes


def read_rows(connection: BaseDatabaseWrapper) -> list[SiteRow] | None:
    """Return the Site rows; None before the first migration, which another probe reports."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(QUERY)
            return [SiteRow(pk, str(name), int(port), bool(is_default)) for pk, name, port, is_default in cursor]
    except DatabaseError as error:
        code = getattr(error.__cause__, "sqlstate", None) or getattr(error.__cause__, "pgcode", None)
        if code == UNDEFINED_TABLE or str(error) == NO_TABLE:
            return None
        raise


def compare_rows(rows: list[SiteRow] | None) -> Outcome:
    own = own_identity()
    if own is None or rows is None:
        return passed()
    if others := hostnames_of_others(own.site, rows):
        return warned("foreign_hostnames", len(others), "hostnames")
    return passed() if is_canonical(canonical_address(own), rows) else warned("other_address")
