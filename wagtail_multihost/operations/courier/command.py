"""The command ``multihost-courier``, which checks whether customers control the hostnames that they ask for."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from types import FrameType

from wagtail_multihost.epilog import format_epilog
from wagtail_multihost.exceptions import COULD_NOT, MultihostError
from wagtail_multihost.version import own_version

DESCRIPTION = "Check whether customers control the hostnames that they ask for, by DNS or by a file on the hostname."
EXIT_CODES = {
    "0": "stopped by SIGTERM or SIGINT, or with --once: nothing is left to check",
    "2": "could not start or go on: options, packages, the account, name servers, or a database that has no work for "
    "this login; with --once also a database that is away",
}
EXAMPLES = (
    'multihost-courier --database "postgresql:///?service=control"',
    "multihost-courier --database postgresql:///control --resolver 127.0.0.1 --once",
)
EXTRA = "The courier needs psycopg and dnspython: pip install 'wagtail-multihost[courier]'."
MOST_WORKERS = 20


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options; rules that need their packages are applied afterwards."""
    parser = argparse.ArgumentParser(
        prog="multihost-courier",
        description=DESCRIPTION,
        epilog=format_epilog(EXIT_CODES, EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--database", required=True, metavar="URL", help="the control site's database, as postgresql://, no password")
    add(
        "--resolver",
        action="append",
        default=[],
        metavar="ADDRESS[:PORT]",
        help="a name server to ask, which resolves names for others (default: those in /etc/resolv.conf); repeatable",
    )
    add(
        "--refuse",
        action="append",
        default=[],
        metavar="NETWORK",
        help="also ask no address of this network, such as your own servers with public addresses; repeatable",
    )
    add("--workers", type=between(1, MOST_WORKERS), default=8, metavar="N", help="checks at a time (default: 8)")
    add("--poll", type=between(1, 60), default=2, metavar="SECONDS", help="look for new checks so often (default: 2)")
    add("--once", action="store_true", help="check what is asked for now, and exit")
    add(
        "--development",
        action="store_true",
        help="for a developer's own machine: run as root too, and ask private addresses for names that nobody can own "
        "(.test, .example, .invalid, .localhost)",
    )
    add(
        "--ports",
        type=parse_ports,
        default=(80, 443),
        metavar="HTTP,HTTPS",
        help="ask for files at these ports (default: 80,443); only with --development",
    )
    add("--version", action="version", version=own_version(), help="print the version of the package")
    return parser


def between(least: int, most: int) -> Callable[[str], int]:
    def number(value: str) -> int:
        if not (value.isascii() and value.isdecimal() and least <= int(value) <= most):
            raise argparse.ArgumentTypeError(f"it must be {least} to {most}")
        return int(value)

    return number


def parse_ports(value: str) -> tuple[int, int]:
    port = between(1, 65535)
    first, _, second = value.partition(",")
    return port(first), port(second)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command with ``arguments``, or those of this process; return the exit code."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.ports != (80, 443) and not options.development:
        parser.error("--ports is for --development: strangers' files are asked for at 80 and 443.")
    if os.geteuid() == 0 and not options.development:
        parser.error("the courier does not run as root: it speaks to strangers. Give it an account of its own.")
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        work(parser, options)
    except MultihostError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return COULD_NOT
    return 0


def work(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    try:
        import psycopg  # noqa: F401  # said here, and not when the first check is taken

        from wagtail_multihost.operations.courier import name_servers, proofs, rounds, work_list
    except ModuleNotFoundError as error:
        parser.error(f"{EXTRA} {error.name} is not installed.")
    from wagtail_multihost.operations.courier.addresses import parse_network

    try:
        database = work_list.parse_database(options.database)
        servers = [name_servers.parse_server(value) for value in options.resolver]
        refused = tuple(parse_network(value) for value in options.refuse)
    except ValueError as error:
        parser.error(str(error))
    reach = proofs.Reach(options.ports, refused, options.development)
    look = partial(proofs.check, name_servers=name_servers.NameServers(servers), reach=reach)
    checks = work_list.WorkList(database)
    try:
        rounds.Rounds(checks, look, workers=options.workers, poll=options.poll).run(
            stopped_by_signals(), once=options.once
        )
    finally:
        checks.close()


def stopped_by_signals() -> threading.Event:
    """Return an event that the first SIGTERM or SIGINT sets; the second one ends the process as usual."""
    stopping = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return stopping
