"""Sites of gunicorn as the emitted units start them: by the first connection, each under its own account."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.emitters.units import command, environment, expanded, last, read_unit
from tests.servers.accounts import FRONT, IS_ROOT, ROOT, Account
from tests.servers.nginx import raw, running_nginx, status_of
from tests.servers.processes import accepts, children, running, wait_for
from tests.servers.street import Street, make_street, platform_table
from tests.servers.workshop import ADMIN, READER, SEED, opened_workshop, write_registry

pytestmark = pytest.mark.servers

#: Accounts that every Debian has, and no server of these tests: the sites are named as they are.
FIRST, SECOND = "games", "news"
UNITS = Path("systemd")
CONNECT = """
import socket, sys
socket.socket(socket.AF_UNIX).connect(sys.argv[1])
"""


@dataclass(frozen=True)
class Stage:
    """A street whose sites wait at their sockets, their processes, and what the first one's was ``before`` requests."""

    street: Street
    processes: dict[str, subprocess.Popen[bytes]]
    before: str

    def ask(self, site: str, path: str) -> str:
        return raw(self.street.ports.http, f"GET {path} HTTP/1.1", f"Host: {site}.example.org")


def program(process: subprocess.Popen[bytes]) -> str:
    """Return the name of the program that a process runs now."""
    return Path(f"/proc/{process.pid}/comm").read_text()


def unit(street: Street, kind: str, site: str) -> dict[str, list[tuple[str, str]]]:
    """Return a site's unit as systemd reads it."""
    found = [street.etc / UNITS / f"multihost@.{kind}", street.etc / UNITS / f"multihost@{site}.{kind}.d/50-site.conf"]
    return read_unit(*(path.read_text() for path in found if path.exists()))


@contextmanager
def waiting(street: Street, site: str) -> Iterator[subprocess.Popen[bytes]]:
    """Do with a site's units what systemd does: open the socket, and start the service by the first connection."""
    service, listening = unit(street, "service", site), unit(street, "socket", site)
    path = Path(expanded(last(listening, "Socket", "ListenStream"), site))
    account = Account(last(service, "Service", "User"), last(service, "Service", "Group"))
    account = Account(expanded(account.user, site), expanded(account.group, site))
    variables = [word for pair in environment(service, site).items() for word in ("-E", "=".join(pair))]
    start = account.command(*command(last(service, "Service", "ExecStart"), site))
    directory = Path(expanded(last(service, "Service", "WorkingDirectory"), site))
    log = street.folder / f"{site}.log"
    with running(["systemd-socket-activate", "-l", path, *variables, *start], log, cwd=directory) as process:
        wait_for(lambda: accepts(path), "the socket", 30)
        owner, group = (last(listening, "Socket", key) for key in ("SocketUser", "SocketGroup"))
        Account(owner, group).take(path, int(last(listening, "Socket", "SocketMode"), 8))
        yield process


@pytest.fixture(name="stage", scope="module")
def _stage() -> Iterator[Stage]:
    assert IS_ROOT, "These tests give sites accounts, which root can."
    with ExitStack() as stack:
        workshop = stack.enter_context(opened_workshop())
        street = make_street(workshop, "gunicorn")
        prepare(street)
        processes = {site: stack.enter_context(waiting(street, site)) for site in (FIRST, SECOND)}
        config = street.etc / "nginx" / "nginx.conf"
        stack.enter_context(running_nginx(config, street.folder / "nginx.log", street.ports.http))
        yield Stage(street, processes, program(processes[FIRST]))


def prepare(street: Street) -> None:
    """Emit, make the folders, write the snapshots and the tables of the first site, as an operator does."""
    workshop, snapshots = street.workshop, street.folder / "snapshots"
    platform = {
        **platform_table(street, f"http://{{hostname}}:{street.ports.http}"),
        "environment": "production",
        "runner": "gunicorn",
        "user": "{site}",
        "group": "{site}",
        "snapshots": snapshots,
    }
    sites = {site: {"hostnames": [f"{site}.example.org"]} for site in (FIRST, SECOND)}
    write_registry(street.registry, {"platform": platform, "sites": sites})
    # What root reads, nobody else may have written.
    ROOT.take(street.registry, 0o600)
    ROOT.take(street.folder / "secrets", 0o711)
    ROOT.take(street.folder / "secrets" / "platform", 0o600)
    environ = workshop.environ(street.registry)
    workshop.manage("multihost_sites", "--pin", environ=environ, account=ROOT)
    workshop.manage("multihost_emit", "nginx", "systemd", "--output", str(street.etc), environ=environ, account=ROOT)
    folders = street.etc / UNITS / "tmpfiles.d" / "multihost.conf"
    subprocess.run(["systemd-tmpfiles", "--create", folders], check=True)
    workshop.manage("multihost_snapshot", "--output", str(snapshots), environ=environ, account=ROOT)
    code = SEED.format(names=[ADMIN, READER])
    own = workshop.environ(snapshots, FIRST, SEED_PASSWORD=workshop.password)
    workshop.manage("shell", "-v0", "-c", code, environ=own, account=Account(FIRST, FIRST))


def test_first_request_starts_the_site(stage: Stage) -> None:
    """Nothing runs until somebody comes; then the site answers through nginx, under its account, as itself."""
    process = stage.processes[FIRST]
    assert stage.before.startswith("systemd-socket")
    answer = stage.ask(FIRST, "/process/")
    assert status_of(answer) == 200, answer + (stage.street.folder / f"{FIRST}.log").read_text()
    found = json.loads(answer.partition("\r\n\r\n")[2])
    assert found["environ"]["MULTIHOST_SITE"] == FIRST
    assert found["host"] == f"{FIRST}.example.org:{stage.street.ports.http}" and found["scheme"] == "http"
    wait_for(lambda: len(children(process.pid)) == 2, "both workers", 30)
    assert {Path(f"/proc/{pid}").owner() for pid in (process.pid, *children(process.pid))} == {FIRST}
    assert program(stage.processes[SECOND]).startswith("systemd-socket")


def test_health_is_closed_to_visitors(stage: Stage) -> None:
    """No way of writing the path of a probe leads to the site through nginx."""
    for path in ("/-/live/", "//-/live/", "/%2D/live/", "/x/../-/live/", "/-/./live/"):
        assert status_of(stage.ask(FIRST, path)) == 404


@pytest.mark.parametrize(("account", "reached"), [(FRONT, True), (Account(SECOND, SECOND), False)])
def test_neighbour_cannot_connect_to_a_sites_socket(stage: Stage, account: Account, reached: bool) -> None:
    """The front server's account connects; another site's does not, and sees no sockets."""
    path = stage.street.socket(FIRST)
    done = subprocess.run(account.command(sys.executable, "-c", CONNECT, path), capture_output=True, check=False)
    assert (done.returncode == 0) == reached
    assert reached or b"PermissionError" in done.stderr
    listed = subprocess.run(account.command("ls", path.parent), capture_output=True, check=False)
    assert (listed.returncode == 0) == reached


@pytest.mark.parametrize("what", ["db.sqlite3", "snapshot", "environ"])
def test_neighbour_cannot_read_what_a_site_has(stage: Stage, what: str) -> None:
    """A shell under another site's account opens neither the database nor the snapshot, nor a process's variables."""
    assert status_of(stage.ask(FIRST, "/process/")) == 200
    path = {
        "db.sqlite3": stage.street.folder / "data" / "sites" / FIRST / "db.sqlite3",
        "snapshot": stage.street.folder / "snapshots" / f"{FIRST}.json",
        "environ": Path(f"/proc/{stage.processes[FIRST].pid}/environ"),
    }[what]
    own, other = (
        subprocess.run(Account(site, site).command("cat", path), capture_output=True, check=False)
        for site in (FIRST, SECOND)
    )
    assert own.returncode == 0
    assert other.returncode != 0 and b"Permission denied" in other.stderr
