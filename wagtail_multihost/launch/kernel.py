"""What Python has no function for: prctl(2) and keyctl(2)."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal

# linux/prctl.h
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
# linux/keyctl.h, and the number of the system call where it is known.
KEYCTL_JOIN_SESSION_KEYRING = 1
KEYCTL = {"x86_64": 250, "aarch64": 219, "riscv64": 219, "ppc64le": 271, "s390x": 280}
#: A kernel without keys, or a filter of a container engine's, which the site's process has too.
NO_KEYS = frozenset({errno.ENOSYS, errno.EPERM})

libc = ctypes.CDLL(None, use_errno=True)


def prctl(option: int, value: int) -> None:
    arguments = [ctypes.c_ulong(number) for number in (value, 0, 0, 0)]
    if libc.prctl(option, *arguments):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def forbid_new_privileges() -> None:
    """No program that is executed from here on has more rights, whatever its mode says."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)


def end_with_parent(parent: int, signum: int = signal.SIGKILL) -> None:
    """
    Get ``signum`` when the process ``parent`` has gone, also when it has already. A change of account takes this back
    (prctl(2)), so it comes after one.
    """
    prctl(PR_SET_PDEATHSIG, signum)
    if os.getppid() != parent:
        os.kill(os.getpid(), signum)


def adopt_orphans() -> None:
    """Become the parent of all descendants whose own parent ends, also of those in sessions of their own."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)


def leave_keyring() -> None:
    """
    Leave the session's keyring, whose keys its members may read (session-keyring(7)), for one that is empty. Still as
    root: a site may have used up its account's quota of keys, and there would be no room for another keyring.
    """
    number = KEYCTL.get(platform.machine())
    if number and libc.syscall(ctypes.c_long(number), ctypes.c_long(KEYCTL_JOIN_SESSION_KEYRING), None) == -1:
        code = ctypes.get_errno()
        if code not in NO_KEYS:
            raise OSError(code, os.strerror(code))
