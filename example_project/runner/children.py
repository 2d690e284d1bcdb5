"""The programs that a run starts. None outlives it, and none prints on its terminal."""

import contextlib
import ctypes
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.interrupt import SIGNALS, held_signals
from runner.progress import Progress

START_SECONDS = 60
STOP_SECONDS = 15
PR_SET_PDEATHSIG = 1  # prctl(2)
LIBC = ctypes.CDLL(None)
started: list["Child"] = []


class Failure(Exception):
    """Something cannot be done, in a sentence."""


@dataclass(frozen=True)
class Child:
    """A process, the file that has all that it prints, and the signal that ends it."""

    process: subprocess.Popen[bytes]
    log: Path
    end_signal: signal.Signals


def start(
    command: Sequence[str],
    log: Path,
    environ: Mapping[str, str],
    cwd: Path,
    *,
    account: pwd.struct_passwd | None = None,
    end_signal: signal.Signals = signal.SIGTERM,
    descriptors: Sequence[int] = (),
) -> Child:
    """Start a program, as ``account`` if one is given, with the open files ``descriptors``."""

    def be_a_child() -> None:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        if account:
            os.setgroups([])
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
        # After the account, which would undo it (prctl(2)).
        if sys.platform == "linux":  # end with this run, also if that is killed
            LIBC.prctl(PR_SET_PDEATHSIG, end_signal)

    with held_signals(), open(log, "wb") as output:
        process = subprocess.Popen(
            command,
            env=dict(environ),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C goes to everything in a terminal's session; this run tells it itself
            pass_fds=descriptors,
            preexec_fn=be_a_child,
        )
        started.append(Child(process, log, end_signal))
    return started[-1]


def last_line(text: str) -> str:
    """Return the last thing that a program said: the error, in a traceback too."""
    return next((line.strip() for line in reversed(text.split("\n")) if line.strip()), "It said nothing.")


def finish(children: Sequence[Child], progress: Progress, reason_of: Callable[[str], str] = last_line) -> None:
    """Wait until all have ended. If one fails, raise Failure with the reason that ``reason_of`` finds in its output."""
    while True:
        codes = [child.process.poll() for child in children]
        for child, code in zip(children, codes, strict=True):
            if code:
                text = child.log.read_text(errors="replace")
                raise Failure(f"It failed: {reason_of(text) or last_line(text)} All of its output is in {child.log}")
        if None not in codes:
            return
        progress.show()
        time.sleep(0.05)


def wait_for(condition: Callable[[], bool], child: Child, what: str, progress: Progress) -> None:
    """Wait until ``condition`` holds, which ``child`` brings about; raise Failure if it ends, or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        if child.process.poll() is not None or time.monotonic() > deadline:
            raise Failure(f"{what} does not answer. {child.log} says why.")
        progress.show()
        time.sleep(0.1)


def end_all() -> None:
    """Stop what still runs."""
    end(started)


def end(children: Sequence[Child]) -> None:
    """Stop those of ``children`` that still run."""
    running = [child for child in children if child.process.poll() is None]
    for child in running:
        child.process.send_signal(child.end_signal)
    deadline = time.monotonic() + STOP_SECONDS
    for process in (child.process for child in running):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.1, deadline - time.monotonic()))
        # What it started itself is in its session, and has ended with it, or ends now.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
