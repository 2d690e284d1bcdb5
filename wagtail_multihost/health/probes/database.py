"""Whether the site's database can be reached anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from django.db import connections

from wagtail_multihost.health.probe import Outcome, Probe, passed


@dataclass(frozen=True, kw_only=True)
class DatabaseProbe(Probe):
    """Opens a connection, which the identity fuse compares, asks it something, and closes it."""

    component: ClassVar[str] = "datastore"

    alias: str = field(default="default", metadata={"meaning": "The alias in `DATABASES`."})

    def measure(self) -> Iterator[Outcome]:
        connection = connections[self.alias]
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            yield passed()
        finally:
            connection.close()
