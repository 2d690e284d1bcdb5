"""Programs that a test starts, and stops however it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

STOP_SECONDS = 30
#: The ports that were given: nobody may listen at them yet.
GIVEN: set[int] = set()


def free_port() -> int:
    """Return a loopback port that is free now, and that this process was not given before."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in GIVEN:
            GIVEN.add(port)
            return port


def wait_for(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Poll until ``condition()`` is true; raises AssertionError that says what was waited for."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"Waited {seconds} s for {what}."
        time.sleep(0.1)


def accepts(path: Path) -> bool:
    """
    Return whether somebody takes connections at the unix socket ``path``. It does not connect, which would start what
    waits for a first connection. A server's file is there a moment before the server listens: bind(2) makes it,
    listen(2) comes later and sets 0x10000 among the flags of its line (``__SO_ACCEPTCON``, linux/net.h).
    """
    rows = (line.split(maxsplit=7) for line in Path("/proc/net/unix").read_text().splitlines()[1:])
    return any(row[7:] == [str(path)] and int(row[3], 16) & 0x10000 for row in rows)


@contextlib.contextmanager
def running(
    command: Sequence[str | Path], log: Path, environ: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program in a session of its own, its output in ``log``; end the whole session afterwards."""
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            env=environ,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def children(pid: int) -> list[int]:
    """Return the process ids of everything that descends from ``pid``."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += [int(child), *children(int(child))]
    return found


def is_running(pid: int) -> bool:
    """Return whether ``pid`` is a process that has not ended."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
