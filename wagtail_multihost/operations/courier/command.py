"""
The command ``multihost-courier``, which checks whether customers control the hostnames that they ask for, and tells
integrators of events.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import FrameType

from wagtail_multihost.epilog import format_epilog
from wagtail_multihost.exceptions import COULD_NOT, MultihostError
from wagtail_multihost.nodeapi import jobs_v1, v1
from wagtail_multihost.version import own_version

DESCRIPTION = (
    "Check whether customers control the hostnames that they ask for, by DNS or by a file on the hostname, tell "
    "webhooks of events, and people of incidents. multihost-courier key shows the public key by which receivers know "
    "its messages."
)
EXIT_CODES = {
    "0": "stopped by SIGTERM or SIGINT, or with --once: nothing is left to check",
    "2": "could not start or go on: options, packages, the account, name servers, or a database that has no work for "
    "this login; with --once also a database that is away",
}
EXAMPLES = (
    'multihost-courier --database "postgresql:///?service=control"',
    "multihost-courier --database postgresql:///control --resolver 127.0.0.1 --once",
    'multihost-courier --database "postgresql:///?service=control" --state /var/lib/multihost-courier',
    'multihost-courier --database "postgresql:///?service=control" --alerts /etc/multihost/alerts.toml',
    "multihost-courier key --state /var/lib/multihost-courier",
)
KEY = "key"
ROOT = "the courier does not run as root: it speaks to strangers. Give it an account of its own."
ROOT_KEY = "a key that root makes is one that the courier cannot read. Run this as the courier's account."
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
    add(
        "--state",
        type=Path,
        metavar="DIR",
        help="the courier's own folder, with the key that signs messages to webhooks, which is made if it is missing; "
        "without it no webhook is told",
    )
    add(
        "--allow",
        action="append",
        default=[],
        metavar="NETWORK",
        help="tell webhooks at addresses of this network too, although they are not public, and over http; repeatable",
    )
    add(
        "--ca-file", metavar="FILE", help="the authorities whose certificates webhooks may have (default: the system's)"
    )
    add(
        "--alerts",
        type=Path,
        metavar="FILE",
        help="the courier's own file of whom it tells of incidents, and of what it asks as long as everything lives; "
        "without it nobody is told",
    )
    add("--workers", type=between(1, MOST_WORKERS), default=8, metavar="N", help="checks at a time (default: 8)")
    add("--poll", type=between(1, 60), default=10, metavar="SECONDS", help="look at least so often (default: 10)")
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
    words = sys.argv[1:] if arguments is None else arguments
    if [*words[:1]] == [KEY]:
        return show_key(words[1:])
    parser = make_parser()
    options = parser.parse_args(words)
    if options.ports != (80, 443) and not options.development:
        parser.error("--ports is for --development: strangers' files are asked for at 80 and 443.")
    if os.geteuid() == 0 and not options.development:
        parser.error(ROOT)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        carry_on(parser, options)
    except MultihostError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return COULD_NOT
    return 0


def carry_on(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    try:
        import psycopg  # noqa: F401  # said here, and not when the first check is taken

        from wagtail_multihost.operations.courier import (
            jobs,
            name_servers,
            proofs,
            rounds,
            signing,
            webhooks,
            work_list,
        )
    except ModuleNotFoundError as error:
        parser.error(f"{EXTRA} {error.name} is not installed.")
    from wagtail_multihost.http_client.addresses import parse_network, parse_server
    from wagtail_multihost.operations.courier.alerts import Alerts
    from wagtail_multihost.operations.courier.alerts_file import AlertsFile
    from wagtail_multihost.operations.courier.dead_man import DeadMan

    try:
        database = work_list.parse_database(options.database)
        servers = [parse_server(value) for value in options.resolver]
        refused, allowed = (tuple(map(parse_network, values)) for values in (options.refuse, options.allow))
    except ValueError as error:
        parser.error(str(error))
    resolver = name_servers.NameServers(servers)
    reach = proofs.Reach(options.ports, refused, options.development)
    look = partial(proofs.check, name_servers=resolver, reach=reach)
    alerts_file = AlertsFile(options.alerts) if options.alerts is not None else None
    if alerts_file is not None:
        alerts_file.read()
    tells = options.state is not None or alerts_file is not None
    channels = [jobs_v1.CHANNEL, *([v1.CHANNEL] if tells else [])]
    database_work = work_list.WorkList(database, channels=channels)
    work: list[rounds.Work] = [
        work_list.Checks(database_work, look, options.workers),
        jobs.CheckJobs(database_work, look, options.workers),
    ]
    if options.state is not None:
        key = signing.read_or_make_key(options.state)
        receivers = webhooks.Receivers(resolver, refused, allowed, options.ca_file)
        # Slow receivers keep no customer waiting.
        work.append(webhooks.Deliveries(database_work, key, receivers, max(1, options.workers // 2)))
    apart: list[rounds.Work] = [DeadMan(database_work, alerts_file, options.poll)]
    if alerts_file is not None:
        apart.append(Alerts(database_work, alerts_file))
    try:
        begun = rounds.Rounds(work, database_work, workers=options.workers, poll=options.poll, apart=apart)
        begun.run(stopped_by_signals(), once=options.once)
    finally:
        database_work.close()


def show_key(arguments: Sequence[str]) -> int:
    """Print the public key, which is made if there is none; return the exit code."""
    from wagtail_multihost.operations.courier.signing import public_text, read_or_make_key

    parser = argparse.ArgumentParser(
        prog="multihost-courier key",
        description="Print the public key by which receivers of webhooks know the courier's messages. Run it as the "
        "courier's account: a key is made if there is none.",
        epilog=format_epilog({"0": "done", "2": "the key cannot be read or made"}, EXAMPLES[-1:]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--state", type=Path, required=True, metavar="DIR", help="the courier's own folder")
    parser.add_argument("--development", action="store_true", help="for a developer's own machine: run as root too")
    options = parser.parse_args(arguments)
    if os.geteuid() == 0 and not options.development:
        parser.error(ROOT_KEY)
    try:
        print(public_text(read_or_make_key(options.state)))
    except MultihostError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return COULD_NOT
    return 0


def stopped_by_signals() -> int:
    """
    Return a descriptor that can be read after the first SIGTERM or SIGINT; the second one ends the process as usual.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        os.write(writer, b"\0")

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return reader
