"""List the sites of the registry, or pin their derived names."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandParser

from wagtail_multihost.management.command import MultihostCommand, registry_of, static_files
from wagtail_multihost.registry.pins import pin
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec


class Command(MultihostCommand):
    help = (
        "List the sites of the registry; every problem of every site is reported at once. Exit codes: 0 the registry "
        "is valid, 2 it is not or cannot be read."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--json", action="store_true", help="print one JSON array, for machines")
        parser.add_argument(
            "--pin",
            action="store_true",
            help="write every site's uid and derived names into the registry file, so that they never change",
        )

    def run(self, **options: Any) -> None:
        registry = registry_of(options["registry"])
        if options["pin"]:
            for name in pin(registry):
                self.stderr.write(f"Pinned: {name}")
        contents = registry.load(protected=static_files())
        if options["json"]:
            self.stdout.write(json.dumps([as_table(contents.platform, site) for site in contents.sites], indent=2))
            return
        width = max((len(site.id) for site in contents.sites), default=0)
        for site in contents.sites:
            state = "enabled" if site.enabled else "disabled"
            self.stdout.write(f"{site.id:<{width}}  {state:<8}  {' '.join(site.hosts)}")


def as_table(platform: PlatformSpec, site: SiteSpec) -> dict[str, object]:
    names = site.names
    return {
        "id": site.id,
        "uid": str(site.uid),
        "enabled": site.enabled,
        "pinned": site.pinned,
        "revision": platform.revision,
        "hostnames": list(site.hostnames),
        "aliases": list(site.aliases),
        "origin": platform.origin_of(site.canonical, has_tls=site.has_tls(site.canonical)),
        "database": site.database.engine,
        "cache": site.cache.backend,
        "storage": site.storage.backend,
        "names": {name: getattr(names, name) for name in names.__slots__},
    }
