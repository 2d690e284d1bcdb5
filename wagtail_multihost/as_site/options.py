"""The options that ``manage.py multihost_as`` and ``multihost-as`` have in common."""

from __future__ import annotations

from argparse import REMAINDER, ArgumentParser, ArgumentTypeError, Namespace
from contextlib import suppress

from wagtail_multihost.as_site.run import RunRequest
from wagtail_multihost.spec.identifiers import shown

#: Those of ``COMMAND`` are passed on.
EXIT_CODES = {
    "2": "the site is unknown, disabled or has problems, or the command could not be started",
    "124": "the command was ended after --timeout",
    "any": "otherwise the command's own",
}
MOST_SECONDS = 7 * 24 * 3600
REGISTRY_HELP = "the registry (default: MULTIHOST_REGISTRY, or sites.toml in the working folder)"


def add_launch_options(parser: ArgumentParser) -> None:
    """Add the options that say how the command is launched, and the command."""
    parser.add_argument(
        "--timeout",
        type=parse_timeout,
        metavar="SECONDS",
        help="end the command, and all that it started, after this time",
    )
    parser.add_argument(
        "--stdin",
        action="store_true",
        help="pass standard input on to the command (shell, dbshell, createsuperuser, changepassword, loaddata and "
        "multihost_adopt always get it)",
    )
    parser.add_argument(
        "--raw",
        action="store_true",
        help="pass output on unchanged, even control sequences for the terminal and bytes that are not text",
    )
    parser.add_argument(
        "--env",
        action="append",
        default=[],
        metavar="NAME",
        help="pass this environment variable on as well (may be repeated)",
    )
    parser.add_argument("site", metavar="SITE", help="the id of the site")
    parser.add_argument("command", metavar="COMMAND", nargs=REMAINDER, help="the command and its arguments")


def parse_timeout(text: str) -> float:
    with suppress(ValueError):
        value = float(text)
        if 0 < value <= MOST_SECONDS:  # false for nan too
            return value
    raise ArgumentTypeError(f"{shown(text)} is not accepted: give more than 0 and at most {MOST_SECONDS} seconds.")


def run_request(options: Namespace, settings: str) -> RunRequest:
    return RunRequest(
        settings=settings,
        registry=options.registry,
        seconds=options.timeout,
        takes_input=options.stdin,
        raw=options.raw,
        variables=tuple(options.env),
    )
