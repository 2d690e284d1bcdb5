"""Database connections, and what a copied database brought along."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import DEFAULT_DB_ALIAS, Error, connections

from wagtail_multihost.backends.forked import opened_while_loading
from wagtail_multihost.checks import TAG
from wagtail_multihost.identity import wagtail_site
from wagtail_multihost.identity.deadline import SilentDatabaseError, deadline
from wagtail_multihost.identity.own import own_identity
from wagtail_multihost.identity.wagtail_site import MOST_SHOWN, SiteRow
from wagtail_multihost.running import current, own_site
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.site import SiteSpec

POSTGRESQL = ("postgresql", "postgis")
NAME_BYTES = 63


@register(TAG)
def check_databases(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """E014 and E015: a pool whose connections are kept as well, and names that PostgreSQL truncates."""
    return [
        message
        for alias, options in settings.DATABASES.items()
        if str(options.get("ENGINE")).endswith(POSTGRESQL)
        for message in database_messages(alias, options)
    ]


@register(TAG)
def check_opened_while_loading(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """W028: an app that queries a database while Django loads."""
    return [
        Warning(
            f"The app {shown(app)} opens the database {shown(alias)} while Django loads. Workers that are forked "
            "afterwards do not use that connection, but each start waits for the database, and fails without it.",
            hint="Move the query out of AppConfig.ready() and out of modules that are imported.",
            id="wagtail_multihost.W028",
        )
        for alias, app in opened_while_loading.items()
    ]


def database_messages(alias: str, options: Mapping[str, object]) -> Iterator[CheckMessage]:
    more = options.get("OPTIONS")
    if isinstance(more, Mapping) and more.get("pool") and options.get("CONN_MAX_AGE", 0) != 0:
        yield checks.Error(
            f"DATABASES[{shown(alias)}] has a pool and a CONN_MAX_AGE, which Django refuses when it connects.",
            hint="Keep one of the two. A pool holds connections for each process of each site.",
            id="wagtail_multihost.E014",
        )
    test = options.get("TEST")
    names = {"NAME": options.get("NAME"), "USER": options.get("USER")}
    names["TEST NAME"] = test.get("NAME") if isinstance(test, Mapping) else None
    for key, name in names.items():
        if len(str(name or "").encode(errors="replace")) > NAME_BYTES:
            yield checks.Error(
                f"The {key} of DATABASES[{shown(alias)}] has more than {NAME_BYTES} bytes. PostgreSQL truncates it "
                "without an error, and the rest may be another site's name.",
                hint=f"Choose a name of at most {NAME_BYTES} bytes; derived names have at most 54.",
                id="wagtail_multihost.E015",
            )


@register(TAG, Tags.database)
def check_leftovers(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: object
) -> list[CheckMessage]:
    """W005: rows of Wagtail's table of sites that are not this site's, or a default one without its address."""
    site = own_site()
    if site is None or not asks_database(databases):
        return []
    connection = connections[DEFAULT_DB_ALIAS]
    try:
        with deadline(connection, "shown its Site rows"):
            rows = wagtail_site.site_rows(DEFAULT_DB_ALIAS)
    except (Error, SilentDatabaseError):  # Django's own error is better, where the database is needed
        return []
    found = foreign_rows(site, rows or ()) or wrong_default(rows)
    return [Warning(found[0], hint=found[1], id="wagtail_multihost.W005")] if found else []


def asks_database(databases: Sequence[str] | None) -> bool:
    """
    Return whether the site's database is to be asked: where the command line names it, and by the command ``check`` of
    a site's own process, if it is there. Django has no such checks without --database, because they need a server.
    """
    if databases is not None:
        return DEFAULT_DB_ALIAS in databases
    running, connection = current(), connections[DEFAULT_DB_ALIAS]
    if running is None or running.command != "check" or running.ephemeral:
        return False
    # SQLite makes a file that is not there.
    return connection.vendor != "sqlite" or Path(str(connection.settings_dict["NAME"])).is_file()


def foreign_rows(site: SiteSpec, rows: Sequence[SiteRow]) -> tuple[str, str] | None:
    """Return what is to be said of hostnames that the site does not have, and what to do."""
    foreign = wagtail_site.hostnames_of_others(site, rows)
    if not foreign:
        return None
    named = ", ".join(shown(hostname) for hostname in foreign[:MOST_SHOWN])
    return (
        f"Wagtail's table of sites has {len(foreign)} hostnames that the site {site.id} does not have: "
        f"{named}. Links and purges would lead there.",
        "If the database is a copy, run multihost_adopt. If not, add them to the aliases, or remove the rows.",
    )


def wrong_default(rows: Sequence[SiteRow] | None) -> tuple[str, str] | None:
    """Return what is to be said of a default row that does not have the site's address, and what to do."""
    own, running = own_identity(), current()
    # migrate mends the row, or says why not.
    if own is None or rows is None or (running and running.command == "migrate"):
        return None
    wanted = wagtail_site.canonical_address(own)
    if wagtail_site.is_canonical(wanted, rows):
        return None
    found = " and ".join(row.address for row in rows if row.is_default) or "missing"
    address = "{}:{}".format(*wanted)
    return (
        f"Wagtail's default Site row is {found}, and the site {own.site.id} is {address}. Links in mails, sitemaps and "
        "previews would lead elsewhere.",
        f"Run: manage.py multihost_hostname {own.site.id}",
    )
