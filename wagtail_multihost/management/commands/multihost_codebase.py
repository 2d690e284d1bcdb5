"""Write what server configurations need to know about the project, once per release."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar

from django.core.management.base import CommandParser

from wagtail_multihost.exceptions import EmitError
from wagtail_multihost.files.writing import NewFile, write_files
from wagtail_multihost.management.command import COULD_NOT_BE_DONE, MultihostCommand
from wagtail_multihost.project import own_codebase
from wagtail_multihost.registry.release import own_release, release_text

MODE = 0o644


class Command(MultihostCommand):
    help = (
        "Write what server configurations and snapshots need to know about the project as JSON: its folder, virtual "
        "environment, settings module and WSGI callable, where static files, uploads and the health endpoint are, and "
        "the installed version. With that file they can be written where the project is not loaded. No registry is "
        "read, and the file has no secrets."
    )
    exit_codes: ClassVar = {"0": "done", "2": COULD_NOT_BE_DONE}
    examples = (
        "manage.py multihost_codebase",
        "manage.py multihost_codebase --output /srv/releases/42/codebase.json",
        "manage.py multihost_emit nginx --output /etc/multihost \\",
        "    --codebase /srv/releases/42/codebase.json",
    )
    json_help = "print JSON, as without this option"
    reads_registry = False

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--output", type=Path, metavar="FILE", help="the file to write (default: stdout)")

    def run(self, **options: Any) -> None:
        text = release_text(own_release(own_codebase()))
        if options["output"] is None:
            self.stdout.write(text, ending="")
            return
        try:
            write_files([NewFile(os.path.abspath(options["output"]), text.encode(), MODE)])
        except OSError as error:
            raise EmitError(f"Cannot write {error.filename}: {error.strerror}.") from None
