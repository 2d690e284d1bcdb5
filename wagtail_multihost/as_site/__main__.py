"""The entrance of ``multihost-as``, and of ``python -P -m wagtail_multihost.as_site``."""

import sys

from wagtail_multihost.import_path import leave_working_folder


def main() -> int:
    """Run the command that this process's arguments name; return the exit code."""
    from wagtail_multihost.as_site.command import run  # only now, when the working folder is left

    return run()


if __name__ == "__main__":
    leave_working_folder()
    sys.exit(main())
