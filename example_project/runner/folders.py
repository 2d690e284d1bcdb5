"""Where a run keeps things, and what it removes of a run before it that was killed."""

import contextlib
import errno
import fcntl
import os
import shutil
import signal
import stat
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from runner.children import Failure

HERE = Path(__file__).resolve().parent.parent
DATA = HERE / "data"
LOGS = DATA / "log"
CONTROL = DATA / "control"  # the control site's
CLUSTER = CONTROL / "cluster"  # and PostgreSQL's
MANAGE_CONTROL = CONTROL / "manage"
CONTROL_HOST = "control.localhost"
RUNTIME = DATA / "runtime"  # a file that names the folder of sockets
SERVER = CONTROL / "server"  # and one that names the folder of PostgreSQL's programs, where it is another account
SOCKETS = "s"  # the folder of sockets in it
LONGEST_FOLDER = 102 - len(f"/{SOCKETS}/uwsgi-emperor.sock")  # a socket's path ends at 102 bytes
KILL_SECONDS = 5


@contextlib.contextmanager
def only_run() -> Iterator[None]:
    """Refuse a second run on the same data."""
    DATA.mkdir(mode=0o711, exist_ok=True)
    LOGS.mkdir(mode=0o700, exist_ok=True)
    # Others may not open it: whoever can read a file can lock it.
    with open(DATA / "run.lock", "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as lock:
        os.fchmod(lock.fileno(), 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("The sites of this checkout are being served already; stop that run first.")
        yield


def runtime_folder() -> contextlib.AbstractContextManager[Path]:
    """Make a 0700 folder for sockets and configs, outside the checkout: its path must be short."""
    return marked_folder(RUNTIME, private_parents())


@contextlib.contextmanager
def marked_folder(mark: Path, parents: Iterable[str]) -> Iterator[Path]:
    """Make a 0700 folder in the first of ``parents``, which the file ``mark`` names until it is removed."""
    folder = make_short_folder(parents)
    try:
        (folder / "of").write_text(str(DATA))
        (folder / SOCKETS).mkdir(mode=0o700)
        mark.write_text(str(folder))
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        mark.unlink(missing_ok=True)


def private_parents() -> Iterator[str]:
    # An XDG_RUNTIME_DIR may be that of another account, after su.
    for parent in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"):  # noqa: S108 - mkdtemp is safe there
        if parent:
            yield parent


def make_short_folder(parents: Iterable[str]) -> Path:
    for parent in parents:
        if os.access(parent, os.W_OK | os.X_OK) and len(os.fsencode(parent)) + 12 <= LONGEST_FOLDER:
            return Path(tempfile.mkdtemp(prefix="mh-", dir=parent))
    raise Failure("No folder for sockets: neither XDG_RUNTIME_DIR nor TMPDIR nor /tmp can be used.")


def is_passable(folder: Path) -> bool:
    """Return whether every account may enter ``folder``."""
    return all(path.stat().st_mode & stat.S_IXOTH for path in (folder, *folder.parents))


def remove_leftovers() -> list[str]:
    """Remove what a run that was killed has left; return what that was."""
    return [words for mark in (RUNTIME, SERVER) for words in remove_leftover(mark)]


def remove_leftover(mark: Path) -> list[str]:
    folder = Path(mark.read_text()) if mark.is_file() else None
    if folder is None or not is_ours(folder):
        return []
    found = [str(folder)]
    if processes := processes_in(folder):
        found.append(f"{len(processes)} processes")
        end_processes(folder)
    shutil.rmtree(folder, ignore_errors=True)
    return found


def is_ours(folder: Path) -> bool:
    """Return whether a run on this very data has made ``folder``; a copy of the data names the original's."""
    mark = folder / "of"
    if folder.is_symlink() or not mark.is_file() or mark.is_symlink():
        return False
    return folder.stat().st_uid == mark.stat().st_uid == os.geteuid() and mark.read_text() == str(DATA)


def processes_in(folder: Path) -> list[int]:
    """
    Return what a run has started: this account's processes of programs beside this Python that name a file in
    ``folder``, and no editor that shows one. None where there is no /proc.
    """
    found, programs = [], os.fsencode(f"{Path(sys.executable).parent}/")
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes()
            is_program = any(word.startswith(programs) for word in command.split(b"\0")[:2])
            if is_program and process.stat().st_uid == os.geteuid() and os.fsencode(f"{folder}/") in command:
                found.append(int(process.name))
    return [pid for pid in found if pid != os.getpid()]


def end_processes(folder: Path) -> None:
    deadline = time.monotonic() + KILL_SECONDS
    number = signal.SIGTERM
    while processes := processes_in(folder):
        for pid in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        if time.monotonic() > deadline:
            number = signal.SIGKILL
        if time.monotonic() > deadline + KILL_SECONDS:
            return
        time.sleep(0.1)


def sentence_of(error: OSError) -> str:
    """Say what an error of the file system means for the run."""
    path = error.filename or DATA
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"There is no room left for {path}. Make some, and run it again."
    return f"{path} cannot be written: {error.strerror}. The run needs a checkout that this account can write to."
