"""What can be said on the command line."""

import argparse
import socket
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """The port on 127.0.0.1, and whether there is a control site."""

    port: int
    with_control: bool


def parse_options() -> Options:
    parser = argparse.ArgumentParser(
        prog="example_project/run",
        description="Serve three isolated Wagtail sites, and a control site that makes more of them.",
    )
    parser.add_argument("--port", type=int, default=8000, help="the port on 127.0.0.1 (default: 8000)")
    parser.add_argument(
        "--without-control",
        dest="with_control",
        action="store_false",
        help="serve what sites.toml says, without PostgreSQL and a control site",
    )
    options = parser.parse_args()
    if not 1 <= options.port <= 65535:
        parser.error(f"--port must be 1 to 65535, not {options.port}.")
    return Options(options.port, options.with_control)


def refuse_used_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            sys.exit(f"Port {port} cannot be used: {error.strerror}. Choose another: example_project/run --port N")
