"""
The command ``multihost-health``, or ``python -m wagtail_multihost.health``: asks a running server how it is. It needs
neither settings nor Django, and starts fast enough for a HEALTHCHECK.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import NoReturn, TextIO

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
from wagtail_multihost.http_client.client import NoAnswerError
from wagtail_multihost.spec.printing import escape_unprintable
from wagtail_multihost.version import own_version

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
        allow_abbrev=False,
    )
    add_arguments(parser, asks_always=True)
    parser.add_argument("--version", action="store_true", help="print the version of the package")
    if sys.argv[1:] == ["--version"]:
        return print_version()
    options = parser.parse_args()
    try:
        return drain(options) if options.drain or options.undrain else tell(options)
    except NoAnswerError as error:
        say(str(error), sys.stdout if options.probe else sys.stderr)
    except KeyboardInterrupt:
        pass
    return FAIL if options.probe else UNKNOWN


def say(text: str, stream: TextIO | None) -> bool:
    """Write a line, where there is a stream. Return whether it could be written; Python does not try again."""
    if stream is None:
        return True
    try:
        text = escape_unprintable(text).encode(stream.encoding, "backslashreplace").decode(stream.encoding)
        print(text, file=stream, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return False
    return True


def tell(options: argparse.Namespace) -> int:
    reply = Question(options).reply()
    word = word_of(reply)
    is_told = say(word if options.probe else shown(reply, json=options.json), sys.stdout)
    return exit_code(word, probe=options.probe) if is_told or options.probe else UNKNOWN


def drain(options: argparse.Namespace) -> int:
    say(drained(Question(options).reply()), sys.stdout)
    time.sleep(options.wait if options.drain else 0)
    return PASS


def print_version() -> int:
    print(own_version())
    return PASS


if __name__ == "__main__":
    sys.exit(main())
