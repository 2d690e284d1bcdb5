"""The entrance of ``multihost-as``, and of ``python -m wagtail_multihost.as_site``."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def leave_working_folder() -> None:
    """
    Look for no module in the working folder, which ``python -m`` puts first: a file there that is named like one would
    run with the rights of the caller.
    """
    with suppress(FileNotFoundError):
        if not sys.flags.safe_path and sys.path[:1] == [os.getcwd()]:
            del sys.path[0]


def main() -> int:
    """Do what the arguments of this process say; return the exit code."""
    from wagtail_multihost.as_site.command import run  # and what it imports, from where it was installed

    return run()


if __name__ == "__main__":
    leave_working_folder()
    sys.exit(main())
