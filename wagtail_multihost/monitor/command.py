"""The command ``multihost-monitor``, which asks every hostname whether it serves, and as which site."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wagtail_multihost.epilog import format_epilog
from wagtail_multihost.exceptions import COULD_NOT, MultihostError
from wagtail_multihost.http_client.addresses import parse_network, parse_server
from wagtail_multihost.nodeapi.probe_files import Observation, read_clock
from wagtail_multihost.nodeapi.probe_states import BAD, OUTSIDE, REASONS, UNKNOWN
from wagtail_multihost.registry.postgres_url import Target as DatabaseTarget
from wagtail_multihost.registry.postgres_url import parse_postgres_url, postgres_url_problem
from wagtail_multihost.spec.printing import one_line
from wagtail_multihost.version import own_version

if TYPE_CHECKING:
    from wagtail_multihost.monitor.rounds import Desk, Rounds
    from wagtail_multihost.monitor.ways import Ways

DESCRIPTION = (
    "Ask every hostname of every site, once a minute, whether it serves, and have the answer prove which site it is. "
    "With --outside through DNS and the public front server, for the whole fleet, told to the control site's database; "
    "with --inside through a node's own front server, told to the agent beside it by a file. A hostname is down once "
    "two answers in a row are bad, and up again after one that is good."
)
EXIT_CODES = {
    "0": "stopped by SIGTERM or SIGINT; with --once: every hostname is as it should be",
    "1": "with --once: a hostname is down, another site answers for it, or nobody could say",
    "2": "could not start or go on: options, packages, the account, or a database that has nothing for this login; "
    "another monitor has taken over; with --once also targets that cannot be read",
}
EXAMPLES = (
    'multihost-monitor --outside --database "postgresql:///?service=monitor"',
    "multihost-monitor --inside --targets /run/multihost/targets.json --observations "
    "/var/lib/multihost-monitor/observations.json --through http://127.0.0.1:80 --through https://127.0.0.1:443",
    'multihost-monitor --outside --database "postgresql:///?service=monitor" --once --json',
)
NOTE = "How to set it up: docs/how-to/run-the-monitor.md. What it concludes, and of what: docs/reference/monitor.md."
ROOT = "the monitor does not run as root: it reads what hostile sites answer. Give it an account of its own."
EXTRA = "The monitor needs aiohttp, aiodns, cryptography and psycopg: pip install 'wagtail-multihost[monitor]'."
SCHEMES = ("postgres://", "postgresql://")
PORTS = (80, 443)
#: Options that only one of the two kinds has.
OF_OUTSIDE = ("database", "resolver", "refuse", "allow")
OF_INSIDE = ("targets", "observations", "through")


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = argparse.ArgumentParser(
        prog="multihost-monitor",
        description=DESCRIPTION,
        epilog=format_epilog(EXIT_CODES, EXAMPLES, NOTE),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_places(parser)
    add_bounds(parser)
    add = parser.add_argument
    add(
        "--once", action="store_true", help="look at each hostname now, print what was concluded, tell nobody, and exit"
    )
    add("--json", action="store_true", help="print it as JSON; only with --once")
    add("--development", action="store_true", help="for a developer's own machine: run as root too")
    add(
        "--ports",
        type=parse_ports,
        default=PORTS,
        metavar="HTTP,HTTPS",
        help="ask at these ports (default: 80,443); only with --outside and --development",
    )
    add("--version", action="version", version=own_version(), help="print the version of the package")
    return parser


def add_places(parser: argparse.ArgumentParser) -> None:
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--outside", action="store_true", help="ask as visitors do; one of these asks at a time")
    place.add_argument("--inside", action="store_true", help="ask the node's own front server; one beside each agent")
    add = parser.add_argument
    add("--database", metavar="URL", help="outside: the control site's database, as postgresql://, no password")
    add(
        "--resolver",
        action="append",
        default=[],
        metavar="ADDRESS[:PORT]",
        help="outside: a name server to ask, which resolves names for others (default: those in /etc/resolv.conf); "
        "repeatable",
    )
    add(
        "--refuse",
        action="append",
        default=[],
        metavar="NETWORK",
        help="outside: ask no address of this network, such as internal servers with public addresses; repeatable",
    )
    add(
        "--allow",
        action="append",
        default=[],
        metavar="NETWORK",
        help="outside: ask addresses of this network although they are not public, such as your front servers' own; "
        "repeatable",
    )
    add("--targets", type=Path, metavar="FILE", help="inside: what to ask, which the agent writes")
    add("--observations", type=Path, metavar="FILE", help="inside: where to write what was concluded")
    add(
        "--through",
        action="append",
        default=[],
        metavar="URL",
        help="inside: the front server, as http://127.0.0.1:80; state it for https too where it encrypts; repeatable",
    )


def add_bounds(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--ca-file", metavar="FILE", help="the authorities whose certificates count (default: the system's)")
    add(
        "--period",
        type=between(5, 3600),
        default=60,
        metavar="SECONDS",
        help="ask each hostname so often (default: 60)",
    )
    add(
        "--connect-deadline",
        type=between(1, 30),
        default=3,
        metavar="SECONDS",
        help="for a connection, encryption included (default: 3)",
    )
    add("--deadline", type=between(1, 60), default=10, metavar="SECONDS", help="for a whole answer (default: 10)")
    add("--probes", type=between(1, 1000), default=100, metavar="N", help="requests at a time (default: 100)")
    add("--of-site", type=between(1, 100), default=4, metavar="N", help="requests at a time to one site (default: 4)")


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
    if problem := option_problem(options):
        parser.error(problem)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    # What it logs of a server may be that server's text.
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    try:
        return asyncio.run(carry_on(parser, options))
    except MultihostError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return COULD_NOT


def option_problem(options: argparse.Namespace) -> str:
    """Return what is wrong with the options together, blank if nothing is."""
    if os.geteuid() == 0 and not options.development:
        return ROOT
    kind, others = ("--outside", OF_INSIDE) if options.outside else ("--inside", OF_OUTSIDE)
    for name in others:
        if getattr(options, name):
            return f"--{name} is not for {kind}."
    if options.outside and not options.database:
        return "--outside needs --database, which has the hostnames to ask."
    if options.inside and not (options.targets and options.through):
        return "--inside needs --targets, which has the hostnames to ask, and --through, the server to ask."
    if options.inside and not (options.observations or options.once):
        return "--inside needs --observations, where to write what was concluded; without it, use --once."
    if options.json and not options.once:
        return "--json is for --once."
    if options.ports != PORTS and not (options.outside and options.development):
        return "--ports is for --outside and --development: visitors ask at 80 and 443."
    return ""


async def carry_on(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    try:
        import cryptography  # noqa: F401  # said here, and not when the first proof comes
        import psycopg  # noqa: F401

        from wagtail_multihost.monitor.prober import Deadlines, Prober
        from wagtail_multihost.monitor.rounds import Limits, Rounds, look_once
        from wagtail_multihost.monitor.signers import Signers
        from wagtail_multihost.monitor.watching import Watch
    except ModuleNotFoundError as error:
        parser.error(f"{EXTRA} {error.name} is not installed.")
    try:
        ways, desk = make_ways(options), make_desk(options)
        prober = Prober(ways, Signers(), Deadlines(options.connect_deadline, options.deadline), ca_file=options.ca_file)
    except ValueError as error:
        parser.error(str(error))
    except OSError as error:
        parser.error(f"--ca-file: {options.ca_file} cannot be used: {error.strerror or 'it has no certificates'}.")
    # Nodes that ask in step with each other would be a burst at what they share.
    place = OUTSIDE if options.outside else socket.gethostname()
    rounds = Rounds(Watch(place, options.period), prober, desk, Limits(options.probes, options.of_site))
    try:
        if options.once:
            return print_observations(await look_once(rounds), as_json=options.json)
        stop_by_signals(rounds)
        await rounds.run()
    finally:
        await prober.close()
    return 0


def make_ways(options: argparse.Namespace) -> Ways:
    """Return where hostnames are asked; raises ValueError."""
    from wagtail_multihost.monitor.resolving import NameServers
    from wagtail_multihost.monitor.ways import Doors, PublicWays, parse_door

    if options.inside:
        return Doors([parse_door(value) for value in options.through])
    refused, allowed = (tuple(map(parse_network, values)) for values in (options.refuse, options.allow))
    servers = NameServers([parse_server(value) for value in options.resolver])
    return PublicWays(servers, refused, allowed, dict(zip(("http", "https"), options.ports, strict=True)))


def make_desk(options: argparse.Namespace) -> Desk:
    """Return where targets come from and conclusions go; raises ValueError."""
    if options.inside:
        from wagtail_multihost.monitor.node_files import NodeFiles

        return NodeFiles(options.targets, options.observations)
    from wagtail_multihost.monitor.database import ReportDatabase

    return ReportDatabase(parse_database(options.database))


def parse_database(value: str) -> DatabaseTarget:
    """Return the database that a URL without a password names; raises ValueError."""
    problem = postgres_url_problem(value) if value.startswith(SCHEMES) else "Write postgresql://ROLE@HOST/DATABASE"
    if problem:
        raise ValueError(f"The database is not accepted. {problem}.")
    return parse_postgres_url(value)


def stop_by_signals(rounds: Rounds) -> None:
    """Have the first SIGTERM or SIGINT end the rounds; the second one ends the process as usual."""
    loop = asyncio.get_running_loop()

    def stop(number: signal.Signals) -> None:
        loop.remove_signal_handler(number)
        rounds.stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)


def print_observations(observations: Sequence[Observation], *, as_json: bool) -> int:
    """Print what was concluded, and return the exit code for it."""
    now = read_clock()
    if as_json:
        print(json.dumps([one.as_report(now) for one in observations], indent=1))
    else:
        for line in map(describe, sorted(observations, key=lambda one: (one.state not in BAD, one.hostname))):
            print(line)
        bad = sum(one.state in BAD for one in observations)
        print(f"{len(observations)} hostnames, {bad} of them bad.")
    return int(any(one.state in BAD or one.state == UNKNOWN for one in observations))


def describe(one: Observation) -> str:
    """Return a line about a hostname, in which nothing is that a site has written."""
    taken = "" if one.milliseconds is None else f" in {one.milliseconds} ms"
    code = f" {one.code}" if one.code else ""
    seen = f" It is the site {one.seen_uid}." if one.seen_uid else ""
    return f"{one.state:<11} {one_line(one.hostname)}{code}{taken}  {REASONS[one.reason]}{seen}".rstrip()
