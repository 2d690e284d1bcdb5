"""The entrance of ``multihost-monitor``, and of ``python -P -m wagtail_multihost.monitor``."""

import sys

from wagtail_multihost.import_path import leave_working_folder


def main() -> int:
    """Run the monitor as the arguments of this process say; return the exit code."""
    from wagtail_multihost.monitor.command import run  # only now, when the working folder is left

    return run()


if __name__ == "__main__":
    leave_working_folder()
    sys.exit(main())
