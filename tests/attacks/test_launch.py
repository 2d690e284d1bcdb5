"""A site's code, run by root: what it gets of root's terminal, variables, descriptors and processes."""

from __future__ import annotations

import errno
import json
import os
import platform
import secrets
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.accounts import needs_root, passable_folder
from tests.attacks.launching import SITE, at_terminal, run, wait_until_gone, words
from wagtail_multihost.exceptions import LaunchError
from wagtail_multihost.launch import guard
from wagtail_multihost.launch.account import account_named
from wagtail_multihost.launch.copying import Input, update_selector
from wagtail_multihost.launch.descendants import (
    MOST_REAPED,
    descendants,
    new_control_group,
    reaped_all,
    remove_left_over,
)
from wagtail_multihost.launch.execution import execute
from wagtail_multihost.launch.kernel import keyctl_number, leave_keyring
from wagtail_multihost.launch.letters import RESET, Screen
from wagtail_multihost.launch.plan import Launch

pytestmark = [needs_root, pytest.mark.projects]

TYPE = (
    "import fcntl, termios, os\n"
    "for descriptor in (0, 1, 2, os.open('/dev/tty', os.O_RDWR)):\n"
    "    for letter in b'id > ROOTED\\n': fcntl.ioctl(descriptor, termios.TIOCSTI, bytes([letter]))\n"
)
FACTS = """
import json, os, resource
from pathlib import Path
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(json.dumps({
    "ids": [*os.getresuid(), *os.getresgid()], "groups": os.getgroups(), "environ": dict(os.environ),
    "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd"))[:-1],
    "new_privileges": status["NoNewPrivs"].strip(), "capabilities": status["CapEff"].strip(),
    "core": resource.getrlimit(resource.RLIMIT_CORE), "processes": resource.getrlimit(resource.RLIMIT_NPROC),
    "umask": status["Umask"].strip(),
    "session": os.getsid(0) == os.getpid(),
}))
"""


def test_nothing_is_typed_into_roots_terminal() -> None:
    """TIOCSTI reaches the site's own terminal alone. Only where dev.tty.legacy_tiocsti is 1 can this fail."""
    code, shown, typed = at_terminal(words(TYPE))
    assert b"ROOTED" not in typed
    assert typed == b"", (code, shown)


def test_keys_reach_the_command_and_its_exit_code_comes_back() -> None:
    """A command at a terminal gets one of its own, and what is typed."""
    code, shown, _ = at_terminal(
        words("import os, sys; assert os.isatty(0); print('ready'); print(input()[::-1]); sys.exit(7)"), b"olleh\r"
    )
    assert code == 7 and b"hello" in shown


def test_what_would_steer_the_terminal_is_left_out() -> None:
    """Titles, and questions whose answers would be typed, do not reach it; colours do, and are ended."""
    _, shown, _ = at_terminal(
        words(r"print('\x1b]0;title\x07\x1b[6n\x1b[c\x1bP$q\x1b\\\x1b[31mred\x9b6n\x1b[?1000h\u202ex')")
    )
    assert b"title" not in shown and b"6n" not in shown.replace(b"\\x9b6n", b"")
    assert not any(bad in shown for bad in (b"\x1b[c", b"\x1bP", b"?1000h", b"\xc2\x9b", "\u202e".encode()))
    assert b"\x1b[31mred" in shown and shown.rstrip().endswith(RESET.encode())


@pytest.mark.parametrize("given_back", ["0m", "?7h", "?25h", "r"])
def test_terminal_is_given_back_as_it_was(given_back: str) -> None:
    """Its colours, wrapping, cursor and the lines that scroll are not left as a site has set them."""
    assert f"\x1b[{given_back}" in Screen().end().decode()


def test_output_that_is_piped_is_shown_escaped() -> None:
    """Root looks at it in a terminal sooner or later."""
    result = run(r"import sys; print('\x1b]0;t\x07é\r\nx\rforged'); sys.stderr.buffer.write(b'\xff\x9b')")
    assert result.stdout == "\\x1b]0;t\\x07é\nx\\rforged\n"
    assert result.stderr == "\\xff\\x9b"


def test_the_process_has_only_its_accounts_rights(tmp_path: Path) -> None:
    """Ids, groups, variables, descriptors, limits: nothing of root's is left."""
    secret = os.open(tmp_path / "secret", os.O_RDWR | os.O_CREAT)
    os.set_inheritable(secret, True)
    result = subprocess.run(
        words(FACTS),
        env=os.environ | {"PLATFORM_KEY": "k", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        close_fds=False,
        timeout=60,
        check=True,
    )
    os.close(secret)
    facts = json.loads(result.stdout)
    assert facts["ids"] == [5, 5, 5, 60, 60, 60] and facts["groups"] == [60]
    assert not {"PLATFORM_KEY", "PYTHONPATH"} & facts["environ"].keys() and "k" not in facts["environ"].values()
    assert facts["descriptors"] == [0, 1, 2]
    assert (facts["new_privileges"], facts["capabilities"]) == ("1", "0" * 16)
    assert max(facts["processes"]) <= 1024
    assert (facts["core"], facts["umask"], facts["session"]) == ([0, 0], "0077", True)


def test_the_process_cannot_reach_who_started_it() -> None:
    """Neither the guard nor root's command can be signalled, read, or robbed of a descriptor."""
    result = run(
        "import os, signal\n"
        "guard = os.getppid(); caller = int(open(f'/proc/{guard}/stat').read().rpartition(')')[2].split()[1])\n"
        "import ctypes\n"
        "for pid in (guard, caller):\n"
        "    for attempt in (lambda: os.kill(pid, 9), lambda: open(f'/proc/{pid}/environ').read(),\n"
        "        lambda: os.listdir(f'/proc/{pid}/fd'), lambda: open(f'/proc/{pid}/mem', 'rb').read(1)):\n"
        "        try: attempt()\n"
        "        except PermissionError: print('refused')\n"
        "    got = ctypes.CDLL(None).syscall(438, os.pidfd_open(pid), 1, 0)\n"
        "    print('refused' if got == -1 else 'STOLEN')\n"
    )
    assert result.stdout.split() == ["refused"] * 10, result


@pytest.mark.parametrize("has_group", [True, False])
def test_what_leaves_the_session_ends_too(has_group: bool) -> None:
    """A daemon ends with the command, by its control group and, where there is none, by its subreaper."""
    mark = secrets.token_hex(8)
    code = (
        f"import os, time\nmark = {mark!r}\n"
        "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(300)\n    os._exit(0)\n"
        "time.sleep(0.3)\nprint('done')"
    )
    command = words(code)
    if not has_group:
        command[2] = "import wagtail_multihost.launch.execution as e\ne.new_control_group = lambda: None\n" + command[2]
    started = time.monotonic()
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.stdout == "done\n" and time.monotonic() - started < 20  # it held the pipe open
    assert wait_until_gone(mark)


def test_what_ignores_signals_is_ended_in_time() -> None:
    """A command that takes too long ends by force, with the code of timeout(1)."""
    mark = secrets.token_hex(8)
    result = run(
        f"import signal, time; {mark!r}\nfor s in (1, 2, 3, 15): signal.signal(s, signal.SIG_IGN)\ntime.sleep(300)",
        TEST_SECONDS="1",
    )
    assert result.returncode == 124 and "1 seconds" in result.stderr
    assert wait_until_gone(mark)


def test_all_ends_when_root_s_command_is_killed() -> None:
    """The guard notices: the site's processes and the folder of the run's secrets are gone."""
    mark = secrets.token_hex(8)
    with passable_folder() as folder:
        private = folder / "private"
        private.mkdir()
        code = f"import os, time; {mark!r}\nif os.fork() == 0: os.setsid()\nprint('ready', flush=True); time.sleep(300)"
        process = subprocess.Popen(words(code), stdout=subprocess.PIPE, env=os.environ | {"TEST_PRIVATE": str(private)})
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
        process.wait()
        process.stdout.close()
        assert wait_until_gone(mark)
        deadline = time.monotonic() + 5
        while private.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not private.exists()


def groups_of(caller: int) -> list[Path]:
    """Return the control groups that a process has made below that of the tests."""
    probe = new_control_group()
    if probe is None:
        return []
    probe.remove()
    return list(probe.folder.parent.glob(f"multihost-{caller}-*"))


def test_all_ends_when_the_guard_is_killed() -> None:
    """Root's command takes the guard's place: what has left the session is gone, and so is the control group."""
    mark = secrets.token_hex(8)
    code = (
        f"import os, time; {mark!r}\nif os.fork(): print(os.getppid(), flush=True)\nelse: os.setsid()\ntime.sleep(300)"
    )
    process = subprocess.Popen(words(code), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    killed = int(process.stdout.readline())
    has_group = bool(groups_of(process.pid))
    os.kill(killed, signal.SIGKILL)
    _, told = process.communicate(timeout=30)
    assert (process.returncode, told) == (guard.REFUSED, "The guard of the site's process was killed.")
    assert groups_of(process.pid) == []
    # Without a group nobody knows any more what the site has started.
    assert wait_until_gone(mark) or not has_group


def test_nothing_stays_of_a_run_that_found_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without room for a process gets one sentence, and keeps neither groups nor descriptors of the run."""

    def refuse() -> int:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    account = account_named(SITE)
    before = os.listdir("/proc/self/fd")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fork", refuse)
        with pytest.raises(LaunchError, match="No process can be started"):
            execute(Launch(account=account, environ={}, words=("/bin/true",)))
    assert os.listdir("/proc/self/fd") == before
    assert groups_of(os.getpid()) == []


def test_left_over_groups_are_removed_by_the_next_run(tmp_path: Path) -> None:
    """An empty group whose caller is gone goes; one of a run that lives, and what is no group of ours, stay."""
    gone, alive = tmp_path / "multihost-99999999-0123abcd", tmp_path / f"multihost-{os.getpid()}-0123abcd"
    others = [tmp_path / "multihost-99999999-mine", tmp_path / "multihost-99999999"]
    for folder in (gone, alive, *others):
        folder.mkdir()
    remove_left_over(tmp_path)
    assert set(tmp_path.iterdir()) == {alive, *others}


@pytest.mark.parametrize(("handler", "code"), [("lambda *_: sys.exit(9)", 9), ("signal.SIG_DFL", 128 + 15)])
def test_signals_reach_the_command(handler: str, code: int) -> None:
    """What ends root's command is for the site's, whose code comes back, as shells report it."""
    text = f"import signal, sys, time; signal.signal(15, {handler}); print('ready', flush=True); time.sleep(300)"
    process = subprocess.Popen(words(text), stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == code
    process.stdout.close()


def test_flood_of_output_is_not_kept() -> None:
    """Who reads slowly slows the site down, and no memory of root's fills."""
    process = subprocess.Popen(words("while True: print('x' * 65536)"), stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read(1 << 22)
    time.sleep(1)
    resident = next(line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if "VmHWM" in line)
    process.terminate()
    process.stdout.close()
    process.wait(30)
    assert int(resident.split()[1]) < 100_000


def test_who_reads_no_more_ends_the_command() -> None:
    """As in any pipe, ``| head`` among them, who writes notices that nobody reads; root does not wait for it."""
    process = subprocess.Popen(words("import os\nwhile True: os.write(1, b'x' * 65536)"), stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read(1)
    process.stdout.close()
    try:
        assert process.wait(30) == 1  # Python's BrokenPipeError
    finally:
        process.terminate()


def test_an_interpreter_behind_a_closed_folder_is_one_sentence(tmp_path: Path) -> None:
    """It names the account and the path."""
    command = words("pass")
    command[2] = command[2].replace("/usr/bin/python3", "/root/closed/python3")
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 2 and "Traceback" not in result.stderr
    assert result.stderr.startswith(f"The account {SITE} cannot run /root/closed/python3: ")


def test_descendants_are_found_in_generations() -> None:
    """Those of this process, and no others."""
    with subprocess.Popen(["/bin/sh", "-c", "sleep 30 & wait"]) as shell:
        time.sleep(0.2)
        found = dict(descendants(os.getpid()))
        assert found[shell.pid] == os.getpid() and shell.pid in found.values()
        assert 1 not in found
        for pid, parent in found.items():
            if shell.pid in (pid, parent):
                os.kill(pid, signal.SIGKILL)


def test_a_child_of_a_template_enters_the_account() -> None:
    """What is forked from a process that was started here gets the same rights, and none of the template's."""
    code = (
        "import os, json\nfrom wagtail_multihost.launch.account import account_named\n"
        "from wagtail_multihost.launch.entering import Streams, enter\n"
        "from wagtail_multihost.launch.plan import Launch\n"
        f"account, template = account_named({SITE!r}), os.getpid()\nread, write = os.pipe()\nother = os.open('/', 0)\n"
        "os.set_inheritable(other, True)\nif os.fork() == 0:\n"
        "    enter(Launch(account=account, environ={'HOME': '/'}), Streams(0, write, write), parent=template)\n"
        f"    exec({FACTS!r}, {{}})\n    os.sys.stdout.flush(); os._exit(0)\n"
        "os.close(write); os.wait(); print(os.read(read, 9999).decode())"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    facts = json.loads(result.stdout)
    assert facts["ids"] == [5, 5, 5, 60, 60, 60] and facts["groups"] == [60]
    assert (facts["environ"], facts["descriptors"], facts["session"]) == ({"HOME": "/"}, [0, 1, 2], True)
    assert (facts["new_privileges"], facts["capabilities"], facts["umask"]) == ("1", "0" * 16, "0077")


USE_UP_KEYS = (
    "import ctypes\nlibc, count = ctypes.CDLL(None), 0\n"
    "while libc.syscall(248, b'user', b'%d' % count, b'x', 1, ctypes.c_long(-4)) > 0: count += 1\n"
)
GIVE_KEYS_BACK = "import ctypes\nctypes.CDLL(None).syscall(250, 7, ctypes.c_long(-4))"
READ_KEY = (
    "import ctypes\nlibc, value = ctypes.CDLL(None), ctypes.create_string_buffer(99)\n"
    "key = libc.syscall(250, 10, ctypes.c_long(-3), b'user', b'roots', 0)\n"
    "print(key, libc.syscall(250, 11, key, value, 99), value.value)\n"
)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="It has the numbers of system calls of x86-64.")
def test_an_account_without_room_for_keys_does_not_keep_roots_keyring() -> None:
    """A site that has used up its quota of keys reads none of root's session all the same."""
    give_key = "import ctypes\nlibc = ctypes.CDLL(None)\nassert libc.syscall(250, 1, None) > 0\n"
    give_key += "assert libc.syscall(248, b'user', b'roots', b'secret', 6, ctypes.c_long(-3)) > 0\n"
    if subprocess.run([sys.executable, "-c", give_key], capture_output=True, check=False).returncode:
        pytest.skip("This machine's kernel, or its container engine, has no keys for us.")
    # Not by the launch, whose own keyring would be given back when it ends.
    site = {"user": SITE, "group": SITE, "extra_groups": [], "check": True}
    subprocess.run(["/usr/bin/python3", "-c", USE_UP_KEYS], **site)  # type: ignore[call-overload]
    try:
        command = words(READ_KEY)
        command[2] = give_key + command[2]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    finally:
        subprocess.run(["/usr/bin/python3", "-c", GIVE_KEYS_BACK], **site)  # type: ignore[call-overload]
    assert result.stdout == "-1 -1 b''\n", result


@pytest.mark.parametrize(
    ("machine", "wide", "narrow"),
    [("x86_64", 250, 288), ("i686", None, 288), ("aarch64", 219, 311), ("armv7l", None, 311), ("riscv64", 219, None)],
)
def test_number_of_keyctl_is_that_of_the_programs_own_bits(machine: str, wide: int | None, narrow: int | None) -> None:
    """A Python of 32 bits on a kernel of 64 calls what it means to: another call would leave root's keyring there."""
    for is_wide, number in ((True, wide), (False, narrow)):
        assert number is None or keyctl_number(machine, is_wide=is_wide) == number


def test_machine_without_a_known_keyctl_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root's keyring is not silently left to a site."""
    monkeypatch.setattr(platform, "machine", lambda: "m68k")
    with pytest.raises(LaunchError, match="m68k"):
        leave_keyring()


def test_children_that_end_without_a_pause_are_reaped_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reaps looks at the clock in between, however many children have ended meanwhile."""
    endless = iter(range(1, 100_000))
    monkeypatch.setattr(os, "waitpid", lambda pid, options: (next(endless), 0))
    assert reaped_all() is False
    assert next(endless) <= MOST_REAPED + 1


def test_signals_without_a_pause_do_not_outlast_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard looks at the clock also while signals of children never stop."""
    endless = iter([signal.SIGCHLD] * 10_000)
    monkeypatch.setattr(signal, "sigtimedwait", lambda *_: SimpleNamespace(si_signo=next(endless)))
    monkeypatch.setattr(guard, "reap_child", lambda child: None)
    assert guard.wait_for_child(os.getpid(), 0.001).code == guard.TIMED_OUT


def test_keys_are_read_while_a_command_takes_none() -> None:
    """A command that leaves a long paste lying does not keep what is typed after it from leaving the command."""
    ours, theirs = os.openpty()
    given = Input(ours, is_terminal=True, leave=lambda: None)
    given.waiting = b"x" * (1 << 20)
    given.write()
    with selectors.PollSelector() as selector:
        update_selector(selector, [], given)
        watched = {key.fd: key.events for key in selector.get_map().values()}
    os.close(ours)
    os.close(theirs)
    assert given.waiting and watched == {0: selectors.EVENT_READ, ours: selectors.EVENT_WRITE}


def test_a_terminal_is_given_back_with_all_its_lines() -> None:
    """Who leaves two lines to scroll, and long lines cut, hides from root what comes next: both are ended."""
    _, shown, _ = at_terminal(words(r"print('\x1b[1;2r\x1b[?7lx')"))
    assert b"\x1b[1;2r\x1b[?7lx" in shown
    assert b"\x1b7\x1b[r\x1b8\x1b[?7h" in shown.partition(b"x\r\n")[2]
