"""The entrance of ``multihost-health``, and of ``python -P -m wagtail_multihost.health``."""

import sys

from wagtail_multihost.import_path import leave_working_folder


def main() -> int:
    """Do what the arguments of this process say; return the exit code."""
    from wagtail_multihost.health.command import run  # and what it imports, from where it was installed

    return run()


if __name__ == "__main__":
    leave_working_folder()
    sys.exit(main())
