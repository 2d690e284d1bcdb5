"""
A site that does its worst to the listening socket that it was given: by the emperor (on demand), or as systemd gives
gunicorn one. systemd itself is not the first process here; its own program for sockets starts gunicorn in its place.
"""

from __future__ import annotations

import contextlib
import grp
import http.client
import json
import socket
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.accounts import needs_root, passable_folder
from tests.attacks.emperor import HOSTILE, NEIGHBOUR, House, house_plan, opened_house
from tests.emitters.units import command, environment, expanded, last, read_unit
from tests.servers.accounts import Account
from tests.servers.processes import accepts, running, wait_for
from tests.servers.workshop import Workshop
from wagtail_multihost.emitters import emit
from wagtail_multihost.emitters.output import compare, write
from wagtail_multihost.spec.uwsgi import UwsgiOptions

pytestmark = [pytest.mark.servers, needs_root]

ATTACKS = """
import os, signal, socket, threading, time

def listening():
    for name in os.listdir("/proc/self/fd"):
        try:
            found = socket.socket(fileno=os.dup(int(name)))
            if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                yield found
        except OSError:
            pass

def shut():
    for found in listening():
        found.shutdown(socket.SHUT_RDWR)

def shut_and_end():
    # After the answer has gone out: the master, which belongs to the site, and then this worker.
    def work():
        time.sleep(0.2)
        shut()
        os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
    threading.Thread(target=work).start()

ATTACKS = {
    "sockets": lambda: [found.getsockname() for found in listening()],
    "shut": shut,
    "shut_and_end": shut_and_end,
    "groups": lambda: [os.getgid(), *os.getgroups()],
}
"""


ON_DEMAND = UwsgiOptions(build="debian", processes=1, on_demand=True)


# On demand: the emperor keeps the socket that it gives to a site


@pytest.fixture(name="house")
def _house() -> Iterator[House]:
    with passable_folder() as folder, opened_house(folder, ATTACKS, subprocess.DEVNULL, uwsgi=ON_DEMAND) as opened:
        yield opened


def test_a_site_on_demand_holds_no_socket_but_its_own(house: House) -> None:
    """Each site's process listens at one address, which is its own."""
    for site in (HOSTILE, NEIGHBOUR):
        assert set(house.let(site, "sockets")) == {str(house.plan.platform.sockets / f"{site}.sock")}


@pytest.mark.parametrize("attack", ["shut", "shut_and_end"])
def test_a_site_on_demand_closes_its_own_socket_alone(house: House, attack: str) -> None:
    """The neighbour answers, and starts anew by a request; a site that has ended gets a new socket."""
    house.let(HOSTILE, attack)
    assert house.answers(NEIGHBOUR)
    house.let(NEIGHBOUR, "shut_and_end")
    wait_for(partial(house.answers, NEIGHBOUR), "the neighbour's new process", 20)
    if attack == "shut_and_end":
        wait_for(partial(house.answers, HOSTILE), "the site's new socket", 20)
    assert house.emperor.poll() is None


# gunicorn, as its units start it


class Gunicorn(NamedTuple):
    """Two sites at sockets of their own, and the folder of these."""

    folder: Path

    def let(self, site: str, attack: str) -> Any:
        with contextlib.closing(http.client.HTTPConnection("localhost", timeout=30)) as connection:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(30)
            connection.sock.connect(str(self.folder / f"{site}.sock"))
            connection.request("GET", f"/{attack}", headers={"Host": f"{site}.example.org"})
            found = json.loads(connection.getresponse().read())
        return found.get("value", found.get("error"))


@contextlib.contextmanager
def started(directory: Path, folder: Path, site: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a site's unit by its first connection, under the account and with the variables that the unit says."""
    unit = read_unit((directory / "systemd/multihost@.service").read_text())
    account = Account(*(expanded(last(unit, "Service", key), site) for key in ("User", "Group")))
    variables = [word for pair in environment(unit, site).items() for word in ("-E", "=".join(pair))]
    listen = folder / f"{site}.sock"
    words = ["systemd-socket-activate", "-l", listen, *variables]
    words += account.command("setpriv", "--no-new-privs", *command(last(unit, "Service", "ExecStart"), site))
    code = Path(last(unit, "Service", "WorkingDirectory"))
    with running(words, directory / f"{site}.log", cwd=code) as process:
        wait_for(lambda: accepts(listen), "the socket")
        yield process


@pytest.fixture(name="gunicorn", scope="module")
def _gunicorn(workshop: Workshop) -> Iterator[Gunicorn]:
    with passable_folder() as folder, contextlib.ExitStack() as stack:
        environment = workshop.python.parents[1]
        plan = house_plan(folder, ATTACKS, group="{site}", runner="gunicorn", virtualenv=environment)
        write(plan.directory, *compare(plan.directory, emit("systemd", plan)))
        for site in (HOSTILE, NEIGHBOUR):
            stack.enter_context(started(plan.directory, plan.platform.sockets, site))
        yield Gunicorn(plan.platform.sockets)


def test_a_site_of_gunicorn_closes_its_own_socket_alone(gunicorn: Gunicorn) -> None:
    """It has no other, nor one to steer gunicorn by, and no group but its own; the neighbour answers on."""
    for site in (HOSTILE, NEIGHBOUR):
        assert set(gunicorn.let(site, "sockets")) == {str(gunicorn.folder / f"{site}.sock")}
        assert set(gunicorn.let(site, "groups")) == {grp.getgrnam(site).gr_gid}
    gunicorn.let(HOSTILE, "shut")
    with pytest.raises(OSError):
        gunicorn.let(HOSTILE, "sockets")
    assert gunicorn.let(NEIGHBOUR, "site") == NEIGHBOUR
