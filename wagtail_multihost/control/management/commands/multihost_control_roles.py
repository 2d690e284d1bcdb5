"""Print or run the SQL of the control database's roles."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.management.base import CommandError, CommandParser
from django.db import ProgrammingError, connections
from django.db.utils import DEFAULT_DB_ALIAS

from wagtail_multihost.control.command import ControlCommand
from wagtail_multihost.control.roles import roles_sql
from wagtail_multihost.exceptions import COULD_NOT
from wagtail_multihost.management.command import COULD_NOT_BE_DONE

NOT_ALLOWED = (
    "The role that this project logs in as may not do this. Run it as a superuser: manage.py multihost_control_roles | "
    "sudo -u postgres psql -d {database}"
)


class Command(ControlCommand):
    help = (
        "Print the SQL that makes the roles of the control database: the owner, who migrates; the web process; nodes, "
        "which only read; the courier. Run it after each migration. It has no password."
    )
    exit_codes: ClassVar = {"0": "done", "2": COULD_NOT_BE_DONE}
    examples = (
        "manage.py multihost_control_roles",
        "manage.py multihost_control_roles | sudo -u postgres psql -d control",
        "manage.py multihost_control_roles --apply --database admin",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--apply", action="store_true", help="run it; the login must be that of a superuser")
        parser.add_argument(
            "--database", metavar="ALIAS", default=DEFAULT_DB_ALIAS, help="with --apply: the alias in DATABASES to use"
        )

    def work(self, **options: Any) -> None:
        if not options["apply"]:
            self.stdout.write(roles_sql(), ending="")
            return
        connection = connections[options["database"]]
        try:
            with connection.cursor() as cursor:
                cursor.execute(roles_sql())
        except ProgrammingError as error:
            if getattr(error.__cause__, "sqlstate", "") != "42501":
                raise
            said = NOT_ALLOWED.format(database=connection.settings_dict["NAME"])
            raise CommandError(said, returncode=COULD_NOT) from None
        finally:
            connection.close()  # a statement that failed leaves its transaction open
        self.stdout.write("The roles are made, with the rights that this version needs.")
