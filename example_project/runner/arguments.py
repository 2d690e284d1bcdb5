"""What can be said on the command line."""

import argparse
import socket
import sys


def parse_port() -> int:
    parser = argparse.ArgumentParser(prog="example_project/run", description="Serve three isolated Wagtail sites.")
    parser.add_argument("--port", type=int, default=8000, help="the port on 127.0.0.1 (default: 8000)")
    port = parser.parse_args().port
    if not 1 <= port <= 65535:
        parser.error(f"--port must be 1 to 65535, not {port}.")
    return int(port)


def refuse_used_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            sys.exit(f"Port {port} cannot be used: {error.strerror}. Choose another: example_project/run --port N")
