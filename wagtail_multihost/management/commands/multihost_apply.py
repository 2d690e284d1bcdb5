"""Put server configurations into use: validate, write, reload and verify them, or leave everything as it was."""

from __future__ import annotations

import shlex
from argparse import ArgumentTypeError
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

from django.core.management.base import CommandError, CommandParser

from wagtail_multihost.emitters.apply import ApplyResult, apply
from wagtail_multihost.emitters.apply.writing import find_changes
from wagtail_multihost.emitters.output import diff
from wagtail_multihost.exceptions import ApplyError
from wagtail_multihost.management.collector import collector_paused
from wagtail_multihost.management.command import MultihostCommand
from wagtail_multihost.management.emitting import add_choice, add_targets, apply_request, change_lines, sort_changes
from wagtail_multihost.spec.identifiers import shown

REFUSED = 1


class Command(MultihostCommand):
    help = (
        "Write the configuration of the targets in one transaction. First each target's own parser checks a scratch "
        "copy. Then the files are replaced, your hook reloads the servers, and they are asked whether they use the new "
        "configuration. If that fails, the old files are restored and reloaded. The files contain no secrets, so a "
        "diff shows none."
    )
    exit_codes: ClassVar = {
        "0": "applied, or nothing to do",
        "1": "refused or rolled back; the servers keep the old configuration",
        "2": "could not be tried: usage, registry, a missing program, the lock",
    }
    examples = (
        "manage.py multihost_apply nginx --output /etc/multihost \\",
        '    --reload "nginx -s reload" --verify http://127.0.0.1/-/generation',
        "manage.py multihost_apply uwsgi --output /etc/multihost --site aurora",
        "manage.py multihost_apply nginx uwsgi --output /etc/multihost --diff",
    )
    json_help = "print what was done, or would be, as JSON"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_targets(parser, "+")
        parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="the folder to write to")
        add_choice(parser)
        parser.add_argument(
            "--reload",
            type=parse_command,
            default=(),
            metavar="CMD",
            help="the hook that reloads the servers: a program and its arguments, run without a shell",
        )
        parser.add_argument(
            "--reload-timeout",
            type=parse_seconds,
            default=60,
            metavar="SECONDS",
            help="kill the hook after this time (default: 60)",
        )
        parser.add_argument(
            "--verify",
            default="",
            metavar="URL",
            help=(
                "after the reload, request http://HOST/PATH, https://HOST/PATH or unix:/SOCKET:/PATH until the answer "
                "has the new generation or, for a target that shows none, a status of 2xx or 3xx (default: only the "
                "hook's exit code counts, and nginx's is 0 even when it keeps its old configuration)"
            ),
        )
        parser.add_argument(
            "--verify-timeout",
            type=parse_seconds,
            default=10,
            metavar="SECONDS",
            help="roll back after this time (default: 10)",
        )
        parser.add_argument(
            "--lock-timeout",
            type=parse_seconds,
            default=600,
            metavar="SECONDS",
            help="wait this long for other runs (default: 600)",
        )
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--dry-run", action="store_true", help="list the files that would change, and change nothing")
        mode.add_argument("--diff", action="store_true", help="show changes as a diff, and change nothing")

    @collector_paused()
    def run(self, **options: Any) -> None:
        times = {name: options[name] for name in ("reload_timeout", "verify_timeout", "lock_timeout")}
        hook = {"reload": options["reload"], "verify": options["verify"]}
        request = apply_request(options, options["output"].absolute(), self.caution, **hook, **times)
        try:
            if options["dry_run"] or options["diff"]:
                self.show(find_changes(request).changes, **options)
            else:
                self.report(apply(request), **options)
        except ApplyError as error:
            raise CommandError(str(error), returncode=REFUSED) from None

    def show(self, changes: list[Any], **options: Any) -> None:
        if options["json"]:
            self.print_json(sort_changes(changes))
        elif options["diff"]:
            self.stdout.write("".join(diff(change) for change in changes), ending="")
        elif options["verbosity"] >= 1:
            self.stdout.write("\n".join(change_lines(changes, "Would be")) or "Nothing differs.")

    def report(self, result: ApplyResult, **options: Any) -> None:
        if options["json"]:
            self.print_json(asdict(result))
        elif options["verbosity"] >= 1:
            self.stdout.write("\n".join(describe_result(result)))


def describe_result(result: ApplyResult) -> list[str]:
    """Return what was done, a line for each file and one for the servers."""
    files = [*(f"Changed: {path}" for path in result.changed), *(f"Removed: {path}" for path in result.removed)]
    done = [
        *(["reloaded"] if result.reloaded else []),
        *([f"verified generation {result.generation}".rstrip()] if result.verified else []),
        *(["together with another run"] if result.together else []),
    ]
    if not files and not done:
        return ["Nothing differs."]
    return [*files, f"{', '.join(['Applied', *done])} in {result.seconds:g} s."]


def parse_seconds(text: str) -> float:
    with suppress(ValueError):
        value = float(text)
        if 0 < value < 86_400:
            return value
    raise ArgumentTypeError(f"{shown(text)} is not accepted: give more than 0 and less than 86400 seconds.")


def parse_command(text: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise ArgumentTypeError(f"It is not a command line: {error}.") from None
    if not words:
        raise ArgumentTypeError("It is blank: give a program and its arguments.")
    return words
