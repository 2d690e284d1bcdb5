"""Propose where sites should be, and let plans be carried out."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from wagtail_multihost.control.command import ControlCommand, own_authority
from wagtail_multihost.control.models import Plan
from wagtail_multihost.control.placing.adopting import adopt_records
from wagtail_multihost.control.placing.plans import AT_ONCE, apply_plan, cancel_plan, get_plan, make_plan
from wagtail_multihost.control.placing.printing import plan_line, plan_row, plan_summary, plan_text
from wagtail_multihost.control.placing.proposals import MOST_MOVES
from wagtail_multihost.exceptions import COULD_NOT
from wagtail_multihost.management.command import COULD_NOT_BE_DONE
from wagtail_multihost.nodeapi.node_states import PLAN_DRAIN, PLAN_KINDS

LIST, SHOW, APPLY, CANCEL, ADOPT = "list", "show", "apply", "cancel", "adopt"
#: What each needs after it.
SUBJECTS = {
    PLAN_DRAIN: "the id of a node",
    SHOW: "the id of a plan",
    APPLY: "the id of a plan",
    CANCEL: "the id of a plan",
    ADOPT: "the id of a group",
}
MOST_PLANS = 100


class Command(ControlCommand):
    help = (
        "Propose which sites should be on which nodes of their group. fill gives each site the replicas that it wants, "
        "rebalance moves sites to the nodes that are best for them, and drain empties a node. Each makes a plan, which "
        "moves nothing before it is applied; the operator process carries it out. list, show, apply and cancel are "
        "about plans. adopt makes nodes and placements of what the imported records state under nodes."
    )
    exit_codes: ClassVar = {"0": "done, or there was nothing to move", "2": COULD_NOT_BE_DONE}
    examples = (
        "manage.py multihost_place fill --limit 20",
        "manage.py multihost_place drain web1 --apply",
        "manage.py multihost_place rebalance --limit 20 --json",
        "manage.py multihost_place show 3c4f5a5e-8a4e-4bb4-9a1c-1f0a2b3c4d5e",
        "manage.py multihost_place adopt web",
    )
    json_help = "print the plan, or the plans, as JSON"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        actions = (*PLAN_KINDS, LIST, SHOW, APPLY, CANCEL, ADOPT)
        parser.add_argument("action", metavar="ACTION", choices=actions, help=f"what to do: {', '.join(actions)}")
        parser.add_argument(
            "subject",
            metavar="ID",
            nargs="?",
            default="",
            help="a node to drain, a plan to show, apply or cancel, a group to adopt",
        )
        parser.add_argument("--apply", action="store_true", help="let the new plan be carried out at once")
        parser.add_argument(
            "--limit",
            metavar="COUNT",
            type=int,
            help=f"so many moves at most (default: {MOST_MOVES} with rebalance, otherwise all)",
        )
        parser.add_argument(
            "--most-at-once",
            metavar="COUNT",
            type=int,
            default=AT_ONCE,
            help=f"so many moves may be under way at a time (default: {AT_ONCE})",
        )
        parser.add_argument("--reason", metavar="TEXT", default="", help="why; it is kept with the plan")

    def work(self, **options: Any) -> None:
        action, subject = options["action"], options["subject"]
        if bool(subject) != (action in SUBJECTS):
            said = f"{action} needs {SUBJECTS[action]} after it." if action in SUBJECTS else f"{action} takes no id."
            raise CommandError(said, returncode=COULD_NOT)
        if action == LIST:
            plans = Plan.objects.all()[:MOST_PLANS]
            if options["json"]:
                self.print_json([plan_summary(plan) for plan in plans])
            else:
                self.stdout.write("\n".join(map(plan_line, plans)) or "There is no plan.")
        elif action == ADOPT:
            adopted = adopt_records(own_authority(), subject)
            if options["json"]:
                self.print_json(adopted._asdict())
            else:
                self.stdout.write(
                    f"{adopted.nodes} nodes and {adopted.placements} placements were made in the group {adopted.group}."
                )
        else:
            self.report(self.plan(action, subject, options), options)

    def plan(self, action: str, subject: str, options: dict[str, Any]) -> Plan:
        authority = own_authority()
        if action in PLAN_KINDS:
            bounds = {"limit": options["limit"], "most_at_once": options["most_at_once"]}
            plan = make_plan(authority, action, subject, reason=options["reason"], **bounds)
            return apply_plan(authority, plan.pk) if options["apply"] else plan
        try:
            identifier = UUID(subject)
        except ValueError:
            raise CommandError(f"{subject} is not the id of a plan.", returncode=COULD_NOT) from None
        if action == SHOW:
            return get_plan(identifier)
        return (apply_plan if action == APPLY else cancel_plan)(authority, identifier)

    def report(self, plan: Plan, options: dict[str, Any]) -> None:
        if options["json"]:
            self.print_json(plan_row(plan))
        else:
            self.stdout.write(plan_text(plan))
