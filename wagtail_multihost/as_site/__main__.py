"""The entry point of ``multihost-as`` and of ``python -m wagtail_multihost.as_site``."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def leave_working_folder() -> None:
    """
    Remove the working folder from the module path, where ``python -m`` puts it first: a file there with the name of a
    module would run with the rights of the caller.
    """
    with suppress(FileNotFoundError):
        if not sys.flags.safe_path and sys.path[:1] == [os.getcwd()]:
            del sys.path[0]


def main() -> int:
    """Run the command that this process's arguments name; return the exit code."""
    from wagtail_multihost.as_site.command import run  # only now, when the working folder is left

    return run()


if __name__ == "__main__":
    leave_working_folder()
    sys.exit(main())
