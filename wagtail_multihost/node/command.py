"""The command ``multihost-agent``, which makes this node what the registry says."""

from __future__ import annotations

import argparse
import logging
import os
import select
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from wagtail_multihost.epilog import format_epilog
from wagtail_multihost.exceptions import COULD_NOT, MultihostError
from wagtail_multihost.node.reading import Table
from wagtail_multihost.registry.node_file import DEFAULT, VARIABLE, read_node_file
from wagtail_multihost.version import own_version

DESCRIPTION = (
    "Make this node what the registry in PostgreSQL says, and keep it so: read what is placed on it, write its sites' "
    "snapshots and its servers' files, reload, and report. What it does is in the table [agent] of the node file, "
    f"{DEFAULT} or ${VARIABLE}."
)
EXIT_CODES = {
    "0": "stopped by SIGTERM or SIGINT after what was begun; with --once: all is applied",
    "1": "with --once: something could not be applied, and stays as it was",
    "2": "could not start: options, the node file, or packages that are missing",
}
EXAMPLES = ("multihost-agent", "MULTIHOST_NODE_FILE=/etc/multihost/web1.toml multihost-agent --once")


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="multihost-agent",
        description=DESCRIPTION,
        epilog=format_epilog(EXIT_CODES, EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--once", action="store_true", help="apply what the registry says now, and exit")
    parser.add_argument("--version", action="version", version=own_version(), help="print the version of the package")
    return parser


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command with ``arguments``, or those of this process; return the exit code."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        return work(once=options.once)
    except MultihostError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return COULD_NOT


def work(*, once: bool) -> int:
    from wagtail_multihost.node.agent import Agent
    from wagtail_multihost.node.options import read_agent_options

    stopping = open_stop_descriptor()
    environ = dict(os.environ)
    agent = Agent(read_agent_options(read_node_file(environ)), environ, stopping, refuse_sealed)
    agent.start()
    try:
        seconds = agent.turn()
        if once:
            return 0 if agent.is_ready and not agent.failures else 1
        while not can_be_read(stopping):
            agent.wait(seconds)
            if not can_be_read(stopping):
                seconds = agent.turn()
    finally:
        agent.database.close()
    return 0


def open_stop_descriptor() -> int:
    """
    Return a descriptor that can be read once SIGTERM or SIGINT has come: what is being done is finished, and a wait
    ends at once (https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd).
    """
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def ignore(number: int, frame: FrameType | None) -> None:
        pass

    signal.set_wakeup_fd(writer)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ignore)
    return reader


def can_be_read(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])


def refuse_sealed(uid: str, field: str, sealing: Table) -> str:
    raise MultihostError("This node has no key to open what is sealed for it.")
