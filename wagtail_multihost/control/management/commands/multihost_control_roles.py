"""Print or run the SQL of the control database's roles."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.management.base import CommandError, CommandParser
from django.db import ProgrammingError, connections
from django.db.utils import DEFAULT_DB_ALIAS

from wagtail_multihost.control.command import ControlCommand
from wagtail_multihost.control.fleet_roles import NodeToEnrol, enrol_sql
from wagtail_multihost.control.roles import roles_sql
from wagtail_multihost.exceptions import COULD_NOT
from wagtail_multihost.management.command import COULD_NOT_BE_DONE

NOT_ALLOWED = (
    "The role that this project logs in as may not do this. Run it as a superuser: manage.py multihost_control_roles | "
    "sudo -u postgres psql -d {database}"
)


class Command(ControlCommand):
    help = (
        "Print the SQL that makes the roles of the control database: the owner, who migrates; the web process; the "
        "operator; the courier; nodes, which read and report; and nodes that join. Run it before the first migration, "
        "and after each. It has no password. With --node: the SQL of one node that stays, which has a role of its own."
    )
    exit_codes: ClassVar = {"0": "done", "2": COULD_NOT_BE_DONE}
    examples = (
        "manage.py multihost_control_roles",
        "manage.py multihost_control_roles | sudo -u postgres psql -d control",
        "manage.py multihost_control_roles --apply --database admin",
        "manage.py multihost_control_roles --node web1 --group web --key KEY | sudo -u postgres psql -d control",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--apply", action="store_true", help="run it; the login must be that of a superuser")
        parser.add_argument(
            "--database", metavar="ALIAS", default=DEFAULT_DB_ALIAS, help="with --apply: the alias in DATABASES to use"
        )
        parser.add_argument("--node", metavar="ID", help="the id of a node that stays, and does not join by a token")
        parser.add_argument("--group", metavar="ID", help="with --node: the group that it is in")
        parser.add_argument("--key", metavar="KEY", help="with --node: what multihost-agent --fingerprint prints")
        parser.add_argument(
            "--address", default="", metavar="HOST:PORT", help="with --node: where front servers ask it"
        )
        parser.add_argument("--zone", default="", metavar="ZONE", help="with --node: where it stands")

    def work(self, **options: Any) -> None:
        sql = choose_sql(options)
        if not options["apply"]:
            self.stdout.write(sql, ending="")
            return
        connection = connections[options["database"]]
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
        except ProgrammingError as error:
            if getattr(error.__cause__, "sqlstate", "") != "42501":
                raise
            said = NOT_ALLOWED.format(database=connection.settings_dict["NAME"])
            raise CommandError(said, returncode=COULD_NOT) from None
        finally:
            connection.close()  # a statement that failed leaves its transaction open
        self.stdout.write(f"The node {options['node']} has its role." if options["node"] else MADE)


MADE = "The roles are made, with the rights that this version needs."


def choose_sql(options: dict[str, Any]) -> str:
    """Return the SQL of all roles, or that of one node; raises CommandError, and ConfigurationError."""
    stated = [name for name in ("group", "key", "address", "zone") if options[name]]
    if not options["node"]:
        if stated:
            raise CommandError(f"--{stated[0]} is for --node.", returncode=COULD_NOT)
        return roles_sql()
    if not (options["group"] and options["key"]):
        raise CommandError("--node needs --group and --key.", returncode=COULD_NOT)
    return enrol_sql(
        NodeToEnrol(options["node"], options["group"], options["key"], options["address"], options["zone"])
    )
