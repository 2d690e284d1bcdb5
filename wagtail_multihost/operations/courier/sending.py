"""
The process that sends one alert to one address, by Apprise: ``python -P -m`` with the name of this module.

It is a process of its own, so that a provider that never answers ends with it, and so that the code of a hundred
providers is not loaded into the courier. What is sent and where to stands on stdin, where no other account reads it.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from contextlib import suppress

from wagtail_multihost.operations.courier.alert_texts import Message
from wagtail_multihost.spec.secret import Secret

#: Exit codes.
SENT, NOT_SENT, NOT_UNDERSTOOD, NO_PACKAGE = 0, 1, 3, 4
#: Seconds for one address, after which the process is killed.
SECONDS = 30.0
EXTRA = "The courier needs apprise to send alerts: pip install 'wagtail-multihost[alerts]'."
PROBLEMS = {
    NOT_SENT: "The provider did not take it.",
    NOT_UNDERSTOOD: "Apprise does not understand the address in the courier's file.",
    NO_PACKAGE: EXTRA,
}


def send_in_process(url: Secret, message: Message, seconds: float = SECONDS) -> str:
    """Send a message from a process of its own; return why it did not arrive, blank if it did."""
    wanted = json.dumps({"url": url.reveal(), **message._asdict()})
    program = [sys.executable, "-P", "-m", __name__]
    try:
        done = subprocess.run(  # noqa: S603  # this module, with nothing of anybody else in its words
            program,
            input=wanted.encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"The provider did not answer within {seconds:g} seconds."
    except OSError:
        return "No process could be started to send it."
    return "" if done.returncode == SENT else PROBLEMS.get(done.returncode, PROBLEMS[NOT_SENT])


def send(url: str, title: str, body: str, mark: str) -> int:
    """Send a message; return the exit code."""
    logging.disable()
    try:
        from apprise import Apprise, AppriseAsset, NotifyFormat, PersistentStoreMode
    except ImportError:
        return NO_PACKAGE
    # Nothing is kept on a disk, and no provider of anybody's is loaded.
    asset = AppriseAsset(plugin_paths=[], storage_mode=PersistentStoreMode.MEMORY, secure_logging=True)
    receiver = Apprise(asset=asset)
    if not receiver.add(url):
        return NOT_UNDERSTOOD
    is_sent = receiver.notify(body=body, title=title, notify_type=mark, body_format=NotifyFormat.TEXT)
    return SENT if is_sent else NOT_SENT


def main() -> int:
    code = NOT_SENT
    with suppress(Exception):
        code = send(**json.load(sys.stdin))
    return code


if __name__ == "__main__":
    sys.exit(main())
