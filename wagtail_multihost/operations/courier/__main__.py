"""The entrance of ``multihost-courier``, and of ``python -P -m wagtail_multihost.operations.courier``."""

import sys

from wagtail_multihost.import_path import leave_working_folder


def main() -> int:
    """Run the courier as the arguments of this process say; return the exit code."""
    from wagtail_multihost.operations.courier.command import run  # only now, when the working folder is left

    return run()


if __name__ == "__main__":
    leave_working_folder()
    sys.exit(main())
