"""The options that ``manage.py multihost_as`` and ``multihost-as`` have in common."""

from __future__ import annotations

from argparse import REMAINDER, ArgumentParser, ArgumentTypeError, Namespace

from wagtail_multihost.as_site.run import RunRequest

MOST_SECONDS = 7 * 24 * 3600
REGISTRY_HELP = "the registry (default: MULTIHOST_REGISTRY, or sites.toml in this folder)"


def add_launch_options(parser: ArgumentParser) -> None:
    """Add the options that say how the command is launched, and the command."""
    parser.add_argument(
        "--timeout", type=parse_timeout, metavar="SECONDS", help="end it, and all that it has started, after this time"
    )
    parser.add_argument(
        "--stdin",
        action="store_true",
        help="pass standard input on to it; shell, dbshell, createsuperuser, changepassword and loaddata get it anyway",
    )
    parser.add_argument(
        "--raw", action="store_true", help="leave its output as it is, with what may steer a terminal and other bytes"
    )
    parser.add_argument(
        "--env", action="append", default=[], metavar="NAME", help="pass this variable on to it as well"
    )
    parser.add_argument("site", metavar="SITE", help="the id of the site")
    parser.add_argument("command", metavar="COMMAND", nargs=REMAINDER, help="the command and its arguments")


def parse_timeout(text: str) -> float:
    value = float(text)
    if not 0 < value <= MOST_SECONDS:  # not a number is neither
        raise ArgumentTypeError(f"{text} is not accepted: more than 0 and up to {MOST_SECONDS} seconds are.")
    return value


def run_request(options: Namespace, settings: str) -> RunRequest:
    return RunRequest(
        settings=settings,
        registry=options.registry,
        seconds=options.timeout,
        takes_input=options.stdin,
        raw=options.raw,
        variables=tuple(options.env),
    )
