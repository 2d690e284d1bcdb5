"""Write server configurations for the sites of the registry."""

from __future__ import annotations

from argparse import RawDescriptionHelpFormatter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from wagtail_multihost.emitters import Plan, emit, emitters
from wagtail_multihost.emitters.output import Change, State, compare, diff, stale, write
from wagtail_multihost.exceptions import EmitError
from wagtail_multihost.management.command import (
    MultihostCommand,
    chosen_ids,
    codebase,
    collector_paused,
    progress,
    registry_of,
    static_files,
)
from wagtail_multihost.spec.identifiers import shown

DEFAULT_FOLDER = Path("/etc/multihost")
DIFFERS = 1

EPILOG = """
examples:
  manage.py multihost_emit nginx                              print to stdout
  manage.py multihost_emit nginx uwsgi --output /etc/multihost
  manage.py multihost_emit nginx uwsgi --output /etc/multihost --check

exit codes: 0 done, or nothing differs; 1 --check found a difference; 2 it could not be done
"""


class Command(MultihostCommand):
    help = (
        "Write the configuration of nginx and uWSGI for the sites of the registry. Nothing is validated or reloaded, "
        "files that are the same are not touched, and files that this command did not write are never overwritten."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = EPILOG
        parser.add_argument(
            "targets", nargs="+", metavar="TARGET", choices=sorted(emitters()), help=" or ".join(emitters())
        )
        parser.add_argument("--output", type=Path, metavar="DIR", help="the folder to write to (default: stdout)")
        parser.add_argument(
            "--site",
            nargs="+",
            action="extend",
            default=[],
            metavar="ID",
            help="only these sites' own files; files that all sites share are always written",
        )
        parser.add_argument(
            "--node", default="", metavar="NAME", help="the platform's node that the files are for (default: the front)"
        )
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--dry-run", action="store_true", help="say what would be written, write nothing")
        mode.add_argument("--diff", action="store_true", help="show what would change as a diff, write nothing")
        mode.add_argument("--check", action="store_true", help="write nothing; exit 1 if anything differs")

    @collector_paused()
    def run(self, **options: Any) -> None:
        folder: Path | None = options["output"]
        if folder is None and (options["dry_run"] or options["diff"] or options["check"]):
            raise EmitError("--dry-run, --diff and --check compare with a folder; give --output DIR.")
        plan = plan_of(options["registry"], (folder or DEFAULT_FOLDER).absolute(), options["site"], options["node"])
        refuse_front(options["targets"], plan)
        if folder is None:
            self.print_files(options["targets"], plan)
            return
        changes = list(differing(options["targets"], plan, progress(len(plan.chosen))))
        refuse_foreign(changes, plan.directory)
        if options["diff"]:
            self.stdout.write("".join(diff(change) for change in changes), ending="")
        elif options["dry_run"] or options["check"]:
            self.report(changes, "Would be", options["verbosity"])
        else:
            write(plan.directory, *changes)
            self.report(changes, "", options["verbosity"])
        if options["check"] and changes:
            raise CommandError(f"{len(changes)} files differ.", returncode=DIFFERS)

    def print_files(self, targets: Iterable[str], plan: Plan) -> None:
        for target in dict.fromkeys(targets):
            for file in emit(target, plan):
                self.stdout.write(f"### {plan.directory / file.path}\n{file.text}")

    def report(self, changes: list[Change], prefix: str, verbosity: int) -> None:
        if verbosity >= 1:
            for change in changes:
                words = f"{prefix} {change.state.value}".strip()
                self.stdout.write(f"{words[0].upper()}{words[1:]}: {change.path}")
        if verbosity >= 1 and not changes:
            self.stdout.write("Nothing differs.")


def plan_of(registry_url: str | None, directory: Path, only: list[str], node: str = "") -> Plan:
    """Return what the emitters need; raises ConfigurationError, for unknown or disabled ``only`` sites too."""
    registry = registry_of(registry_url)
    if not registry.has_servers:
        raise EmitError(
            f"{registry.name} is a folder of snapshots, which have what sites need and not what their servers need. "
            "Name the registry itself."
        )
    contents = registry.load(protected=static_files())
    chosen_ids(contents, only)
    known = dict(contents.platform.nodes)
    if node and node not in known:
        accepted = f"accepted: {', '.join(known)}" if known else "the platform has none"
        raise EmitError(f"The node {shown(node)} is not known; {accepted}.")
    return Plan(
        platform=contents.platform,
        sites=tuple(site for site in contents.enabled if not node or not site.nodes or node in site.nodes),
        node=node,
        codebase=codebase(),
        registry=str(contents.platform.snapshots or registry.url),
        directory=directory,
        only=frozenset(only),
    )


def refuse_front(targets: Iterable[str], plan: Plan) -> None:
    """Raise EmitError for a target that runs sites, where the platform has nodes and none is named."""
    for target in targets:
        if emitters()[target].runs_sites and plan.platform.nodes and not plan.node:
            names = ", ".join(name for name, _ in plan.platform.nodes)
            raise EmitError(f"The target {target} is for a node; give --node and one of {names}.")


def differing(targets: Iterable[str], plan: Plan, watched: Any) -> Iterator[Change]:
    """Yield every change to be made. Files of ours that are not emitted any more go, unless sites are chosen."""
    for target in dict.fromkeys(targets):
        seen = []
        for change in compare(plan.directory, watched(emit(target, plan))):
            seen.append(change.path)
            if change.state is not State.SAME:
                yield change
        if not plan.only:
            yield from stale(plan.directory, emitters()[target].folders, seen)


def refuse_foreign(changes: Iterable[Change], directory: Path) -> None:
    foreign = [str(directory / change.path) for change in changes if change.state is State.FOREIGN]
    if foreign:
        raise EmitError(
            f"These files were not written by multihost_emit, so nothing was written: {', '.join(foreign)}."
        )
