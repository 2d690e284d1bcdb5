"""What the commands of the control app have in common."""

from __future__ import annotations

import os
import pwd
from abc import abstractmethod
from typing import Any, ClassVar

from django.core.management.base import CommandError
from django.db import Error, OperationalError, ProgrammingError

from wagtail_multihost.control.authority import Authority, operator_authority
from wagtail_multihost.exceptions import COULD_NOT
from wagtail_multihost.management.command import MultihostCommand

NO_DATABASE = "The control database cannot be reached, or refuses the login. Is it running, and is DATABASES right?"
REFUSED = "The control database refused it: {what}"
#: What PostgreSQL says of a table that is not there, also to a role that may not look into its schema.
NO_TABLE = "42P01"
NO_TABLES = (
    "{said}. Either it is not migrated, or DATABASES has another database, or a role without rights on the tables: run "
    "migrate as the owner, then the SQL of multihost_control_roles"
)


class ControlCommand(MultihostCommand):
    """A command that an operator runs in the control project, with its database."""

    reads_registry: ClassVar[bool] = False

    def run(self, **options: Any) -> None:
        try:
            self.work(**options)
        except OperationalError:
            raise CommandError(NO_DATABASE, returncode=COULD_NOT) from None
        except Error as error:
            said = REFUSED.format(what=str(error).partition("\n")[0])
            if isinstance(error, ProgrammingError) and getattr(error.__cause__, "sqlstate", "") == NO_TABLE:
                said = NO_TABLES.format(said=said)
            raise CommandError(said, returncode=COULD_NOT) from None

    @abstractmethod
    def work(self, **options: Any) -> None:
        """Do the command's work; errors of the database and of this package become the report."""


def own_authority() -> Authority:
    """Return the authority of who runs the command: an operator, under the name of their account."""
    try:
        name = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        name = str(os.geteuid())
    return operator_authority(name)
