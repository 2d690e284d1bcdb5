"""
The process of one site, which plants canaries and looks for them.

``python -P -m wagtail_multihost.testing.tenant`` with MULTIHOST_SITE, MULTIHOST_REGISTRY and DJANGO_SETTINGS_MODULE
reads a command from each line of its input, and writes an answer for each; both are JSON objects.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import IO, Any


class Tenant:
    """The commands of this process."""

    def __init__(self) -> None:
        self.canaries: dict[str, Any] = {}

    def start(self) -> None:
        """Set Django up."""
        import django

        django.setup()

    def databases(self) -> dict[str, str]:
        """Return the SQLite files of DATABASES by alias."""
        from django.db import connections

        names = {alias: connections[alias] for alias in connections}
        return {alias: str(found.settings_dict["NAME"]) for alias, found in names.items() if found.vendor == "sqlite"}

    def migrations(self) -> str:
        """Return a digest of everything that a migrated database is made from."""
        from wagtail_multihost.testing.migrations import digest_migrations

        return digest_migrations()

    def connect(self) -> None:
        """Connect to the default database, which the identity fuse may refuse."""
        from django.db import connection

        connection.ensure_connection()

    def new_database(self) -> str:
        """Return the SQLite file that migrating would make; blank if it exists, or is not all that is migrated."""
        name = self.databases().get("default", "")
        is_new = os.path.isabs(name) and not os.path.exists(name)  # SQLite also has names that are no paths
        return name if is_new and len(migrated_aliases()) == 1 else ""

    def migrate_new(self) -> None:
        """Migrate a new SQLite file, which belongs to no site afterwards and is not waited for to be on the disk."""
        from django.apps import apps
        from django.db import connection
        from django.db.models.signals import post_migrate

        if apps.is_installed("wagtail_multihost"):
            config = apps.get_app_config("wagtail_multihost")
            post_migrate.disconnect(sender=config, dispatch_uid="wagtail_multihost.identity")
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous = OFF")
        self.migrate()

    def migrate(self) -> None:
        """Migrate the databases."""
        from django.core.management import call_command
        from django.db import connections

        collect_seldom()
        for alias in migrated_aliases():
            call_command("migrate", database=alias, interactive=False, verbosity=0)
        # A copy of an SQLite file lacks what only its journal has.
        connections.close_all()

    def claim(self) -> None:
        """Make a copy of a migrated database this site's own, as migrating does."""
        from django.apps import apps
        from django.db import DEFAULT_DB_ALIAS, connections

        from wagtail_multihost.identity.claim import after_migrate

        if apps.is_installed("wagtail_multihost"):
            after_migrate(DEFAULT_DB_ALIAS, verbosity=0)
        # Whose it is then, the next connection finds out: both sites may have claimed one database.
        connections.close_all()

    def meet(self, path: str) -> dict[str, object]:
        """Create the canary at a dotted path; return its attributes."""
        from django.utils.module_loading import import_string

        self.canaries[path] = canary = import_string(path)()
        attributes = {name: getattr(canary, name) for name in ("name", "setting", "repeats")}
        return {**attributes, "applies": canary.applies()}

    def step(self, path: str, step: str, token: str, planted: Any = None) -> Any:
        """Run a step of a canary and return its result."""
        canary = self.canaries[path]
        if step == "plant":
            return canary.plant(token)
        outcome = getattr(canary, step)(token, planted)
        return [list(crossing) for crossing in outcome] if step in ("crossed", "lost") else None


def migrated_aliases() -> list[str]:
    """Return the aliases that are migrated: without routers, others are used only where code names them."""
    from django.conf import settings
    from django.db import DEFAULT_DB_ALIAS, connections

    from wagtail_multihost.testing.canaries.database import is_replica

    aliases = connections if settings.DATABASE_ROUTERS else [DEFAULT_DB_ALIAS]
    return [alias for alias in aliases if not is_replica(alias)]


def collect_seldom() -> None:
    """Collect garbage seldom: migrating makes thousands of classes, and each collection looks at all of them."""
    gc.freeze()
    gc.set_threshold(50_000)


def run_command(tenant: Tenant, command: Mapping[str, Any]) -> dict[str, object]:
    """Run a command; return its ``result``, or the ``error`` with its classes and traceback."""
    do: Callable[..., object] = getattr(tenant, command["do"])
    try:
        return {"result": do(**command["with"])}
    except Exception as error:
        return {
            "error": f"{type(error).__name__}: {error}",
            "kinds": [kind.__name__ for kind in type(error).__mro__],
            "traceback": traceback.format_exc(limit=-5),
        }


def own_pipes() -> tuple[IO[str], IO[str]]:
    """Return this process's input and output; give the project an empty input, and the log as its output."""
    commands, answers = os.dup(0), os.dup(1)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    os.dup2(2, 1)
    return open(commands, encoding="utf-8"), open(answers, "w", encoding="utf-8")


def main() -> None:
    commands, answers = own_pipes()
    tenant = Tenant()
    with commands, answers:
        for line in commands:
            answers.write(json.dumps(run_command(tenant, json.loads(line)), default=str) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
    sys.exit()
