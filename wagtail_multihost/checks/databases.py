"""Database connections, and what a copied database brought along."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from django.apps import AppConfig, apps
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import DEFAULT_DB_ALIAS, Error, connections

from wagtail_multihost.backends.forked import opened_while_loading
from wagtail_multihost.checks import TAG
from wagtail_multihost.running import own_site
from wagtail_multihost.spec.identifiers import shown

POSTGRESQL = ("postgresql", "postgis")
NAME_BYTES = 63
# Wagtail's first migration makes a row with it.
FIRST_HOSTNAME = "localhost"
MOST_SHOWN = 5


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
    """W005: rows of Wagtail's table of sites whose hostnames this site does not have, as in a copied database."""
    site = own_site()
    if site is None or DEFAULT_DB_ALIAS not in (databases or ()) or not apps.is_installed("wagtail"):
        return []
    from wagtail.models import Site  # Wagtail may be missing

    own = {*site.hosts, FIRST_HOSTNAME}
    try:
        if Site._meta.db_table not in connections[DEFAULT_DB_ALIAS].introspection.table_names():
            return []
        rows = Site.objects.using(DEFAULT_DB_ALIAS).order_by("pk").values_list("hostname", flat=True)
        foreign = [hostname for hostname in rows if hostname.lower() not in own]
    except Error:  # Django's own error is better, where the database is needed
        return []
    if not foreign:
        return []
    named = ", ".join(shown(hostname) for hostname in foreign[:MOST_SHOWN])
    return [
        Warning(
            f"Wagtail's table of sites has {len(foreign)} hostnames that the site {site.id} does not have: "
            f"{named}. Links and purges would lead there.",
            hint="If the database is a copy, run multihost_adopt. If not, add them to the aliases, or remove the rows.",
            id="wagtail_multihost.W005",
        )
    ]
