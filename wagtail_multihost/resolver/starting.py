"""What a process was started for."""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

#: Commands that serve, or that check whether a site may be served; other commands run whatever the process can read.
SERVING = ("check", "runserver", "testserver")
PROGRAMS = ("manage.py", "django-admin", "django/__main__.py")
#: Commands that get a throw-away site where none is named.
TEST_COMMANDS = frozenset({"test", "makemigrations", "testserver", "pytest"})
#: They write files and empty caches, so they never run on a real site, even where one is named.
TEST_RUNS = ("test", "pytest")


class Start(NamedTuple):
    """The name of a management command (or ``pytest``), blank for a server, and whether visitors are served."""

    command: str = ""
    serves: bool = True


def start_of(command: str) -> Start:
    """Return what a process that runs ``command`` was started for."""
    return Start(command, command in ("", *SERVING))


def start_of_process() -> Start:
    """
    Return what this process was started for, by its command line, and by the variable and the module that show a
    pytest run (https://docs.pytest.org/en/stable/reference/reference.html#envvar-PYTEST_VERSION).
    """
    program, word = [*sys.argv, "", ""][:2]
    command = word if word.isidentifier() else ""
    if "PYTEST_VERSION" in os.environ and "pytest" in sys.modules:
        command = "pytest"
    return Start(command, command in SERVING or not program.endswith(PROGRAMS))
