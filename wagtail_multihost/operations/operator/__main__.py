"""The entrance of ``multihost-operator``, and of ``python -P -m wagtail_multihost.operations.operator``."""

import sys

from wagtail_multihost.import_path import leave_working_folder


def main() -> int:
    """Run the command as the arguments of this process say; return the exit code."""
    from wagtail_multihost.operations.operator.command import run  # only now, when the working folder is left

    return run()


if __name__ == "__main__":
    leave_working_folder()
    sys.exit(main())
