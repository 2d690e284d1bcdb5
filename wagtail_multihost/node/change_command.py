"""``multihost-agent change``: one site is changed on this node while control is gone."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING

from wagtail_multihost.epilog import format_epilog
from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.spec.printing import one_line

if TYPE_CHECKING:
    from wagtail_multihost.node.changing import SiteChanger
    from wagtail_multihost.node.patches import Difference

CHANGE = "change"
DESCRIPTION = (
    "Change keys of one site on this node from the last good copy, while the control database does not answer. The "
    "site is held here afterwards: when control is back, what differs is shown, and control's record counts again with "
    "--keep-control. Without keys: show what was changed here, and how it differs."
)
EXIT_CODES = {"0": "done", "1": "refused, and nothing has changed", "2": "could not start: options or the node file"}
EXAMPLES = (
    "multihost-agent change aurora state=maintenance --reason 'control is down'",
    "multihost-agent change aurora 'hostnames=[\"www.aurora.example\"]' --reason 'the certificate of the other one'",
    "multihost-agent change aurora --keep-control",
    "multihost-agent change",
)


def add_change_command(parser: argparse.ArgumentParser) -> None:
    """Add the command to a parser; without a command the parser is the agent's."""
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", help="change: change one site on this node")
    change = commands.add_parser(
        CHANGE,
        description=DESCRIPTION,
        epilog=format_epilog(EXIT_CODES, EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = change.add_argument
    add("site", metavar="SITE", nargs="?", default="", help="the id of the site")
    add("words", metavar="KEY=VALUE", nargs="*", default=[], help="a key of the record, and its value as in TOML")
    add(
        "--remove", metavar="KEY", action="append", default=[], help="a key that the record is not to state; repeatable"
    )
    add("--reason", metavar="TEXT", default="", help="why, for those who find it changed")
    add("--keep-control", action="store_true", help="let control's record of the site count again")
    add(
        "--force",
        action="store_true",
        help="although the database answers or the site is held; with --keep-control: although it does not answer",
    )
    add("--json", action="store_true", help="print what differs as JSON")


def change_site(options: argparse.Namespace) -> int:
    """Do what the arguments of the command say; return the exit code."""
    from wagtail_multihost.node.changing import SiteChanger
    from wagtail_multihost.node.options import read_agent_options
    from wagtail_multihost.node.state_file import find_folder
    from wagtail_multihost.registry.node_file import read_node_file

    environ = dict(os.environ)
    node = read_node_file(environ)
    agent = read_agent_options(node, environ)
    changer = SiteChanger(agent, environ, find_folder(agent, node))
    try:
        if options.keep_control:
            print_differences(changer, options.site, as_json=options.json)
            changer.keep_control(options.site, force=options.force)
            print("Control's record counts again: the agent applies it at its next look.", file=sys.stderr)
        elif options.words or options.remove:
            count = changer.change(options.site, options.words, options.remove, options.reason, force=options.force)
            print(f"Applied: {count} files changed. The site is held on this node.", file=sys.stderr)
        else:
            show_changes(changer, options.site, as_json=options.json)
    except (MultihostError, OSError) as error:
        print(f"multihost-agent {CHANGE}: {error}", file=sys.stderr)
        return 1
    return 0


def show_changes(changer: SiteChanger, site: str, *, as_json: bool) -> None:
    """Print what was changed here of a site, or of all, and how it differs from control's records."""
    from wagtail_multihost.node.changing import describe_changes

    chosen = {name: one for name, one in changer.changes.items() if site in ("", name)}
    for line in describe_changes(chosen):
        print(line, file=sys.stderr)
    if not chosen:
        print(f"{site or 'No site'} was {'not ' if site else ''}changed on this node.", file=sys.stderr)
    for name in [site] if site else sorted(chosen):
        print_differences(changer, name, as_json=as_json)


def print_differences(changer: SiteChanger, site: str, *, as_json: bool) -> None:
    """Print how a site differs here from control's record, as far as that is known."""
    found: list[Difference] | None = changer.differences(site) if site in changer.changes else []
    if as_json:
        rows = None if found is None else [one._asdict() for one in found]
        print(json.dumps({"site": site, "differences": rows}, indent=2))
    elif found is None:
        print(f"{site}: the database does not answer, so control's record is not known.", file=sys.stderr)
    else:
        for one in found:
            print(f"{site} {one_line(one.key)}: here {one.here or 'nothing'}, in control {one.control or 'nothing'}")
