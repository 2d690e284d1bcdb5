"""Asking the servers whether they use the new configuration: ``nginx -s reload`` exits 0 even if they do not."""

from __future__ import annotations

import time

from wagtail_multihost.exceptions import ApplyError, EmitError
from wagtail_multihost.http_client.client import NoAnswerError, Target, ask_server, is_loopback_host

POLL_SECONDS = 0.1
MOST_SECONDS = 3  # of one request
MOST_BYTES = 65536
WORKING = range(200, 400)
SCHEMES = ("http:", "https:", "unix:")


def parse_url(url: str) -> Target:
    """Return the target of ``url``: http://, https:// or unix:/socket:/path; raises EmitError for anything else."""
    try:
        if has_plain_characters(url) and url.startswith(SCHEMES):
            return Target(url.removesuffix(":"), takes_query=True)
    except NoAnswerError:
        pass
    wanted = "accepted: http://HOST/PATH, https://HOST/PATH and unix:/SOCKET:/PATH"
    raise EmitError(f"--verify {url.partition('@')[2] or url!r} is not a URL to request; {wanted}.")


def has_plain_characters(url: str) -> bool:
    return url.isascii() and url.isprintable() and " " not in url


def verify(url: str, timeout: float, token: str, *, wants_line: bool = False) -> None:
    """
    Request ``url`` until the answer contains ``token`` or, if that is blank, has a status of 2xx or 3xx. ``wants_line``
    says that our server expects a line of the PROXY protocol; a proxy in front of it does not, so both are tried.

    Raises ApplyError when that does not happen within ``timeout`` seconds.
    """
    target = parse_url(url)
    deadline = time.monotonic() + timeout
    while True:
        left = deadline - time.monotonic()
        limit = max(0.1, min(left, MOST_SECONDS))
        said = ask_once(target, token, limit, is_proxy=wants_line)
        if not said or (wants_line and not ask_once(target, token, limit)):
            return
        if left <= POLL_SECONDS:
            wanted = f"the generation {token}" if token else "a status of 2xx or 3xx"
            raise ApplyError(f"{url} did not answer with {wanted} within {timeout:g} seconds: {said}.")
        time.sleep(POLL_SECONDS)


def ask_once(target: Target, token: str, timeout: float, *, is_proxy: bool = False) -> str:
    """Ask once; return what is wrong with the answer, blank if nothing is."""
    try:
        reply = ask_server(
            target,
            target.path or "/",
            seconds=timeout,
            agent="multihost-apply",
            enough=MOST_BYTES,
            is_proxy=is_proxy,
            trusts_any=is_loopback_host(target.host),  # certificates are for other names than localhost
        )
    except NoAnswerError as error:
        return f"it cannot be asked ({str(error).removeprefix('There was no answer: ').removesuffix('.')})"
    if reply.status not in WORKING:
        return f"it answered with the status {reply.status}"
    if token and token.encode() not in reply.body:
        return f"its answer, with the status {reply.status}, does not contain it"
    return ""
