"""
The process between the caller and the site's process. It belongs to root, so that the site cannot reach it, and is the
subreaper of everything that the site starts, which it ends when the site's process has ended, on request, and when
the caller has gone.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from contextlib import suppress
from dataclasses import replace
from itertools import repeat
from typing import NamedTuple, NoReturn

from wagtail_multihost.exceptions import COULD_NOT, LaunchError
from wagtail_multihost.launch.descendants import MOST_REAPED, ControlGroup, end_descendants
from wagtail_multihost.launch.entering import Streams, close_others, describe_failure, enter, restore_signals
from wagtail_multihost.launch.kernel import adopt_orphans, end_with_parent
from wagtail_multihost.launch.plan import Launch

#: Ends everything at once.
END = signal.SIGUSR1
#: Passed on. After one of the last two the site's process has a few seconds left.
PASSED_ON = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)
LAST = (signal.SIGTERM, signal.SIGHUP)
WATCHED = frozenset({signal.SIGCHLD, END, *PASSED_ON})
PATIENCE = 3  # signals
GRACE_SECONDS = 10
#: As of timeout(1), env(1) and shells.
TIMED_OUT, REFUSED, SIGNALLED = 124, COULD_NOT, 128
LONGEST_SENTENCE = 4096


class Ended(NamedTuple):
    """How a program ended: the exit ``code`` as shells report it, and a ``sentence`` that explains it, if any."""

    code: int
    sentence: str = ""


def run_guard(launch: Launch, streams: Streams, group: ControlGroup | None, parent: int, report: int) -> NoReturn:
    """Run the program of ``launch`` in this process, which was forked for it with signals blocked; never return."""
    ended = Ended(REFUSED, "The guard of the site's process failed.")
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        adopt_orphans()
        end_with_parent(parent, END)
        child, told = start_site_process(launch, streams, group)
        leave_callers_streams(told, report)
        ended = wait_for_child(child, launch.seconds)
        if refused := os.read(told, LONGEST_SENTENCE):
            ended = Ended(REFUSED, refused.decode())
    finally:
        try:
            if not end_descendants(group):
                ended = Ended(ended.code, f"{ended.sentence} Processes of {launch.account.name} are left.".strip())
            if launch.private:
                shutil.rmtree(launch.private, ignore_errors=True)
            with suppress(OSError):
                os.write(report, f"{ended.code} {ended.sentence}".encode())
        finally:
            os._exit(0)


def start_site_process(launch: Launch, streams: Streams, group: ControlGroup | None) -> tuple[int, int]:
    """Start the site's process; return its id and a descriptor from which to read why it could not be started."""
    told, tell = os.pipe()
    wait, go = os.pipe()
    guard = os.getpid()
    child = os.fork()
    if child == 0:
        os.close(go)
        os.read(wait, 1)
        execute_program(launch, streams, guard, tell)
    os.close(wait)
    os.close(tell)
    if group:
        with suppress(OSError):
            group.take(child)
    os.close(go)
    return child, told


def execute_program(launch: Launch, streams: Streams, guard: int, tell: int) -> NoReturn:
    """Replace this process with the program of ``launch``, or write to ``tell`` why that failed."""
    try:
        os.set_blocking(tell, False)
        enter(replace(launch, descriptors=(*launch.descriptors, tell)), streams, parent=guard)
        os.set_inheritable(tell, False)
        restore_signals()
        # The command line is the operator's, as in any other call of a program.
        os.execve(launch.words[0], launch.words, dict(launch.environ))  # noqa: S606
    except LaunchError as error:
        os.write(tell, str(error).encode())
    except OSError as error:
        os.write(tell, describe_failure(launch, error).encode())
    finally:
        os._exit(REFUSED)


def leave_callers_streams(*kept: int) -> None:
    """Close inherited streams, so that readers of the site's output wait only for the site's processes."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nothing, descriptor)
    close_others(kept)


def wait_for_child(child: int, seconds: float | None) -> Ended:
    """Pass signals on until ``child`` ends or must be ended, and reap its descendants that end meanwhile."""
    deadline = time.monotonic() + seconds if seconds else None
    late = Ended(TIMED_OUT, f"The command was ended after {seconds:g} seconds." if seconds else "")
    at_once = Ended(SIGNALLED + signal.SIGKILL)
    received, is_ending = 0, False
    while True:
        left = 3600.0 if deadline is None else max(0.0, deadline - time.monotonic())
        found = signal.sigtimedwait(WATCHED, left)
        if deadline is not None and time.monotonic() >= deadline:  # even while children keep ending
            return late
        signum = found.si_signo if found else 0
        if signum == signal.SIGCHLD:
            if (status := reap_child(child)) is not None:
                return status
        elif signum in PASSED_ON:
            received += 1
            at_once = Ended(SIGNALLED + signum)
            signal_group(child, signum)
        if signum == END or received >= PATIENCE or (is_ending and signum in LAST):
            return at_once
        if signum in LAST:
            grace = time.monotonic() + GRACE_SECONDS
            deadline = grace if deadline is None else min(deadline, grace)
            late, is_ending = at_once, True


def reap_child(child: int) -> Ended | None:
    """Reap processes that have ended; return how ``child`` ended, None while it runs."""
    # It comes first: others may end faster than they are reaped.
    for pid in (child, *repeat(-1, MOST_REAPED)):
        try:
            ended, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            break
        if ended == child:
            code = os.waitstatus_to_exitcode(status)
            return Ended(SIGNALLED - code if code < 0 else code)
        if not ended and pid != child:
            break
    return None


def signal_group(child: int, signum: int) -> None:
    """Send a signal to the process group of the site's process."""
    with suppress(OSError):
        try:
            os.killpg(child, signum)
        except ProcessLookupError:  # it has no session of its own yet
            os.kill(child, signum)
