"""Measure a site's database and files."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import DEFAULT_DB_ALIAS, connections

from wagtail_multihost.identity.deadline import deadline
from wagtail_multihost.identity.own import OwnIdentity
from wagtail_multihost.management.as_site import SiteCommand
from wagtail_multihost.management.command import COULD_NOT_BE_DONE


class Command(SiteCommand):
    help = "Measure the size of the site's database and of the files in its storage, in bytes."
    exit_codes: ClassVar = {"0": "done", "2": COULD_NOT_BE_DONE}
    examples = ("manage.py multihost_size aurora", "manage.py multihost_size aurora --json")
    json_help = "print the sizes as JSON; null where something cannot be measured"

    def run_as(self, own: OwnIdentity, **options: Any) -> None:
        from wagtail_multihost.management.sizes import measure_database, measure_storage

        with deadline(connections[DEFAULT_DB_ALIAS], "said how big it is"):
            database = measure_database()
        sizes = {"database": database, "storage": measure_storage()}
        if options["json"]:
            self.print_json({"site": own.site.id, **sizes})
            return
        for name, size in sizes.items():
            self.stdout.write(f"{name}: {'not known' if size is None else f'{size} bytes'}")
