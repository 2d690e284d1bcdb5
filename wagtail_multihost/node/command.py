"""The command ``multihost-agent``, which makes this node what the registry says."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace

from wagtail_multihost.epilog import format_epilog
from wagtail_multihost.exceptions import COULD_NOT, MultihostError
from wagtail_multihost.node.change_command import CHANGE, add_change_command, change_site
from wagtail_multihost.node.checking import check_node
from wagtail_multihost.registry.node_file import DEFAULT, VARIABLE, read_node_file
from wagtail_multihost.stopping import is_told_to_stop, open_stop_descriptor, take_signals
from wagtail_multihost.version import own_version

DESCRIPTION = (
    "Make this node what the registry in PostgreSQL says, and keep it so: read what is placed on it, write its sites' "
    "snapshots and its servers' files, reload, and report. What it does is in the table [agent] of the node file, "
    f"{DEFAULT} or ${VARIABLE}."
)
EXIT_CODES = {
    "0": "stopped by SIGTERM, SIGINT or SIGHUP, after what was begun; with --once or --let-go: all is applied; "
    "with --check: all is as it should be; with --ready: the node may be asked; change: done",
    "1": "with --once or --let-go: it could not be applied, and everything stays as it was; with --check: something "
    "differs; with --ready: it may not be asked; change: refused, and nothing has changed",
    "2": "could not start: options, the node file, or packages that are missing",
}
EXAMPLES = (
    "multihost-agent",
    "MULTIHOST_NODE_FILE=/etc/multihost/web1.toml multihost-agent --once",
    "multihost-agent --let-go aurora",
    "multihost-agent --check --json",
    "multihost-agent --ready",
    "multihost-agent change aurora state=maintenance --reason 'control is down'",
    "multihost-agent change aurora --keep-control",
)
NOT_READY = "The node may not be asked now: there is no {}."
#: Lets the agent compare the node with what it should be at once.
LOOK = signal.SIGUSR1


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="multihost-agent",
        description=DESCRIPTION,
        epilog=format_epilog(EXIT_CODES, EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--once", action="store_true", help="apply what the registry says now, and exit")
    parser.add_argument(
        "--let-go",
        nargs="+",
        default=[],
        metavar="SITE",
        help="apply once, and remove the files of these sites, which the registry does not list",
    )
    parser.add_argument(
        "--fingerprint", action="store_true", help="print this node's public key and its fingerprint, and exit"
    )
    parser.add_argument(
        "--check", action="store_true", help="compare this node with what was applied last, change nothing, and exit"
    )
    parser.add_argument(
        "--ready", action="store_true", help="say by the exit code whether the node may be asked now, and exit"
    )
    parser.add_argument("--json", action="store_true", help="with --check: print what differs as JSON")
    add_change_command(parser)
    parser.add_argument("--version", action="version", version=own_version(), help="print the version of the package")
    return parser


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command with ``arguments``, or those of this process; return the exit code."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.json and not options.check:
        parser.error("--json is for --check alone")
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        if options.command == CHANGE:
            return change_site(options)
        if options.check:
            return check_node(as_json=options.json)
        if options.ready:
            return tell_ready()
        if options.fingerprint:
            return show_fingerprint()
        return work(once=options.once or bool(options.let_go), let_go=options.let_go)
    except MultihostError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return COULD_NOT


def show_fingerprint() -> int:
    """Print the key of this node, which is made if there is none, for who enrols it and compares."""
    from wagtail_multihost.node.joining import find_key
    from wagtail_multihost.node.options import read_agent_options
    from wagtail_multihost.node.state_file import find_folder
    from wagtail_multihost.sealing import fingerprint_of, public_bytes, public_text

    environ = dict(os.environ)
    node = read_node_file(environ)
    folder = find_folder(read_agent_options(node, environ), node)
    try:
        public = public_bytes(find_key(folder))
    except OSError as error:
        raise MultihostError(f"{folder}: The node's key cannot be kept there: {error.strerror}.") from None
    print(f"key {public_text(public)}\nfingerprint {fingerprint_of(public)}")
    return 0


def tell_ready() -> int:
    """Return 0 if the node may be asked now, as the agent that runs says by its file; say so, and return 1, if not."""
    from wagtail_multihost.node.options import read_agent_options

    environ = dict(os.environ)
    node = read_node_file(environ)
    ready = read_agent_options(node, environ).ready
    if ready is None:
        raise MultihostError(f"{node.label}: agent.ready is missing: the file that is there while the node is ready.")
    if ready.is_file():
        return 0
    print(NOT_READY.format(ready), file=sys.stderr)
    return 1


def work(*, once: bool, let_go: Sequence[str]) -> int:
    from wagtail_multihost.node.agent import Agent
    from wagtail_multihost.node.healer import healing
    from wagtail_multihost.node.jobs import running_jobs
    from wagtail_multihost.node.options import read_agent_options

    stopping = open_stop_descriptor(LOOK)
    environ = dict(os.environ)
    options = read_agent_options(read_node_file(environ), environ)
    if once:
        # That file is of the agent that goes on, which may run beside this one.
        options = replace(options, ready=None)
    agent = Agent(options, environ, stopping, let_go)
    agent.start()
    try:
        seconds = agent.turn()
        if once:
            while agent.entrance.joins_by is not None and not agent.outage.failures and not is_told_to_stop(stopping):
                agent.wait(seconds)
                seconds = agent.turn()
            agent.planner.keeper.write()
            return 0 if agent.is_applied else 1
        with running_jobs(agent), healing(agent):
            while not is_told_to_stop(stopping):
                agent.wait(seconds)
                if take_signals(stopping, LOOK):
                    agent.integrity.ask()
                if not is_told_to_stop(stopping):
                    seconds = agent.turn()
        agent.stop()
    finally:
        agent.database.close()
    return 0
