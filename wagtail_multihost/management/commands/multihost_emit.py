"""Write server configurations for the sites of the registry."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from django.core.management.base import CommandError, CommandParser

from wagtail_multihost.emitters import Emitter, Plan
from wagtail_multihost.emitters.apply.writing import find_changes, write_changes
from wagtail_multihost.emitters.output import diff
from wagtail_multihost.exceptions import EmitError
from wagtail_multihost.management.collector import collector_paused
from wagtail_multihost.management.command import COULD_NOT_BE_DONE, MultihostCommand
from wagtail_multihost.management.emitting import (
    add_choice,
    add_targets,
    apply_request,
    change_lines,
    list_targets,
    sort_changes,
    target_lines,
)

DEFAULT_FOLDER = Path("/etc/multihost")
DIFFERS = 1


class Command(MultihostCommand):
    help = (
        "Write the servers' configuration for the sites of the registry. Nothing is validated or reloaded; "
        "multihost_apply does that. Unchanged files are not touched. Files that these commands did not write, or that "
        "were edited since, are replaced only with --force."
    )
    exit_codes: ClassVar = {
        "0": "done, or nothing differs",
        "1": "--check found a difference",
        "2": COULD_NOT_BE_DONE,
    }
    examples = (
        "manage.py multihost_emit --list",
        "manage.py multihost_emit nginx                   print to stdout",
        "manage.py multihost_emit nginx uwsgi --output /etc/multihost",
        "manage.py multihost_emit nginx uwsgi --output /etc/multihost --check",
    )
    json_help = "print targets, files or changes as JSON"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_targets(parser, "*")
        parser.add_argument("--output", type=Path, metavar="DIR", help="the folder to write to (default: stdout)")
        add_choice(parser)
        parser.add_argument("--list", action="store_true", help="list the available targets, and write nothing")
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--dry-run", action="store_true", help="list the files that would change, and write nothing")
        mode.add_argument("--diff", action="store_true", help="show what would change as a diff, and write nothing")
        mode.add_argument("--check", action="store_true", help="write nothing; exit with 1 if anything differs")

    @collector_paused()
    def run(self, **options: Any) -> None:
        refuse_unclear(options)
        if options["list"]:
            self.print_targets(as_json=options["json"])
            return
        request = apply_request(options, (options["output"] or DEFAULT_FOLDER).absolute(), self.caution)
        looks = options["dry_run"] or options["diff"] or options["check"]
        if options["output"] is None:
            self.print_files(request.emitters, request.load(), as_json=options["json"])
            return
        changes = (find_changes(request) if looks else write_changes(request)).changes
        if options["json"]:
            self.print_json(sort_changes(changes))
        elif options["diff"]:
            self.stdout.write("".join(diff(change) for change in changes), ending="")
        elif options["verbosity"] >= 1:
            report = "\n".join(change_lines(changes, "Would be" if looks else "")) or "Nothing differs."
            self.stdout.write(report)
        if options["check"] and changes:
            raise CommandError(f"{len(changes)} files differ.", returncode=DIFFERS)

    def print_targets(self, *, as_json: bool) -> None:
        found = list_targets()
        self.print_json(found) if as_json else self.stdout.write(target_lines(found))

    def print_files(self, emitters: Iterable[Emitter], plan: Plan, *, as_json: bool) -> None:
        files = (file for emitter in emitters for file in emitter.emit(plan))
        if as_json:
            rows = [{"path": str(plan.directory / file.path), "site": file.site, "text": file.text} for file in files]
            self.print_json(rows)
            return
        for file in files:
            self.stdout.write(f"### {plan.directory / file.path}\n{file.text}")


def refuse_unclear(options: dict[str, Any]) -> None:
    """Raise EmitError for options that do not go together."""
    if bool(options["targets"]) == options["list"]:
        raise EmitError("Name at least one target, or give --list without a target.")
    if options["output"] is None and (options["dry_run"] or options["diff"] or options["check"]):
        raise EmitError("--dry-run, --diff and --check compare with a folder: give --output DIR.")
