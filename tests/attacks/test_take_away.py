"""What a removed site's account still runs is ended by the documented line, also what forks and exits all the time."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.accounts import needs_root, passable_folder
from tests.servers.processes import wait_for
from tests.test_docs import DOCS, blocks

pytestmark = [pytest.mark.servers, needs_root]

#: A number that is no account's: the line under test ends all that it runs.
ACCOUNT = "61777"
SECONDS = 20
#: Each generation starts the next one and ends: no process is there for long. At most 200 of them a second, and none
#: after the deadline, whatever becomes of the test. Each leaves its number.
RUNNER = """
import os, sys, time

deadline, path = time.monotonic() + float(sys.argv[1]), sys.argv[2]
while time.monotonic() < deadline:
    with open(path, "w") as file:
        file.write(str(os.getpid()))
    time.sleep(0.005)
    if os.fork():
        os._exit(0)
    os.setsid()
"""


@pytest.fixture(name="numbers")
def _numbers() -> Iterator[Path]:
    """Let the account run away, apart from whoever started it; return the file of the last process's number."""
    with passable_folder() as folder:
        path = folder / "number"
        path.touch()
        path.chmod(0o666)
        identity = ["setpriv", "--reuid", ACCOUNT, "--regid", ACCOUNT, "--clear-groups"]
        subprocess.run([*identity, "/usr/bin/python3", "-I", "-c", RUNNER, str(SECONDS), path], cwd="/", check=True)
        yield path
        wait_for(lambda: not is_running(path), "the end of what was started", SECONDS + 5)


def is_running(path: Path) -> bool:
    """Return whether generation still follows generation."""
    before = path.stat().st_mtime_ns
    time.sleep(0.3)
    return path.stat().st_mtime_ns != before


def documented() -> str:
    """Return the lines of the guide, for the account of the test."""
    guide = DOCS / "how-to/run-each-site-as-its-own-user.md"
    (lines,) = [block for block in blocks(guide, "shell") if "pgrep -u" in block]
    return lines.replace("site-aurora", ACCOUNT)


def test_documented_lines_end_what_forks_and_exits_all_the_time(numbers: Path) -> None:
    """Nothing of the account is left, long before the runner would have ended by itself."""
    start = time.monotonic()
    assert is_running(numbers)
    subprocess.run(["sh", "-c", documented()], check=True, capture_output=True, timeout=SECONDS / 2)
    assert not is_running(numbers)
    assert subprocess.run(["pgrep", "-u", ACCOUNT], capture_output=True, check=False).stdout == b""
    assert time.monotonic() - start < SECONDS / 2
