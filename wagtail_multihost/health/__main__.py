"""
The command ``multihost-health``, or ``python -m wagtail_multihost.health``: asks a running server how it is. It needs
neither settings nor Django, and starts fast enough for a HEALTHCHECK.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import NoReturn

from wagtail_multihost.health.asking import (
    CODES,
    FAIL,
    PASS,
    UNKNOWN,
    Question,
    add_arguments,
    drained,
    exit_code,
    shown,
    word_of,
)
from wagtail_multihost.health.client import NoAnswerError

DESCRIPTION = "Ask a running server how it is, or whether it may get visitors."
EXAMPLES = f"""\
{CODES}

Examples:
  multihost-health --probe --url http://127.0.0.1:8000
  multihost-health --probe --url unix:/run/multihost/aurora.sock:/-/live
  multihost-health --url uwsgi:/run/multihost/aurora.sock --token-file token
  multihost-health --drain --wait 10 --url http://127.0.0.1:8000 --token-file token
"""


class Parser(argparse.ArgumentParser):
    """Ends a probe whose arguments are wrong with 1: Docker keeps 2 for itself."""

    def error(self, message: str) -> NoReturn:
        self.exit(FAIL if "--probe" in sys.argv[1:] else UNKNOWN, f"{self.prog}: {message}\n")


def main() -> int:
    """Do what the arguments of this process say; return the exit code."""
    parser = Parser(
        prog="multihost-health",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser, asks_always=True)
    parser.add_argument("--version", action="store_true", help="print the version of the package")
    if sys.argv[1:] == ["--version"]:
        return print_version()
    options = parser.parse_args()
    try:
        return drain(options) if options.drain or options.undrain else tell(options)
    except NoAnswerError as error:
        print(error, file=sys.stdout if options.probe else sys.stderr)
        return FAIL if options.probe else UNKNOWN


def tell(options: argparse.Namespace) -> int:
    reply = Question(options).reply()
    word = word_of(reply)
    print(word if options.probe else shown(reply, json=options.json))
    return exit_code(word, probe=options.probe)


def drain(options: argparse.Namespace) -> int:
    print(drained(Question(options).reply()), flush=True)
    time.sleep(options.wait if options.drain else 0)
    return PASS


def print_version() -> int:
    from importlib.metadata import version

    print(version("wagtail-multihost"))
    return PASS


if __name__ == "__main__":
    sys.exit(main())
