"""Write one file per site, with everything that its process needs and nothing of other sites."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar

from django.core.management.base import CommandError, CommandParser

from wagtail_multihost.management.collector import collector_paused
from wagtail_multihost.management.command import COULD_NOT_BE_DONE, MultihostCommand
from wagtail_multihost.management.progress import choose_watch
from wagtail_multihost.project import static_files
from wagtail_multihost.publishing.pins import unrecorded_cautions
from wagtail_multihost.publishing.snapshot_changes import SnapshotAction, SnapshotChange
from wagtail_multihost.publishing.snapshots import publish, to_publish
from wagtail_multihost.registry import Contents
from wagtail_multihost.registry.release import read_release
from wagtail_multihost.running import registry_of
from wagtail_multihost.spec.permissions import ROOT
from wagtail_multihost.spec.platform import PRODUCTION

DIFFERS = 1


class Command(MultihostCommand):
    help = (
        "Write a snapshot of each enabled site: one file with everything that its process needs, including its secrets "
        "and derived keys, and nothing of other sites. A folder of snapshots is a registry. Unchanged files are not "
        "touched, and snapshots of removed or disabled sites are deleted unless --site is given."
    )
    exit_codes: ClassVar = {
        "0": "done, or nothing differs",
        "1": "--check found a difference",
        "2": COULD_NOT_BE_DONE,
    }
    examples = (
        "manage.py multihost_snapshot --output /run/multihost/sites",
        "manage.py multihost_snapshot --output /run/multihost/sites --site aurora",
        "manage.py multihost_snapshot --output build/sites --signing-key signing.pem",
    )
    json_help = "print the files that changed, or would, as JSON"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="the folder to write to")
        parser.add_argument(
            "--site", nargs="+", action="extend", default=[], metavar="ID", help="write only these sites' snapshots"
        )
        parser.add_argument(
            "--signing-key",
            type=Path,
            metavar="FILE",
            help="sign each snapshot with this private Ed25519 key (PEM; needs the package cryptography)",
        )
        parser.add_argument(
            "--codebase",
            nargs="+",
            action="extend",
            type=Path,
            default=[],
            metavar="FILE",
            help="what multihost_codebase wrote for other releases: snapshots of sites that run in their virtual "
            "environments are written in a format that they can read",
        )
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--dry-run", action="store_true", help="list the files that would change, and write nothing")
        mode.add_argument("--check", action="store_true", help="write nothing; exit with 1 if anything differs")

    @collector_paused()
    def run(self, **options: Any) -> None:
        registry = registry_of(options["registry"]).for_rendering(self.tell)
        watch = choose_watch(options)
        contents = to_publish(registry, options["site"], static_files(), watch)
        self.warn(contents)
        self.caution(unrecorded_cautions(registry, contents), options["verbosity"])
        writes = not (options["dry_run"] or options["check"])
        changes = publish(
            registry,
            contents,
            Path(os.path.abspath(options["output"])),
            key=load_signing_key(options["signing_key"]),
            removes=not options["site"],
            writes=writes,
            releases=[read_release(path) for path in options["codebase"]],
            watch=watch,
        )
        if options["check"]:
            changes = [change for change in changes if change.state is not SnapshotAction.RENEWED]
        if options["json"]:
            rows = [{"file": change.path.name, "state": change.state.value} for change in changes]
            self.print_json(rows)
        else:
            self.report(changes, "" if writes else "Would be", options["verbosity"])
        if options["check"] and changes:
            raise CommandError(f"{len(changes)} files differ.", returncode=DIFFERS)

    def warn(self, contents: Contents) -> None:
        if contents.platform.environment == PRODUCTION and os.geteuid() != ROOT:
            self.stderr.write(
                "The platform's environment is production, where snapshots must belong to root, and these do not. "
                "Run this command as root, or copy the files as root."
            )

    def report(self, changes: list[SnapshotChange], prefix: str, verbosity: int) -> None:
        if verbosity >= 1:
            for change in changes:
                words = f"{prefix} {change.state.value}".strip()
                self.stdout.write(f"{words[0].upper()}{words[1:]}: {change.path.name}")
        if verbosity >= 1 and not changes:
            self.stdout.write("Nothing differs.")


def load_signing_key(path: Path | None) -> Any:
    if path is None:
        return None
    from wagtail_multihost.publishing.signing import read_signing_key  # loaded only to sign

    return read_signing_key(path)
