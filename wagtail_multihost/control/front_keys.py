"""
Which keys of records the database gives front servers, and which are declared for them: the views are made by a
migration, and stay as they were made when a later version declares others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.db import connection

from wagtail_multihost.nodeapi import front_v1
from wagtail_multihost.nodeapi.v1 import SCHEMA

Tables = dict[str, frozenset[str]]
DEFINITION = "SELECT pg_get_viewdef(to_regclass(%s))"
#: A list of keys, as PostgreSQL writes it, and the table that it is of. A record's own keys are of none.
LIST = re.compile(r"stated\.key = (?:ANY \(ARRAY\[([^]]*)\]\)|('[^']*'::text))")
TABLE = re.compile(r"jsonb_build_object\('([^']*)'(?:::text)?, ")


def find_front_problems() -> Iterator[str]:
    """Yield what each view of records gives too much, or does not give."""
    for view, declared in (("front_platform", declared_keys(of_platform=True)), ("front_site", declared_keys())):
        given = given_keys(view)
        if given is None:
            continue
        wanted, found = named(declared), named(given)
        if missing := sorted(wanted - found):
            yield f"{SCHEMA}.{view} does not give front servers {', '.join(missing)}."
        if surplus := sorted(found - wanted):
            yield f"{SCHEMA}.{view} gives front servers {', '.join(surplus)} too."


def declared_keys(*, of_platform: bool = False) -> Tables:
    """Return the keys that are declared for front servers, by their table; blank for the record's own."""
    own = front_v1.PLATFORM_KEYS if of_platform else front_v1.SITE_KEYS
    tables = front_v1.front_tables(of_platform=of_platform)
    return {"": frozenset(own), **{table: frozenset(keys) for table, keys in tables.items()}}


def given_keys(view: str) -> Tables | None:
    """Return the keys that a view of the database gives; None where there is no such view yet."""
    with connection.cursor() as cursor:
        cursor.execute(DEFINITION, [f"{SCHEMA}.{view}"])
        row = cursor.fetchone()
    return parse_definition(row[0]) if row and row[0] else None


def parse_definition(text: str) -> Tables:
    found, table = {}, ""
    for match in re.finditer(f"{LIST.pattern}|{TABLE.pattern}", text):
        if match[3] is not None:
            table = match[3]
        else:
            found[table] = frozenset(re.findall("'([^']*)'", match[1] or match[2]))
    return found


def named(tables: Tables) -> frozenset[str]:
    """Return the keys as an operator writes them."""
    return frozenset(f"{table}.{key}" if table else key for table, keys in tables.items() for key in keys)
