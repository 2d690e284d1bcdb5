"""The command ``multihost-operator``, which alone seals secrets, mints groups' tokens, and knows whose a key is."""

from __future__ import annotations

import argparse
import base64
import logging
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from wagtail_multihost.epilog import format_epilog
from wagtail_multihost.exceptions import COULD_NOT, MultihostError
from wagtail_multihost.operations.operator.folder import DEFAULT
from wagtail_multihost.registry.postgres_url import Target, parse_postgres_url, postgres_url_problem
from wagtail_multihost.sealing import KEY_BYTES
from wagtail_multihost.spec.printing import escape_unprintable
from wagtail_multihost.spec.time_lengths import DAY, HOUR, parse_length
from wagtail_multihost.version import own_version

DESCRIPTION = (
    "Seal the secrets of managed sites to the nodes that have them, make the sites' keys, and let nodes join. The keys "
    "for that are in a folder of this command's own account, and nowhere else."
)
EXIT_CODES = {
    "0": "done; of run: stopped by SIGTERM or SIGINT, or with --once: nothing is left to do",
    "1": "run --once: some of it failed; take: some keys were not taken; rotate-recovery: it goes on later; "
    "status: something waits for a person",
    "2": "could not be done: options, packages, the account, the folder, or the database",
}
EXAMPLES = (
    "multihost-operator init",
    'multihost-operator run --database "postgresql:///?service=control"',
    'multihost-operator mint web --for 1h --database "postgresql:///?service=control"',
    'multihost-operator confirm web1 FINGERPRINT --database "postgresql:///?service=control"',
)
EXTRA = "The operator needs psycopg and cryptography: pip install 'wagtail-multihost[operator]'."
ROOT = (
    "it does not run as root: nothing that it does needs that, and it has the keys of all sites. Give it an account of "
    "its own, and run it so: sudo -u multihost-operator multihost-operator …"
)
LONGEST_TOKEN = 7 * DAY
#: How many nodes join by one token. Each may have four connections, and PostgreSQL has a hundred unless told otherwise.
JOINS, MOST_JOINS = 20, 10_000
SCHEMES = ("postgres://", "postgresql://")


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="multihost-operator",
        description=DESCRIPTION,
        epilog=format_epilog(EXIT_CODES, EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=own_version(), help="print the version of the package")
    kept = argparse.ArgumentParser(add_help=False)
    kept.add_argument(
        "--folder", type=Path, default=DEFAULT, metavar="DIR", help=f"its keys and what it knows (default: {DEFAULT})"
    )
    kept.add_argument("--development", action="store_true", help="for a developer's own machine: run as root too")
    asking = argparse.ArgumentParser(add_help=False, parents=[kept])
    asking.add_argument(
        "--database",
        type=parse_database,
        required=True,
        metavar="URL",
        help="the control site's database, as postgresql://, no password",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, meaning: str, *, database: bool = True) -> argparse.ArgumentParser:
        parents = [asking if database else kept]
        return commands.add_parser(
            name, help=meaning, description=f"{meaning[0].upper()}{meaning[1:]}.", parents=parents, allow_abbrev=False
        )

    add("init", "make the recovery key and the key that signs bundles, and print their public parts", database=False)
    run = add("run", "seal what is missing and carry on what is due, again and again")
    run.add_argument("--once", action="store_true", help="do what is due now, and exit")
    run.add_argument(
        "--poll", type=parse_poll, default=10, metavar="SECONDS", help="look at least so often (default: 10)"
    )
    run.add_argument(
        "--bundles", type=Path, metavar="DIR", help="write the bundles that nodes start from without the database there"
    )
    run.add_argument(
        "--group-key",
        type=parse_group_key,
        action="append",
        default=[],
        metavar="GROUP=KEY",
        help="the public key, in base64, that the secrets in a group's bundle are sealed to; repeatable",
    )
    mint = add("mint", "make a token by which nodes may join a group, and print it once")
    mint.add_argument("group", metavar="GROUP", help="the group")
    mint.add_argument(
        "--for",
        dest="seconds",
        type=parse_token_length,
        default=HOUR,
        metavar="LENGTH",
        help="how long: 90s, 30m, 2h, at most 7d (default: 1h)",
    )
    mint.add_argument(
        "--nodes",
        type=parse_joins,
        default=JOINS,
        metavar="COUNT",
        help=f"so many nodes may join by it, and then none; one that comes back with its own key does not count "
        f"(default: {JOINS})",
    )
    confirm = add("confirm", "say that a node's key is its own: you have compared its fingerprint")
    confirm.add_argument("node", metavar="NODE", help="the node")
    confirm.add_argument(
        "fingerprint",
        type=parse_fingerprint,
        metavar="FINGERPRINT",
        help="what multihost-agent --fingerprint prints",
    )
    seal = add("seal", "keep a secret of a site, which is read from stdin")
    seal.add_argument("site", metavar="SITE", help="the site's id")
    seal.add_argument("field", metavar="KEY", help="its path in the record, such as database.password")
    take = add("take", "take over the keys in a file of multihost_seal_keys")
    take.add_argument("file", type=Path, metavar="FILE", help="the file")
    take.add_argument("--replace", action="store_true", help="also for sites that have another key already")
    for name, meaning in (
        ("make-keys", "make keys of sites that have none, imported ones too: what was signed before ends"),
        ("rotate", "give sites another key; what they have signed stays valid"),
        ("rotate-probe-keys", "give sites another probe key: monitors take no proof by the former one any more"),
        ("forget-former", "let what sites have signed with former keys be valid no more"),
    ):
        chosen = add(name, meaning)
        chosen.add_argument("sites", nargs="*", metavar="SITE", help="ids of sites")
        chosen.add_argument("--all", action="store_true", help="all sites")
        if name == "rotate":
            chosen.add_argument("--drop-former", action="store_true", help="the key was stolen: what it signed ends")
    rotation = add(
        "rotate-recovery", "make another recovery key, and seal everything to it; the former stays until that is done"
    )
    rotation.add_argument(
        "--backed-up", action="store_true", help="the folder was backed up since the next key was made: use it"
    )
    status = add("status", "print which nodes are known here, and what waits for a person")
    status.add_argument("--json", action="store_true", help="print it as JSON")
    return parser


def parse_database(value: str) -> Target:
    problem = postgres_url_problem(value) if value.startswith(SCHEMES) else "Write postgresql://ROLE@HOST/DATABASE"
    if problem:
        raise argparse.ArgumentTypeError(f"The database is not accepted. {problem}.")
    return parse_postgres_url(value)


def parse_token_length(value: str) -> int:
    try:
        seconds = parse_length(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if seconds > LONGEST_TOKEN:
        raise argparse.ArgumentTypeError("it must be at most 7d")
    return seconds


def parse_joins(value: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,4}", value, re.ASCII) or int(value) > MOST_JOINS:
        raise argparse.ArgumentTypeError(f"it must be 1 to {MOST_JOINS}")
    return int(value)


def parse_poll(value: str) -> int:
    if not (value.isascii() and value.isdecimal() and 1 <= int(value) <= 3600):
        raise argparse.ArgumentTypeError("it must be 1 to 3600")
    return int(value)


def parse_group_key(value: str) -> tuple[str, bytes]:
    group, _, text = value.partition("=")
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if not group or len(key) != KEY_BYTES:
        raise argparse.ArgumentTypeError("it must be GROUP=KEY, with a public X25519 key in base64")
    return group, key


def parse_fingerprint(value: str) -> str:
    if not re.fullmatch("[0-9a-f]{64}", value.lower()):
        raise argparse.ArgumentTypeError("it must be 64 hexadecimal digits")
    return value.lower()


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command with ``arguments``, or those of this process; return the exit code."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    if os.geteuid() == 0 and not options.development:
        parser.error(ROOT)
    os.umask(0o077)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        return find_action(parser, options.command)(options)
    except MultihostError as error:
        print(f"{parser.prog}: {escape_unprintable(str(error))}", file=sys.stderr)
    except OSError as error:
        print(f"{parser.prog}: {error.filename or options.folder}: {error.strerror}.", file=sys.stderr)
    return COULD_NOT


def find_action(parser: argparse.ArgumentParser, name: str) -> Callable[[argparse.Namespace], int]:
    try:
        import cryptography  # noqa: F401  # said here, and not when the first secret is sealed
        import psycopg  # noqa: F401

        from wagtail_multihost.operations.operator import actions
    except ModuleNotFoundError as error:
        parser.error(f"{EXTRA} {error.name} is not installed.")
    action: Callable[[argparse.Namespace], int] = getattr(actions, name.replace("-", "_"))
    return action
