"""What is asked of the kernel, in its own numbers, and what its answers mean."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from tests.launch.child import in_child
from wagtail_multihost.exceptions import LaunchError
from wagtail_multihost.launch import kernel
from wagtail_multihost.launch.kernel import adopt_orphans, end_with_parent, forbid_new_privileges, leave_keyring


def calls_of(monkeypatch: pytest.MonkeyPatch, answer: int = 0, code: int = 0) -> list[list[int | None]]:
    """Return a list that calls of the C library are noted in; each returns ``answer``, and has the error ``code``."""
    calls: list[list[int | None]] = []

    def call(*arguments: object) -> int:
        calls.append([getattr(argument, "value", argument) for argument in arguments])  # type: ignore[misc]
        ctypes.set_errno(code)
        return answer

    monkeypatch.setattr(kernel, "libc", SimpleNamespace(prctl=call, syscall=call))
    return calls


@pytest.mark.parametrize(
    ("ask", "arguments"),
    [
        (forbid_new_privileges, [38, 1, 0, 0, 0]),
        (adopt_orphans, [36, 1, 0, 0, 0]),
        (lambda: end_with_parent(os.getppid()), [1, signal.SIGKILL, 0, 0, 0]),
        (lambda: end_with_parent(os.getppid(), signal.SIGUSR1), [1, signal.SIGUSR1, 0, 0, 0]),
    ],
)
def test_kernel_is_asked_with_its_own_numbers(
    monkeypatch: pytest.MonkeyPatch, ask: Callable[[], None], arguments: list[int]
) -> None:
    """prctl(2) gets the option, the value, and zeros where it looks at them; a refusal is an error."""
    calls = calls_of(monkeypatch)
    ask()
    assert calls == [arguments]
    calls_of(monkeypatch, -1, errno.EINVAL)
    with pytest.raises(OSError, match="Invalid argument") as caught:
        ask()
    assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize(
    ("machine", "number"),
    [("x86_64", 250), ("aarch64", 219), ("riscv64", 219), ("ppc64le", 271), ("s390x", 280)],
)
def test_keyring_is_left_by_the_systems_call(monkeypatch: pytest.MonkeyPatch, machine: str, number: int) -> None:
    """A new anonymous keyring is joined where the number of the call is known."""
    monkeypatch.setattr(platform, "machine", lambda: machine)
    calls = calls_of(monkeypatch, 1234)
    leave_keyring()
    assert calls == [[number, 1, None]]


def test_unknown_machine_keeps_no_keyring_of_roots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the number of the call is not known nothing is run, because root's keyring would go along."""
    monkeypatch.setattr(platform, "machine", lambda: "sparc")
    calls = calls_of(monkeypatch, 1234)
    with pytest.raises(LaunchError, match="not known for sparc machines"):
        leave_keyring()
    assert calls == []


@pytest.mark.parametrize(
    ("code", "is_error"), [(errno.ENOSYS, False), (errno.EPERM, False), (errno.EDQUOT, True), (errno.EACCES, True)]
)
def test_kernel_without_keys_is_no_error(monkeypatch: pytest.MonkeyPatch, code: int, is_error: bool) -> None:
    """Where there are no keys there is nothing to leave; that there is no room for another keyring ends the launch."""
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    calls_of(monkeypatch, -1, code)
    if is_error:
        with pytest.raises(OSError, match=os.strerror(code)) as caught:
            leave_keyring()
        assert caught.value.errno == code
    else:
        leave_keyring()


@pytest.mark.parametrize("is_late", [True, False])
def test_process_ends_with_its_parent(is_late: bool) -> None:
    """A child gets the signal when its parent ends, and at once when it had ended before."""

    def work() -> int:
        adopt_orphans()
        parent = os.fork()
        if not parent:
            mine = os.getpid()
            if os.fork():
                time.sleep(0 if is_late else 0.2)
                os._exit(0)
            if is_late:
                time.sleep(0.3)
            end_with_parent(mine, signal.SIGUSR1)
            time.sleep(20)
            os._exit(0)
        os.waitpid(parent, 0)
        return os.waitstatus_to_exitcode(os.waitpid(-1, 0)[1])

    assert in_child(work) == -signal.SIGUSR1


def test_process_with_its_parent_goes_on() -> None:
    """Nothing is sent while the parent is there."""

    def work() -> int:
        here = os.getpid()
        child = os.fork()
        if not child:
            end_with_parent(here, signal.SIGKILL)
            time.sleep(0.05)
            os._exit(7)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert in_child(work) == 7


def test_errors_of_calls_are_kept_for_us() -> None:
    """The library is loaded so that the error of a call is that call's."""
    ctypes.set_errno(0)
    with pytest.raises(OSError) as caught:
        kernel.prctl(99999, 0)
    assert caught.value.errno == errno.EINVAL
