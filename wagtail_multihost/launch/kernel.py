"""System calls that Python has no function for: prctl(2) and keyctl(2)."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
import sys

from wagtail_multihost.exceptions import LaunchError

# linux/prctl.h
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
# linux/keyctl.h
KEYCTL_JOIN_SESSION_KEYRING = 1
#: The number of keyctl(2) for programs of 64 and of 32 bits, by what uname(2) says of the machine: a kernel of 64 bits
#: runs both. From scripts/syscall.tbl and arch/*/**/syscall*.tbl of Linux
#: (https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/).
KEYCTL = {
    **dict.fromkeys(("x86_64", "i386", "i486", "i586", "i686"), (250, 288)),
    **dict.fromkeys(("aarch64", "armv6l", "armv7l", "armv8l"), (219, 311)),
    **dict.fromkeys(("riscv64", "riscv32", "loongarch64"), (219, 219)),
    **dict.fromkeys(("ppc64le", "ppc64", "ppc"), (271, 271)),
    **dict.fromkeys(("s390x", "s390"), (280, 280)),
}
#: A kernel without keys, or a container engine's system call filter, which the site's process has too.
NO_KEYS = frozenset({errno.ENOSYS, errno.EPERM})

libc = ctypes.CDLL(None, use_errno=True)


def prctl(option: int, value: int) -> None:
    arguments = [ctypes.c_ulong(number) for number in (value, 0, 0, 0)]
    if libc.prctl(option, *arguments):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def forbid_new_privileges() -> None:
    """Keep programs that are executed from now on from gaining privileges, whatever their mode."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)


def end_with_parent(parent: int, signum: int = signal.SIGKILL) -> None:
    """
    Receive ``signum`` when the process ``parent`` ends, or now if it has ended already. A change of account undoes this
    (prctl(2)), so call it afterwards.
    """
    prctl(PR_SET_PDEATHSIG, signum)
    if os.getppid() != parent:
        os.kill(os.getpid(), signum)


def adopt_orphans() -> None:
    """Become the parent of all descendants whose parent ends, even in other sessions."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)


def leave_keyring() -> None:
    """
    Leave the session's keyring, whose keys its members may read (session-keyring(7)), for an empty one. Call it as
    root: a site may have used up its account's quota of keys, which leaves no room for another keyring. Raises
    LaunchError on machines for which the system call's number is not known.
    """
    number = keyctl_number(platform.machine(), is_wide=sys.maxsize > 2**32)
    if libc.syscall(ctypes.c_long(number), ctypes.c_long(KEYCTL_JOIN_SESSION_KEYRING), None) == -1:
        code = ctypes.get_errno()
        if code not in NO_KEYS:
            raise OSError(code, os.strerror(code))


def keyctl_number(machine: str, *, is_wide: bool) -> int:
    """Return the number of keyctl(2) for a program of 64 bits (``is_wide``) or 32; raises LaunchError."""
    if machine not in KEYCTL:
        raise LaunchError(
            f"Root's keyring cannot be kept from the site: the number of keyctl(2) is not known for {machine} machines."
        )
    wide, narrow = KEYCTL[machine]
    return wide if is_wide else narrow
