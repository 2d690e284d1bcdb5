"""Where this process looks for modules."""

import os
import sys


def leave_working_folder() -> None:
    """
    Look for no module in the working folder, which ``python -m`` puts first: a file there that is named like one would
    run with the rights of the caller. Python itself has looked there before, for what it needs to run a module and for
    this package: only ``python -P -m`` and the installed command never do.
    """
    try:
        if not sys.flags.safe_path and sys.path[:1] == [os.getcwd()]:
            del sys.path[0]
    except FileNotFoundError:  # the working folder was deleted
        pass
