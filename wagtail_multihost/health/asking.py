"""
What the commands that ask a server share: their options, the request, and what the answer means.

Nothing here imports Django: see :mod:`~wagtail_multihost.http_client.client`.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Collection

from wagtail_multihost.http_client.client import NoAnswerError, Reply, Target, ask_server

MAX_TOKEN_BYTES = 4096
TOKEN_FORM = re.compile(r"[!-~]+")
UP, DOWN = frozenset({"pass", "warn"}), frozenset({"fail", "draining", "starting", "stale"})
PASS, FAIL, UNKNOWN, WARN = range(4)
PREFIX = "/-/"
SECONDS = 2
MAX_WAIT_SECONDS = 3600
EXIT_CODES = {
    "0": "pass; with --probe also warn, as Docker's HEALTHCHECK and ECS require",
    "1": "fail, draining, starting or stale; with --probe also unknown",
    "2": "unknown",
    "3": "warn",
}


def add_arguments(parser: argparse.ArgumentParser, *, asks_always: bool) -> argparse._MutuallyExclusiveGroup:
    """
    Add the options that both commands have; ``asks_always`` is for the one that cannot run probes itself. Return the
    group of options that choose what to do.
    """
    parser.add_argument(
        "--url",
        required=asks_always,
        help=(
            "the running server to ask: http://HOST:PORT, https://HOST, unix:/PATH.sock (HTTP), uwsgi:/PATH.sock or "
            "uwsgi://HOST:PORT (uWSGI's protocol). A path may follow; after that of a socket it is separated by a colon"
        ),
    )
    work = parser.add_mutually_exclusive_group()
    work.add_argument("--probe", action="store_true", help="print one line, and exit 0 or 1: for HEALTHCHECK")
    work.add_argument("--json", action="store_true", help="print application/health+json; problems are JSON too")
    work.add_argument("--drain", action="store_true", help="start to drain: ready answers 503 draining")
    work.add_argument("--undrain", action="store_true", help="end the drain")
    parser.add_argument(
        "--wait", metavar="SECONDS", type=parse_wait, default=0.0, help="how long to wait after --drain"
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=parse_timeout,
        default=SECONDS,
        help=f"how long the whole answer may take with --url (default: {SECONDS})",
    )
    parser.add_argument("--token-file", metavar="FILE", help="a file with the token to send to --url")
    parser.add_argument("--ca-file", metavar="FILE", help="a file with the certificate authorities to trust for https")
    return work


def parse_timeout(text: str) -> float:
    return parse_seconds(text, 0.001, 300)


def parse_wait(text: str) -> float:
    return parse_seconds(text, 0, MAX_WAIT_SECONDS)


def parse_seconds(text: str, least: float, most: float) -> float:
    value = float(text)
    if not least <= value <= most:  # false for NaN too
        raise argparse.ArgumentTypeError(f"{text} is not accepted: it must be {least:g} to {most:g} seconds.")
    return value


class ServerQuery:
    """
    The request that the options describe. ``prefix`` is the endpoint's. ``token`` is sent if there is no
    ``--token-file``: on this machine only to servers that run as one of ``accounts``.
    """

    def __init__(
        self, options: argparse.Namespace, *, prefix: str = PREFIX, token: str = "", accounts: Collection[int] = ()
    ) -> None:
        self.options, self.prefix = options, prefix
        self.target = Target(options.url)
        if options.token_file:
            token = read_token(options.token_file)
        elif not self.target.keeps_secrets:
            token = ""
        self.token = token
        self.accounts = () if options.token_file else accounts

    @property
    def path(self) -> str:
        if self.options.drain or self.options.undrain:
            return f"{self.prefix}drain"
        name = "ready" if self.options.probe else "health.json" if self.options.json else "health.txt"
        return self.target.path or f"{self.prefix}{name}"

    @property
    def method(self) -> str:
        return "POST" if self.options.drain else "DELETE" if self.options.undrain else "GET"

    def reply(self) -> Reply:
        """Ask the server and return its answer; raises NoAnswerError."""
        given = {"token": self.token, "seconds": self.options.timeout, "ca_file": self.options.ca_file}
        return ask_server(self.target, self.path, method=self.method, accounts=self.accounts, **given)


def format_reply(reply: Reply, *, json: bool) -> str:
    """Return the text to print for an answer. Raises NoAnswerError if JSON is wanted and it is not JSON."""
    if not json:
        return reply.text
    document = parse_document(reply)
    if document is None:
        raise NoAnswerError("The answer is not a JSON object.")
    from json import dumps

    try:
        return dumps(document, indent=2, allow_nan=False)  # ASCII, without control characters for a terminal
    except (ValueError, RecursionError):  # NaN, which Python reads, or nested too deeply
        raise NoAnswerError("The answer is not a JSON object.") from None


def drain_word(reply: Reply) -> str:
    """Return the server's word after --drain or --undrain; raises NoAnswerError if it refused."""
    if reply.status != 200 or reply.text not in ("draining", "serving"):
        raise NoAnswerError(f"The server did not do it: {describe_refusal(reply)}")
    return reply.text


def exit_code(word: str, *, probe: bool) -> int:
    if word in UP:
        return PASS if probe or word == "pass" else WARN
    return FAIL


def status_word(reply: Reply) -> str:
    """Return the status word of an answer. Raises NoAnswerError if the answer is not the endpoint's."""
    word = find_word(reply)
    if (word in UP and reply.status == 200) or (word in DOWN and reply.status == 503):
        return word
    raise NoAnswerError(f"The health is unknown: {describe_refusal(reply)}")


def describe_refusal(reply: Reply) -> str:
    if 300 <= reply.status < 400:
        return f"the answer is a redirect (status {reply.status}), which is not followed."
    if reply.status == 401:
        return "the token is missing or not accepted (status 401)."
    return f"the answer (status {reply.status}) is not from the health endpoint."


def find_word(reply: Reply) -> str:
    if not reply.is_json:
        return reply.text.partition("\n")[0].strip()
    document = parse_document(reply) or {}
    words = [str(document.get(name, "")) for name in ("output", "status")]
    return next((word for word in words if word in UP | DOWN), "")


def parse_document(reply: Reply) -> dict[str, object] | None:
    import json  # not at start: most probes do not need it

    try:
        document = json.loads(reply.body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def read_token(path: str) -> str:
    """Return the token in a file. Raises NoAnswerError if there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            token = os.read(descriptor, MAX_TOKEN_BYTES).decode("utf-8", "replace").strip()
        finally:
            os.close(descriptor)
    except OSError as error:
        raise NoAnswerError(f"The token file cannot be read: {error.strerror}.") from None
    if not TOKEN_FORM.fullmatch(token):
        raise NoAnswerError("The token file holds no token: printable ASCII without spaces is accepted.")
    return token
