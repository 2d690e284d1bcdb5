"""List the nodes of a managed fleet."""

from __future__ import annotations

from typing import Any, ClassVar

from wagtail_multihost.control.command import ControlCommand
from wagtail_multihost.control.placing.printing import node_row, nodes_text, read_nodes
from wagtail_multihost.management.command import COULD_NOT_BE_DONE


class Command(ControlCommand):
    help = (
        "List the nodes of the fleet: their groups, states, sites and weights, and for each when it was seen last and "
        "which revision it had applied then."
    )
    exit_codes: ClassVar = {"0": "done", "2": COULD_NOT_BE_DONE}
    examples = ("manage.py multihost_nodes", "manage.py multihost_nodes --json")
    json_help = "print the nodes as JSON"

    def work(self, **options: Any) -> None:
        nodes = read_nodes()
        if options["json"]:
            self.print_json([node_row(node) for node in nodes])
        else:
            self.stdout.write(nodes_text(nodes))
