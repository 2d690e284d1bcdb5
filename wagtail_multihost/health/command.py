"""
The command ``multihost-health``, which asks a running server how it is. It needs neither settings nor Django, and
starts fast enough for a HEALTHCHECK.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import NoReturn, TextIO

from wagtail_multihost.epilog import format_epilog
from wagtail_multihost.exceptions import problems_of
from wagtail_multihost.health.asking import (
    EXIT_CODES,
    FAIL,
    PASS,
    UNKNOWN,
    ServerQuery,
    add_arguments,
    drain_word,
    exit_code,
    format_reply,
    status_word,
)
from wagtail_multihost.http_client.client import NoAnswerError
from wagtail_multihost.spec.printing import escape_unprintable
from wagtail_multihost.version import own_version

DESCRIPTION = "Ask a running server for its health, or start or end a drain."
EXAMPLES = (
    "multihost-health --probe --url http://127.0.0.1:8000",
    "multihost-health --probe --url unix:/run/multihost/aurora.sock:/-/live",
    "multihost-health --url uwsgi:/run/multihost/aurora.sock --token-file token",
    "multihost-health --drain --wait 10 --url http://127.0.0.1:8000 \\",
    "    --token-file token",
)


class ProbeParser(argparse.ArgumentParser):
    """Exits with 1 if the arguments of a probe are wrong: Docker reserves 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(FAIL if "--probe" in sys.argv[1:] else UNKNOWN, f"{self.prog}: {message}\n")


def run() -> int:
    """Run the command with the arguments of this process; return the exit code."""
    parser = ProbeParser(
        prog="multihost-health",
        description=DESCRIPTION,
        epilog=format_epilog(EXIT_CODES, EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_arguments(parser, asks_always=True)
    parser.add_argument("--version", action="store_true", help="print the version of the package")
    if sys.argv[1:] == ["--version"]:
        return print_version()
    options = parser.parse_args()
    try:
        return change_drain(options) if options.drain or options.undrain else print_health(options)
    except NoAnswerError as error:
        print_line(str(error), sys.stdout if options.probe else sys.stderr)
        if options.json:
            print_problems(error)
    except KeyboardInterrupt:
        pass
    return FAIL if options.probe else UNKNOWN


def print_line(text: str, stream: TextIO | None) -> bool:
    """Write a line if there is a stream; return whether it could be written. Python does not try again at exit."""
    if stream is None:
        return True
    try:
        text = escape_unprintable(text).encode(stream.encoding, "backslashreplace").decode(stream.encoding)
        print(text, file=stream, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return False
    return True


def print_problems(error: NoAnswerError) -> None:
    from json import dumps  # not at start: most probes do not need it

    print_line(dumps({"problems": [problem.as_row() for problem in problems_of(error)]}, indent=2), sys.stdout)


def print_health(options: argparse.Namespace) -> int:
    reply = ServerQuery(options).reply()
    word = status_word(reply)
    is_told = print_line(word if options.probe else format_reply(reply, json=options.json), sys.stdout)
    return exit_code(word, probe=options.probe) if is_told or options.probe else UNKNOWN


def change_drain(options: argparse.Namespace) -> int:
    print_line(drain_word(ServerQuery(options).reply()), sys.stdout)
    time.sleep(options.wait if options.drain else 0)
    return PASS


def print_version() -> int:
    print(own_version())
    return PASS
