"""Start a program as a site's account, and stay with it until everything that it started has ended."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType

from wagtail_multihost.exceptions import LaunchError
from wagtail_multihost.launch.copying import Input, Output, copy_until
from wagtail_multihost.launch.descendants import ControlGroup, new_control_group
from wagtail_multihost.launch.entering import Streams
from wagtail_multihost.launch.guard import END, PASSED_ON, REFUSED, WATCHED, Ended, run_guard
from wagtail_multihost.launch.letters import Filter, Lines, Raw, Screen
from wagtail_multihost.launch.plan import Launch
from wagtail_multihost.launch.terminal import new_terminal, raw_mode
from wagtail_multihost.spec.permissions import ROOT

STDOUT, STDERR = 1, 2


class Ends:
    """Both ends of the site's streams: ours, and those of the site's process."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self.opened: set[int] = set()
        self.outputs: list[Output] = []
        self.terminal: int | None = None
        self.to: int | None = None
        if launch.has_terminal:
            self.terminal, theirs = self.keep(*new_terminal(launch.account))
            self.to = self.terminal
            self.copy(self.terminal, STDOUT, Screen())
            stderr = theirs if os.isatty(STDERR) else self.pipe(STDERR)
            self.theirs = Streams(theirs, theirs, stderr, theirs)
        else:
            self.theirs = Streams(self.input(), self.pipe(STDOUT), self.pipe(STDERR))

    def keep(self, *descriptors: int) -> tuple[int, ...]:
        self.opened.update(descriptors)
        return descriptors

    def input(self) -> int:
        if not self.launch.takes_input:
            return self.keep(os.open(os.devnull, os.O_RDONLY))[0]
        theirs, self.to = self.keep(*os.pipe())
        return theirs

    def pipe(self, target: int) -> int:
        ours, theirs = self.keep(*os.pipe())
        self.copy(ours, target, Lines())
        return theirs

    def copy(self, source: int, target: int, letters: Filter) -> None:
        self.outputs.append(Output(source, target, Raw() if self.launch.raw else letters))

    def close(self, *descriptors: int) -> None:
        for descriptor in self.opened.intersection(descriptors or self.opened):
            self.opened.discard(descriptor)
            with suppress(OSError):
                os.close(descriptor)


def execute(launch: Launch) -> Ended:
    """
    Run the program of ``launch``; return how it ended, once all its descendants have ended too. Signals are passed on.

    The program is executed anew with its own variables, because /proc/PID/environ keeps showing what a process was
    started with. Raises LaunchError unless this is root, who alone can change the account of a process.
    """
    if os.geteuid() != ROOT:
        raise LaunchError("Only root can start processes of other accounts.")
    open_missing_streams()
    flush_streams()
    with ExitStack() as stack:
        ends = Ends(launch)
        stack.callback(ends.close)
        group = new_control_group()
        if group:
            stack.callback(group.end)  # if the guard did not, because it was not started or was killed
        report, guard = start_guard(launch, ends, group)
        stack.callback(os.close, report)
        stack.enter_context(pass_signals_on(guard))
        if ends.terminal is not None:
            stack.enter_context(raw_mode(ends.terminal))
        given = None
        if ends.to is not None:
            given = Input(ends.to, is_terminal=launch.has_terminal, leave=lambda: os.kill(guard, END))
            if not launch.has_terminal:
                ends.opened.discard(ends.to)
        try:
            told = copy_until(report, ends.outputs, given)
        except BaseException:
            os.kill(guard, END)
            raise
        finally:
            os.waitpid(guard, 0)
    code, _, sentence = told.decode().partition(" ")
    return Ended(int(code), sentence) if code else Ended(REFUSED, "The guard of the site's process was killed.")


def start_guard(launch: Launch, ends: Ends, group: ControlGroup | None) -> tuple[int, int]:
    """
    Start the guard, which starts the program; return the descriptor that it reports on and its process id. Raises
    LaunchError.
    """
    report, reports = os.pipe()
    caller = os.getpid()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)  # signals that arrive meanwhile wait for it
    try:
        guard = os.fork()
        if guard == 0:
            run_guard(launch, ends.theirs, group, caller, reports)
    except OSError as error:
        os.close(report)
        os.close(reports)
        raise LaunchError(f"No process can be started: {error.strerror}.") from None
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    os.close(reports)
    ends.close(*ends.theirs[:3])
    return report, guard


@contextmanager
def pass_signals_on(guard: int) -> Iterator[None]:
    """Pass signals on to the guard, which passes them on to the site's process."""

    def pass_on(signum: int, frame: FrameType | None) -> None:
        with suppress(OSError):
            os.kill(guard, signum)

    before = {signum: signal.signal(signum, pass_on) for signum in PASSED_ON}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def open_missing_streams() -> None:
    """Open closed standard streams (``>&-``) to /dev/null, or new descriptors would take their numbers."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it gets the lowest free number, which is this one


def flush_streams() -> None:
    """Flush Python's buffers before the process forks, or their contents would be written twice."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
