"""The entrance of ``python -m wagtail_multihost.control``."""

import argparse
import sys
from pathlib import Path


def main() -> int:
    """Run the command that this process's arguments name; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m wagtail_multihost.control", description="Make a project for the control site of a fleet."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    start = commands.add_parser("startproject", help="make a Wagtail project that is a control site")
    start.add_argument("name", metavar="NAME", help="the name of the project, and of its Python package")
    start.add_argument("folder", metavar="FOLDER", nargs="?", type=Path, help="where (default: a folder of that name)")
    options = parser.parse_args()
    from wagtail_multihost.control.startproject import StartProjectError, start_project  # only now: --help needs none

    try:
        folder = start_project(options.name, options.folder)
    except StartProjectError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    print(f"The control site is in {folder}. Its README.md says what is next.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
