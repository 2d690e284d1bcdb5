"""Root at a terminal of its own, who runs a hostile command as a site: what the attacks on launching have in common."""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

SITE = "games"
#: Runs its argument as a site's program does, by Python code or by a shell line.
CALLER = """
import os, sys
from pathlib import Path
from wagtail_multihost.launch.account import account_named
from wagtail_multihost.launch.environment import site_environ
from wagtail_multihost.launch.execution import execute
from wagtail_multihost.launch.plan import Launch
from wagtail_multihost.launch.terminal import has_terminal
account, is_terminal = account_named({site!r}), has_terminal()
environ = site_environ(os.environ, account, {{}}, has_terminal=is_terminal)
private = os.environ.get("TEST_PRIVATE")
ended = execute(Launch(account=account, environ=environ, words=("/usr/bin/python3", "-c", sys.argv[1]),
    has_terminal=is_terminal, takes_input=is_terminal or "TEST_INPUT" in os.environ,
    seconds=float(os.environ.get("TEST_SECONDS", 0)) or None, private=Path(private) if private else None))
print(ended.sentence, end="", file=sys.stderr)
sys.exit(ended.code)
"""


def words(code: str) -> list[str]:
    return [sys.executable, "-c", CALLER.format(site=SITE), code]


def run(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run Python code as the site, from root without a terminal."""
    return subprocess.run(
        words(code), env=os.environ | environ, capture_output=True, text=True, timeout=60, check=False
    )


def at_terminal(
    command: Sequence[str], typed: bytes = b"", environ: Mapping[str, str] | None = None
) -> tuple[int, bytes, bytes]:
    """
    Run a command of root's at a terminal of the test's; return its exit code, what the terminal shows, and what is in
    its input afterwards, as if somebody had typed it.
    """
    ours, theirs = os.openpty()
    started = ["setsid", "--ctty", *command]
    process = subprocess.Popen(started, stdin=theirs, stdout=theirs, stderr=theirs, env=environ)
    shown, deadline, is_typed = b"", time.monotonic() + 30, not typed
    while process.poll() is None and time.monotonic() < deadline:
        if select.select([ours], [], [], 0.05)[0]:
            shown += os.read(ours, 65536)
        if not is_typed and b"ready" in shown:
            os.write(ours, typed)
            is_typed = True
    while select.select([ours], [], [], 0.1)[0]:
        shown += os.read(ours, 65536)
    attributes = termios.tcgetattr(theirs)
    attributes[3] &= ~termios.ICANON
    termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    waiting = int.from_bytes(fcntl.ioctl(theirs, termios.FIONREAD, bytes(4)), sys.byteorder)
    left = os.read(theirs, waiting) if waiting else b""
    os.close(ours)
    os.close(theirs)
    assert process.poll() is not None, shown
    return process.returncode, shown, left


def is_alive(mark: str) -> bool:
    """Return whether a process runs whose command line has ``mark``."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                text = (folder / "cmdline").read_bytes()
                state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if mark.encode() in text and state != "Z":
                return True
    return False


def wait_until_gone(mark: str, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while is_alive(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not is_alive(mark)
