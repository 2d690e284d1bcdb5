"""The programs that a run starts. None outlives it, and none prints on its terminal."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.interrupt import SIGNALS, held_signals
from runner.progress import Progress

STOP_SECONDS = 15
PR_SET_PDEATHSIG = 1  # prctl(2)
LIBC = ctypes.CDLL(None)
started: list["Child"] = []


@dataclass(frozen=True)
class Child:
    """A process, and the file that has all that it prints."""

    process: subprocess.Popen[bytes]
    log: Path


def start(command: Sequence[str], log: Path, environ: Mapping[str, str], cwd: Path) -> Child:
    with held_signals(), open(log, "wb") as output:
        process = subprocess.Popen(
            command,
            env=dict(environ),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C goes to everything in a terminal's session; this run tells it itself
            preexec_fn=be_a_child,
        )
        started.append(Child(process, log))
    return started[-1]


def be_a_child() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    if sys.platform == "linux":  # end with this run, also if that is killed
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def last_line(text: str) -> str:
    """Return the last thing that a program said: the error, in a traceback too."""
    return next((line.strip() for line in reversed(text.split("\n")) if line.strip()), "It said nothing.")


def finish(children: Sequence[Child], progress: Progress, reason_of: Callable[[str], str] = last_line) -> None:
    """Wait until all have ended. If one fails, exit at once with the reason that ``reason_of`` finds in its output."""
    while True:
        codes = [child.process.poll() for child in children]
        for child, code in zip(children, codes, strict=True):
            if code:
                progress.end()
                text = child.log.read_text(errors="replace")
                sys.exit(f"It failed: {reason_of(text) or last_line(text)} All of its output is in {child.log}")
        if None not in codes:
            return
        progress.show()
        time.sleep(0.05)


def end_all() -> None:
    """Stop what still runs."""
    running = [child.process for child in started if child.process.poll() is None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for process in running:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.1, deadline - time.monotonic()))
        # What it started itself is in its session, and has ended with it, or ends now.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
