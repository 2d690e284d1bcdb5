"""Changing from root to a site's account."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import termios
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from wagtail_multihost.exceptions import LaunchError
from wagtail_multihost.launch.kernel import end_with_parent, forbid_new_privileges, leave_keyring
from wagtail_multihost.launch.plan import Launch

UMASK = 0o077
FIRST_FREE = 3


class Streams(NamedTuple):
    """The descriptors that become standard input, output and error; ``terminal`` is one that becomes the session's."""

    stdin: int
    stdout: int
    stderr: int
    terminal: int | None = None


def enter(launch: Launch, streams: Streams, *, parent: int) -> None:
    """
    Turn this process, which the root process ``parent`` has forked for this, into one of the site: account, session,
    descriptors, limits, variables and folder. It keeps the whole memory of a template, so only a template that was
    started by ``execute``, and has read no secret since, may be forked. After a LaunchError the process must end.
    """
    os.setsid()
    if streams.terminal is not None:
        fcntl.ioctl(streams.terminal, termios.TIOCSCTTY, 0)
    place_streams(streams)
    close_others(launch.descriptors)
    set_limits(launch.limits)
    os.umask(UMASK)
    leave_keyring()
    launch.account.become()
    forbid_new_privileges()
    end_with_parent(parent)
    os.environ.clear()
    os.environ.update(launch.environ)
    enter_folder(launch)
    for file in launch.reads:
        if not os.access(file, os.R_OK):
            raise LaunchError(f"The account {launch.account.name} cannot read {file}.")


def place_streams(streams: Streams) -> None:
    # A stream may have the number of another one, and must not be overwritten before it is moved.
    moved = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, FIRST_FREE) for descriptor in streams[:3]]
    for target, descriptor in enumerate(moved):
        os.dup2(descriptor, target)


def close_others(kept: Iterable[int]) -> None:
    """Close every descriptor except the standard ones and ``kept``."""
    start = FIRST_FREE
    for descriptor in sorted(kept):
        os.closerange(start, descriptor)
        os.set_inheritable(descriptor, True)
        start = descriptor + 1
    os.closerange(start, os.sysconf("SC_OPEN_MAX"))
    for name in os.listdir("/proc/self/fd"):  # above a limit that was lowered after they were opened
        if int(name) >= max(start, os.sysconf("SC_OPEN_MAX")):
            os.close(int(name))


def set_limits(limits: Mapping[int, int]) -> None:
    """Lower the soft and hard resource limits; one that is lower already stays."""
    for kind, wanted in limits.items():
        _, hard = resource.getrlimit(kind)
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (value, value))


def enter_folder(launch: Launch) -> None:
    """Change to the first of the folders that the account can enter; root's working folder may be closed to it."""
    for folder in launch.folders:
        try:
            os.chdir(folder)
        except OSError:
            continue
        return
    places = " or ".join(str(folder) for folder in launch.folders)
    raise LaunchError(f"The account {launch.account.name} cannot enter the folder {places}.")


def restore_signals() -> None:
    """
    Reset the signals that Python ignores, or that were ignored because this process was started in the background (sh
    ignores SIGINT and SIGQUIT there), and unblock all, for the program that is executed next.
    """
    for signum in signal.valid_signals():
        if signal.getsignal(signum) is signal.SIG_IGN:
            signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def describe_failure(launch: Launch, error: OSError) -> str:
    """Return why the program of ``launch`` could not be executed, as a sentence."""
    program = Path(launch.words[0])
    hint = " Every folder above it must be open to the account." if isinstance(error, PermissionError) else ""
    return f"The account {launch.account.name} cannot run {program}: {error.strerror}.{hint}"
