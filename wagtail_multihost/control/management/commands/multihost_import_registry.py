"""Take a registry file over into the control database."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar

from django.core.management.base import CommandParser
from django.db import connection

from wagtail_multihost.control.command import ControlCommand, own_authority
from wagtail_multihost.control.importing import Imported, Wishes, import_file, named_ids, read_file
from wagtail_multihost.control.observed import observe
from wagtail_multihost.control.placing.adopting import adoption_hints
from wagtail_multihost.control.printing import outcome_row, outcome_text
from wagtail_multihost.management.command import COULD_NOT_BE_DONE
from wagtail_multihost.management.progress import choose_watch
from wagtail_multihost.registry.node_file import VARIABLE
from wagtail_multihost.registry.toml import TomlRegistry

NODE_FILE = "node.toml"


class Command(ControlCommand):
    help = (
        "Make the registry in the control database what a registry file says, in one transaction: all of it, or "
        "nothing. Keys that only the nodes may decide, and references to secrets, go into the node's own file. A "
        "secret in the clear is refused. Sites that only the database has stay, unless they are to be retired."
    )
    exit_codes: ClassVar = {"0": "done, or there was nothing to do", "2": f"{COULD_NOT_BE_DONE}; nothing was changed"}
    examples = (
        "manage.py multihost_import_registry /srv/project/sites.toml --dry-run",
        "manage.py multihost_import_registry /srv/project/sites.toml --node-file /etc/multihost/node.toml",
        "manage.py multihost_import_registry /srv/project/sites.toml --retire-missing 2",
    )
    json_help = "print what was or would be changed as JSON"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", metavar="FILE", type=Path, help="the registry file, such as sites.toml")
        parser.add_argument(
            "--node-file",
            metavar="PATH",
            type=Path,
            help=f"the node's own file (default: {VARIABLE}, or {NODE_FILE} beside the registry file)",
        )
        parser.add_argument("--dry-run", action="store_true", help="show what would change, and change nothing")
        parser.add_argument(
            "--retire-missing",
            metavar="COUNT",
            type=int,
            help="retire the sites that only the database has; COUNT, their number, confirms it",
        )
        parser.add_argument(
            "--confirm",
            metavar="COUNT",
            type=int,
            help="confirm that so many sites stop at once",
        )
        parser.add_argument(
            "--at-once", action="store_true", help="give the change to all nodes at once, and not in a wave"
        )

    def work(self, **options: Any) -> None:
        connection.ensure_connection()  # what asks sites' databases takes PGSERVICE and the like out of the environment
        watch = choose_watch(options)
        file = read_file(TomlRegistry(options["file"], os.environ), watch)
        observed = observe(file.contents, watch)
        self.caution(observed.cautions, options["verbosity"])
        stated = os.environ.get(VARIABLE)
        node_file = options["node_file"] or (Path(stated) if stated else file.path.with_name(NODE_FILE))
        wishes = Wishes(options["retire_missing"], options["confirm"], options["dry_run"], options["at_once"])
        done = import_file(own_authority(), file, node_file, wishes, observed, watch)
        self.caution(adoption_hints(file.platform), options["verbosity"])
        self.report(done, node_file, options)

    def report(self, done: Imported, node_file: Path, options: dict[str, Any]) -> None:
        if done.kept:
            sentence = (
                f"The database has {len(done.kept)} sites that the file does not have, and they stay: "
                f"{named_ids(done.kept)}. To retire them: --retire-missing {len(done.kept)}"
            )
            self.caution([sentence], options["verbosity"])
        if options["json"]:
            self.print_json({**outcome_row(done.outcome), "kept": list(done.kept)})
            return
        self.stdout.write(outcome_text(done.outcome))
        if done.changed:
            self.stdout.write(f"Written: {node_file}")
