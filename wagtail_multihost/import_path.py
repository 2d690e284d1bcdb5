"""Where this process looks for modules."""

import os
import sys


def leave_working_folder() -> None:
    """
    Remove the working folder from the module path, where ``python -m`` puts it first: a file there with the name of a
    module would run with the rights of the caller. Python has already looked there for what it needs to run a module,
    and for this package: only ``python -P -m`` and the installed command never do.
    """
    try:
        if not sys.flags.safe_path and sys.path[:1] == [os.getcwd()]:
            del sys.path[0]
    except FileNotFoundError:  # the working folder was deleted
        pass
