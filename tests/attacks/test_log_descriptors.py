"""
A site that does its worst to the descriptors of its log: shut them, change their flags, read what others write there.

The emperor's own log is a socket here, as the journal's is under systemd. systemd itself is not at work, and need not
be: journald is, in a mount namespace of its own.
"""

from __future__ import annotations

import json
import os
import pwd
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.accounts import needs_root, passable_folder
from tests.attacks.emperor import HOSTILE, NEIGHBOUR, House, opened_house
from tests.servers.processes import wait_for

pytestmark = [pytest.mark.servers, needs_root]

ATTACKS = """
import fcntl, os, pwd, socket

def shut():
    for number in descriptors():
        try:
            socket.socket(fileno=os.dup(number)).shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

def unblock():
    for number in descriptors():
        fcntl.fcntl(number, fcntl.F_SETFL, fcntl.fcntl(number, fcntl.F_GETFL) | os.O_NONBLOCK)

def descriptors():
    # Those of the log: the site's own listening socket is its own affair.
    return [1, 2]

def identities():
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            status = os.fstat(int(name))
        except OSError:
            continue
        if status.st_rdev == 0 and "anon_inode" not in os.readlink(f"/proc/self/fd/{name}"):
            found[name] = [status.st_dev, status.st_ino]
    return found

def say():
    os.write(2, f"said by {os.environ['MULTIHOST_SITE']}\\n".encode())

def forge():
    name, message = "multihost@news", "forged"
    # As systemd opens a stream for a unit, and as any program speaks to journald and to the log of old.
    with socket.socket(socket.AF_UNIX) as stream:
        stream.connect("/run/systemd/journal/stdout")
        stream.sendall(f"{name}\\n{name}.service\\n6\\n0\\n0\\n0\\n0\\n{message}\\n".encode())
    own = [f"_UID={pwd.getpwnam('news').pw_uid}", f"_SYSTEMD_UNIT={name}.service", f"SYSLOG_IDENTIFIER={name}"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto("\\n".join([*own, f"MESSAGE={message}", ""]).encode(), "/run/systemd/journal/socket")
        sender.sendto(f"<14>{name}: {message}".encode(), "/run/systemd/journal/dev-log")

ATTACKS = {
    "forge": forge,
    "shut": shut,
    "unblock": unblock,
    "identities": identities,
    "say": say,
    "listen": lambda: os.open("/proc/self/fd/2", os.O_RDONLY),
    "pretend": lambda: os.write(2, b"said by news\\n"),
}
"""
#: Starts journald and, after the folder to work in, a command: in a mount namespace, since journald listens in /run.
JOURNAL = """
folder=$1; shift
mount -t tmpfs none /run && mkdir -p /run/systemd/journal /run/log "$folder"
tr -d - </proc/sys/kernel/random/uuid >/run/machine-id && mount --bind /run/machine-id /etc/machine-id
/usr/lib/systemd/systemd-journald & journald=$!
while [ ! -S /run/systemd/journal/stdout ]; do sleep 0.05; done
"$@" & echo $! >"$folder/pid"
wait $!
kill $journald
wait $journald
journalctl --directory /run/log/journal --output json --no-pager >"$folder/lines"
"""


class Log:
    """The emperor's log, a socket as systemd gives it one."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.ours.setblocking(False)
        self.said = b""

    def has(self, text: str) -> bool:
        """Return whether ``text`` has come in."""
        while True:
            try:
                block = self.ours.recv(65536)
            except BlockingIOError:
                return text.encode() in self.said
            if not block:
                return text.encode() in self.said
            self.said += block


@pytest.fixture
def log() -> Iterator[Log]:
    found = Log()
    with found.ours, found.theirs:
        yield found


@pytest.fixture
def house(log: Log) -> Iterator[House]:
    with passable_folder() as folder, opened_house(folder, ATTACKS, log.theirs.fileno()) as opened:
        yield opened


@pytest.mark.parametrize("attack", ["shut", "unblock"])
def test_a_site_silences_nobody_but_itself(house: House, log: Log, attack: str) -> None:
    """After its attack the neighbour still writes to the log, and so does the emperor."""
    house.let(HOSTILE, attack)
    house.let(NEIGHBOUR, "say")
    wait_for(lambda: log.has(f"said by {NEIGHBOUR}"), "the neighbour's line")
    (house.plan.directory / f"uwsgi/{HOSTILE}.ini").unlink()
    wait_for(lambda: log.has("stop the uwsgi instance"), "the emperor's line")
    # The flags are those of an open file: a neighbour with the same one would lose lines when its reader is slow.
    assert os.get_blocking(log.theirs.fileno())


def test_a_site_holds_no_descriptor_that_the_emperor_or_a_neighbour_holds(house: House) -> None:
    """Neither pipe nor socket of a site's process is another's, those of the log above all."""
    hostile, neighbour = (house.let(site, "identities").values() for site in (HOSTILE, NEIGHBOUR))
    assert len(hostile) > 3
    emperor = [os.stat(f"/proc/{house.emperor.pid}/fd/{name}") for name in ("1", "2")]
    assert not {tuple(pair) for pair in hostile} & {tuple(pair) for pair in neighbour}
    assert not {tuple(pair) for pair in hostile} & {(found.st_dev, found.st_ino) for found in emperor}


def test_a_site_reads_nothing_back_from_its_log(house: House) -> None:
    """The pipe's inode is root's, so that nobody opens it for reading."""
    house.let(NEIGHBOUR, "say")
    assert house.let(HOSTILE, "listen") == "PermissionError"


def test_the_journal_knows_which_site_has_said_a_line(tmp_path: Path) -> None:
    """
    With journald each site has a socket of its own: one shuts it, the others go on. A site can give a line a
    neighbour's name, but not the neighbour's account.
    """
    within = ["unshare", "--mount", "sh", "-c", JOURNAL, "sh", tmp_path]
    with passable_folder() as folder, opened_house(folder, ATTACKS, subprocess.DEVNULL, within) as house:
        house.let(HOSTILE, "pretend")
        assert house.let(HOSTILE, "forge") is None
        house.let(HOSTILE, "shut")
        house.let(NEIGHBOUR, "say")
        assert house.let(HOSTILE, "listen") == "OSError"
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGTERM)
        house.emperor.wait(60)
    lines = [json.loads(line) for line in (tmp_path / "lines").read_text().splitlines()]
    said = {(line.get("SYSLOG_IDENTIFIER"), line["MESSAGE"]) for line in lines}
    assert (f"multihost@{NEIGHBOUR}", f"said by {NEIGHBOUR}") in said
    # What the hostile site pretends has its own name.
    assert (f"multihost@{HOSTILE}", f"said by {NEIGHBOUR}") in said
    assert (f"multihost@{NEIGHBOUR}", "forged") in said
    uids = {site: str(pwd.getpwnam(site).pw_uid) for site in (HOSTILE, NEIGHBOUR)}
    assert {line["_UID"] for line in lines if line["MESSAGE"] == "forged"} == {uids[HOSTILE]}
    assert uids[NEIGHBOUR] in {line["_UID"] for line in lines if line["MESSAGE"] == f"said by {NEIGHBOUR}"}
