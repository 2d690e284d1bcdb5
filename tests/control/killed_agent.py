"""
An agent of which each step can be its last, or that of its PostgreSQL:
``python -P killed_agent.py FOLDER STEP VICTIM --once``.

A step is a change of something below FOLDER, the start of a program, and the moments before and after each statement.
The process VICTIM, or this one where that is 0, is killed before the step with the number STEP; with 0 none is. The
last line on stderr says how many steps there were.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from wagtail_multihost.node import database
from wagtail_multihost.node.command import run

#: Of https://docs.python.org/3/library/audit_events.html.
CHANGES = frozenset(
    f"os.{name}" for name in ("chmod", "chown", "link", "mkdir", "remove", "rename", "rmdir", "symlink", "utime")
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Steps:
    """Counts the steps, and kills at the one with a ``number``."""

    def __init__(self, folder: str, number: int, victim: int) -> None:
        self.folder, self.number, self.victim = folder, number, victim
        self.count = 0

    def step(self) -> None:
        self.count += 1
        if self.count == self.number:
            os.kill(self.victim or os.getpid(), signal.SIGKILL)

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        is_change = event in CHANGES or (event == "open" and arguments[2] & WRITING)
        if event == "subprocess.Popen" or (is_change and self.is_below(arguments)):
            self.step()

    def is_below(self, arguments: tuple[Any, ...]) -> bool:
        return any(str(one).startswith(self.folder) for one in arguments)

    def surround(self, function: Any) -> Any:
        """Return a function with a step before and one after it."""

        def surrounded(*arguments: Any) -> Any:
            self.step()
            found = function(*arguments)
            self.step()
            return found

        return surrounded


def main() -> int:
    folder, number, victim, *words = sys.argv[1:]
    steps = Steps(folder, int(number), int(victim))
    for name in ("connect", "fetch_row", "fetch_rows"):
        setattr(database, name, steps.surround(getattr(database, name)))
    sys.addaudithook(steps.audit)
    code = run(words)
    print(steps.count, file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
