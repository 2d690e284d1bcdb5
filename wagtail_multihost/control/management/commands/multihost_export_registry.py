"""Write the registry of the control database as a registry file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from django.core.management.base import CommandParser

from wagtail_multihost.control.command import ControlCommand
from wagtail_multihost.control.exporting import export_text
from wagtail_multihost.control.node_document import read_node_document, write_node_document
from wagtail_multihost.management.command import COULD_NOT_BE_DONE


class Command(ControlCommand):
    help = (
        "Write the registry of the control database as TOML, joined with the keys in the node's own file. Its revision "
        "is the database's. A file that is written anew can be read by its owner alone."
    )
    exit_codes: ClassVar = {"0": "done", "2": COULD_NOT_BE_DONE}
    examples = (
        "manage.py multihost_export_registry --node-file /etc/multihost/node.toml",
        "manage.py multihost_export_registry --node-file /etc/multihost/node.toml --output sites.toml",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--node-file", metavar="PATH", type=Path, help="the node's own file; without it, its keys are left out"
        )
        parser.add_argument("--output", metavar="FILE", type=Path, help="the file to write (default: stdout)")

    def work(self, **options: Any) -> None:
        node_file = options["node_file"]
        if node_file and not node_file.exists():
            self.caution([f"There is no file {node_file}."], options["verbosity"])
        text = export_text(read_node_document(node_file) if node_file else {})
        if options["output"]:
            write_node_document(options["output"], text)
        else:
            self.stdout.write(text, ending="")
