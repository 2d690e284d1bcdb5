"""Write one file per site that has all its process needs, and nothing of another site."""

from __future__ import annotations

import os
from argparse import RawDescriptionHelpFormatter
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.management.choosing import chosen_ids
from wagtail_multihost.management.collector import collector_paused
from wagtail_multihost.management.command import MultihostCommand
from wagtail_multihost.management.progress import progress
from wagtail_multihost.project import static_files
from wagtail_multihost.registry import Contents, Registry
from wagtail_multihost.registry.pins import unrecorded_cautions
from wagtail_multihost.registry.snapshot_changes import Change, State, differing, groups_of, stale
from wagtail_multihost.registry.snapshot_draft import drafts
from wagtail_multihost.registry.snapshot_writer import prepared, write
from wagtail_multihost.registry.uniqueness import shared_keys
from wagtail_multihost.resolver.secret_key import with_own_keys
from wagtail_multihost.running import registry_of
from wagtail_multihost.spec.permissions import ROOT
from wagtail_multihost.spec.platform import PRODUCTION

DIFFERS = 1
EPILOG = """
examples:
  manage.py multihost_snapshot --output /run/multihost/sites
  manage.py multihost_snapshot --output /run/multihost/sites --site aurora
  manage.py multihost_snapshot --output build/sites --signing-key /etc/multihost/signing.pem

exit codes: 0 done, or nothing differs; 1 --check found a difference; 2 it could not be done
"""


class Command(MultihostCommand):
    help = (
        "Write a snapshot of each enabled site: one file that has all its process needs, its secrets and derived keys "
        "included, and nothing of another site. A folder of snapshots is a registry. Files that are the same are not "
        "touched, and snapshots of sites that are gone or disabled are removed unless --site is given."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = EPILOG
        parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="the folder to write to")
        parser.add_argument(
            "--site", nargs="+", action="extend", default=[], metavar="ID", help="only these sites' snapshots"
        )
        parser.add_argument(
            "--signing-key",
            type=Path,
            metavar="FILE",
            help="sign each snapshot with this private Ed25519 key (PEM; needs the package cryptography)",
        )
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--dry-run", action="store_true", help="say what would be written, write nothing")
        mode.add_argument("--check", action="store_true", help="write nothing; exit 1 if anything differs")

    @collector_paused()
    def run(self, **options: Any) -> None:
        folder = Path(os.path.abspath(options["output"]))
        registry = registry_of(options["registry"])
        contents = read(registry, options["site"])
        self.warn(contents)
        self.caution(unrecorded_cautions(registry, contents), options["verbosity"])
        writes = not (options["dry_run"] or options["check"])
        with prepared(folder, is_production=is_rooted(contents)) if writes else nullcontext():
            changes = list(self.changes(folder, registry, contents, options))
            if options["check"]:
                changes = [change for change in changes if change.state is not State.RENEWED]
            if writes:
                write(changes)
        self.report(changes, "" if writes else "Would be", options["verbosity"])
        if options["check"] and changes:
            raise CommandError(f"{len(changes)} files differ.", returncode=DIFFERS)

    def changes(
        self, folder: Path, registry: Registry, contents: Contents, options: dict[str, Any]
    ) -> Iterator[Change]:
        key = None
        if options["signing_key"]:
            from wagtail_multihost.registry.signature import signing_key  # loads only for who signs

            key = signing_key(options["signing_key"])
        groups = groups_of(contents.platform, contents.sites)
        snapshots = list(drafts(folder, registry, contents, datetime.now(UTC)))
        yield from differing(progress(len(snapshots))(snapshots), groups, key)
        if not options["site"]:
            yield from stale(folder, (snapshot.path for snapshot in snapshots), contents.platform)

    def warn(self, contents: Contents) -> None:
        if contents.platform.environment == PRODUCTION and os.geteuid() != ROOT:
            self.stderr.write(
                "The platform's environment is production, where snapshots must belong to root, and these do not. "
                "Let root write them, or copy them as root."
            )

    def report(self, changes: list[Change], prefix: str, verbosity: int) -> None:
        if verbosity >= 1:
            for change in changes:
                words = f"{prefix} {change.state.value}".strip()
                self.stdout.write(f"{words[0].upper()}{words[1:]}: {change.path.name}")
        if verbosity >= 1 and not changes:
            self.stdout.write("Nothing differs.")


def is_rooted(contents: Contents) -> bool:
    """Return whether these snapshots are for processes that accept root's folders alone."""
    return contents.platform.environment == PRODUCTION and os.geteuid() == ROOT


def read(registry: Registry, only: list[str]) -> Contents:
    """Return the enabled sites with keys of their own, after a look at the whole registry."""
    contents = registry.chosen(chosen_ids(registry.load(protected=static_files()), only))
    sites = tuple(with_own_keys(contents.platform, site) for site in contents.sites)
    # Two files may hold one key, which is seen only now that keys are read.
    if problems := list(shared_keys(sites)):
        raise ConfigurationError(problems)
    return Contents(contents.platform, sites)
