"""Let a control database that was restored from a backup go on."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.management.base import CommandParser

from wagtail_multihost.control.command import ControlCommand, own_authority
from wagtail_multihost.control.registration import raise_head
from wagtail_multihost.management.command import COULD_NOT_BE_DONE


class Command(ControlCommand):
    help = (
        "After a restore from a backup: give the control database a new incarnation, and a revision above all that "
        "nodes have seen. Until then they keep what they have, because a registry that went back may be an old copy. "
        "Afterwards they read everything again."
    )
    exit_codes: ClassVar = {"0": "done", "2": COULD_NOT_BE_DONE}
    examples = ("manage.py multihost_control_advance --above 4127",)

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--above",
            metavar="REVISION",
            type=int,
            required=True,
            help="the highest revision that any node, snapshot or site has seen",
        )

    def work(self, **options: Any) -> None:
        revision = raise_head(own_authority(), options["above"] + 1, renew=True)
        self.stdout.write(f"The registry has a new incarnation, and the revision {revision}.")
