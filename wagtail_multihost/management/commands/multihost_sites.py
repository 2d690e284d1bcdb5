"""List the sites of the registry, or pin their derived names."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.management.base import CommandError, CommandParser

from wagtail_multihost.exceptions import COULD_NOT
from wagtail_multihost.identity.asking import Asker
from wagtail_multihost.management.command import MultihostCommand
from wagtail_multihost.management.progress import choose_watch
from wagtail_multihost.project import static_files
from wagtail_multihost.publishing.pins import Pin, PinChoices, pin_sites, unrecorded_cautions
from wagtail_multihost.registry import Registry
from wagtail_multihost.running import registry_of
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec


class Command(MultihostCommand):
    help = (
        "List the sites of the registry, or write their uids and names into it. Every problem of every site is "
        "reported at once. No secret is read: whether those of a site exist is seen when its process starts, or by "
        "multihost_snapshot."
    )
    exit_codes: ClassVar = {
        "0": "the registry is valid, and everything was written",
        "2": "the registry is not valid or cannot be read, or it is not known whether a site is in use; nothing was "
        "written",
    }
    examples = (
        "manage.py multihost_sites",
        "manage.py multihost_sites --json",
        "manage.py multihost_sites --pin",
        "manage.py multihost_sites --pin --keep aurora borealis",
        "manage.py multihost_sites --pin --new aurora",
    )
    json_help = "print one JSON array of the sites"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--pin",
            action="store_true",
            help=(
                "write the uid and the names of every site into the registry file, so that they never change: the "
                "present ones for sites in use (with a snapshot, files or a claimed database), a random uid for others"
            ),
        )
        parser.add_argument(
            "--keep",
            nargs="*",
            metavar="ID",
            help=(
                "with --pin: these sites, or without an ID all of them, have data already, such as a database on "
                "another machine; they stay with the uid and the names that they have now. Of an id that was used "
                "before: it is the same site again"
            ),
        )
        parser.add_argument(
            "--new",
            nargs="+",
            default=[],
            metavar="ID",
            help=(
                "with --pin: these sites have no data yet, whoever had their ids before; they get new uids, and names "
                "that lead to nothing of an earlier site"
            ),
        )

    def run(self, **options: Any) -> None:
        registry = registry_of(options["registry"])
        pins = self.pin(registry, options)
        contents = registry.load(protected=static_files(), watch=choose_watch(options))
        self.caution(unrecorded_cautions(registry, contents), options["verbosity"])
        if options["json"]:
            tables = [as_table(contents.platform, site, pins.get(site.id)) for site in contents.sites]
            self.print_json(tables)
            return
        width = max((len(site.id) for site in contents.sites), default=0)
        for site in contents.sites:
            state = "enabled" if site.enabled else "disabled"
            self.stdout.write(f"{site.id:<{width}}  {state:<8}  {' '.join(site.hosts)}")

    def pin(self, registry: Registry, options: dict[str, Any]) -> dict[str, Pin]:
        """Write pins if --pin is given; return those that were written, by site."""
        keep, new = options["keep"], options["new"]
        if not options["pin"]:
            if keep is not None or new:
                raise CommandError("--keep and --new are accepted with --pin only.", returncode=COULD_NOT)
            return {}
        pins = pin_sites(registry, PinChoices(keep or (), new, keeps_all=keep == []), Asker(), choose_watch(options))
        for written in pins:
            what = f"with the new uid {written.uid}" if written.is_new else "as it is"
            self.stderr.write(f"Pinned: {written.site}, {what}: {written.why}.")
        return {written.site: written for written in pins}


def as_table(platform: PlatformSpec, site: SiteSpec, pin: Pin | None) -> dict[str, object]:
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
        "pin": {"new": pin.is_new, "why": pin.why} if pin else None,
    }
