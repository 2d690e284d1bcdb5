"""Show every setting of a site and where it came from."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandParser

from wagtail_multihost.management.command import MultihostCommand, project_settings, registry_of
from wagtail_multihost.resolver.explain import explain
from wagtail_multihost.resolver.resolved import ResolvedSettings


class Command(MultihostCommand):
    help = (
        "Show every setting that a site's process gets, with secrets as ***, the rule that made it and the key that "
        "it was read from. No secret is read. Exit codes: 0 done, 2 the site is unknown, disabled or has problems."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("site", metavar="SITE", help="the id of the site")
        parser.add_argument("--json", action="store_true", help="print one JSON array, for machines")

    def run(self, **options: Any) -> None:
        platform, site = registry_of(options["registry"]).site(options["site"], reads_secrets=False)
        rows = explain(ResolvedSettings(platform, site), project_settings())
        if options["json"]:
            self.stdout.write(json.dumps(rows, indent=2))
            return
        for row in rows:
            origin = f"{row['rule']}; {row['source']}" if row["source"] else str(row["rule"])
            note = " (overrides the project's)" if row["overrides"] else ""
            self.stdout.write(f"{self.style.MIGRATE_HEADING(str(row['name']))} = {json.dumps(row['value'])}")
            self.stdout.write(f"    {origin}{note}")
