"""Show how far a wave is, and say how it goes on."""

from __future__ import annotations

import argparse
from typing import Any, ClassVar
from uuid import UUID

from django.core.management.base import CommandParser

from wagtail_multihost.control.command import ControlCommand, own_authority
from wagtail_multihost.control.printing import outcome_row, outcome_text
from wagtail_multihost.control.waves import (
    WaveRow,
    abandon_wave,
    finish_wave,
    recent_waves,
    resume_wave,
    running_waves,
)
from wagtail_multihost.management.command import COULD_NOT_BE_DONE
from wagtail_multihost.nodeapi.node_states import DONE
from wagtail_multihost.spec.printing import one_line

LIST, RESUME, FINISH, ABANDON = "list", "resume", "finish", "abandon"
NONE = "No wave runs, and none has stopped."
#: So many sites of a wave are named.
NAMED = 5


class Command(ControlCommand):
    help = (
        "A change of the platform, or of many sites, goes to the nodes in a wave: to one node, to a tenth of them, to "
        "the rest. Show the wave that runs, or let one that has stopped go on, give its change to all nodes at once, "
        "or put the former records back."
    )
    exit_codes: ClassVar = {"0": "done", "2": f"{COULD_NOT_BE_DONE}; nothing was changed"}
    examples = (
        "manage.py multihost_wave",
        "manage.py multihost_wave list --all",
        "manage.py multihost_wave resume",
        'manage.py multihost_wave abandon --reason "web1 does not start"',
    )
    json_help = "print the waves, or what was changed, as JSON"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "action",
            metavar="ACTION",
            nargs="?",
            choices=(LIST, RESUME, FINISH, ABANDON),
            default=LIST,
            help=f"what to do: {LIST} (default), {RESUME}, {FINISH} or {ABANDON}",
        )
        parser.add_argument(
            "--wave", metavar="ID", type=wave_id, help="do it only if this is the wave that runs, or has stopped"
        )
        parser.add_argument("--reason", metavar="TEXT", default="", help=f"with {ABANDON}: why, for the audit log")
        parser.add_argument("--all", action="store_true", help=f"with {LIST}: show the last waves, also those done")

    def work(self, **options: Any) -> None:
        action, wave = options["action"], options["wave"]
        if action == LIST:
            self.show(recent_waves() if options["all"] else running_waves(), options)
        elif action == ABANDON:
            outcome = abandon_wave(own_authority(), wave, options["reason"])
            if options["json"]:
                self.print_json(outcome_row(outcome))
            else:
                self.stdout.write(outcome_text(outcome))
        else:
            revision = (resume_wave if action == RESUME else finish_wave)(own_authority(), wave)
            if options["json"]:
                self.print_json({"revision": revision})
            else:
                self.stdout.write(f"Done. The revision is {revision}.")

    def show(self, waves: list[WaveRow], options: dict[str, Any]) -> None:
        if options["json"]:
            self.print_json({"waves": [row_of(wave) for wave in waves]})
            return
        for wave in waves:
            self.stdout.write(line_of(wave))
        if not waves:
            self.stdout.write(NONE)


def wave_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise argparse.ArgumentTypeError("It must be the id of a wave, as multihost_wave shows it.") from None


def line_of(wave: WaveRow) -> str:
    what = ["the platform"] if wave.of_platform else []
    more = f" and {len(wave.sites) - NAMED} more" if len(wave.sites) > NAMED else ""
    what += [", ".join(wave.sites[:NAMED]) + more] if wave.sites else []
    reason = f" ({one_line(wave.reason)})" if wave.reason else ""
    nodes = ", ".join(wave.admitted) or "no node yet"
    holds = "held back" if wave.state == DONE else "holds back"
    return (
        f"{wave.id}  {wave.state}{reason}, stage {wave.stage + 1} of 3: {wave.stage_in_words}; revision "
        f"{wave.revision} by {wave.actor}; {holds}: {' and '.join(what) or 'nothing'}; has reached: {nodes}"
    )


def row_of(wave: WaveRow) -> dict[str, object]:
    return {
        "id": str(wave.id),
        "revision": wave.revision,
        "actor": wave.actor,
        "changed_at": wave.changed_at.isoformat() if wave.changed_at else None,
        "state": wave.state,
        "stage": wave.stage,
        "stage_at": wave.stage_at.isoformat(),
        "bake_seconds": wave.bake_seconds,
        "reason": wave.reason,
        "platform": wave.of_platform,
        "sites": list(wave.sites),
        "admitted": list(wave.admitted),
    }
