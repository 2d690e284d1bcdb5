"""
The process between the agent and a command that runs as a site: ``python -P -m wagtail_multihost.node.site_command``.
It reads from standard input what to run, and ends with the agent.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from wagtail_multihost.exceptions import COULD_NOT, MultihostError
from wagtail_multihost.launch.account import account_named
from wagtail_multihost.launch.environment import site_environ
from wagtail_multihost.launch.execution import execute
from wagtail_multihost.launch.kernel import end_with_parent
from wagtail_multihost.launch.plan import Launch
from wagtail_multihost.spec.permissions import ROOT
from wagtail_multihost.spec.printing import escape_unprintable


def main() -> int:
    """Run the command; return its exit code."""
    end_with_parent(os.getppid(), signal.SIGTERM)
    order = json.loads(sys.stdin.buffer.read())
    try:
        return carry_out(order)
    except (MultihostError, OSError) as error:
        print(escape_unprintable(str(error)), file=sys.stderr)
        return COULD_NOT


def carry_out(order: dict[str, Any]) -> int:
    variables = {name: str(value) for name, value in order["variables"].items()}
    words = tuple(order["words"])
    if not order["user"]:
        # Without accounts, as on a developer's own machine: the agent's own account is that of all sites.
        environ = {"PATH": os.environ["PATH"], "HOME": "/", **variables}
        os.chdir(order["folder"])
        os.execve(words[0], words, environ)  # noqa: S606  # the node's own codebase
    if os.geteuid() != ROOT:
        raise MultihostError("Only root can run a command under a site's account, and the agent is not root.")
    account = account_named(order["user"], order["group"])
    ended = execute(
        Launch(
            account=account,
            environ=site_environ({}, account, variables),
            words=words,
            folders=(Path(order["folder"]),),
            seconds=order["seconds"],
        )
    )
    if ended.sentence:
        print(escape_unprintable(ended.sentence), file=sys.stderr)
    return ended.code


if __name__ == "__main__":
    sys.exit(main())
