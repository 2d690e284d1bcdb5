"""The files between the agent and the monitor: whatever the monitor's account puts there, the agent goes on."""

from __future__ import annotations

import json
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.accounts import IS_ROOT, NOBODY, SITE_GROUP, acting_as, needs_root, passable_folder
from tests.spec.samples import a_codebase, a_platform, a_site
from wagtail_multihost.node.monitor_files import (
    BASE_BYTES,
    BYTES_OF_HOSTNAME,
    Account,
    ObservationsFile,
    TargetsFile,
    find_account,
)
from wagtail_multihost.node.probe_targets import list_targets
from wagtail_multihost.nodeapi.probe_files import (
    MOST_HOSTNAMES,
    STALE_AFTER,
    Observation,
    Observed,
    Target,
    parse_targets,
    render_observed,
)
from wagtail_multihost.nodeapi.probe_states import BUCKETS, DOWN, TIMEOUT, UP

HOSTNAME = "aurora.example.org"
BOOT, UID = UUID(int=1), UUID(int=2)
NOW = 1000.0
ACCOUNT = Account(NOBODY if IS_ROOT else os.geteuid(), os.getegid())
TARGETS = [Target(HOSTNAME, "aurora", UID, b"k" * 32)]


@pytest.fixture(name="place")
def _place() -> Iterator[Path]:
    """Return a folder of the monitor's account, which nobody else writes to."""
    with passable_folder() as folder:
        place = folder / "monitor"
        place.mkdir(mode=0o755)
        if IS_ROOT:
            os.chown(place, ACCOUNT.uid, ACCOUNT.gid)
        yield place


class Monitor:
    """What the monitor's account does in its folder."""

    def __init__(self, place: Path) -> None:
        self.path = place / "observations.json"
        self.file = ObservationsFile(self.path, "web1")

    def write(self, data: bytes | str | Observed, mode: int = 0o644, uid: int = ACCOUNT.uid) -> None:
        if isinstance(data, Observed):
            data = render_observed(data)
        self.path.unlink(missing_ok=True)
        self.path.write_bytes(data if isinstance(data, bytes) else data.encode())
        self.path.chmod(mode)
        if IS_ROOT:
            os.chown(self.path, uid, ACCOUNT.gid)

    def read(self, *hostnames: str, now: float = NOW) -> Observed | None:
        self.file.read(hostnames or (HOSTNAME,), ACCOUNT)
        return self.file.find_fresh(now)

    def problem(self) -> str:
        """Read again, whatever was read before; return why nothing was."""
        self.file = ObservationsFile(self.path, "web1")
        assert self.read() is None
        return self.file.problem


@pytest.fixture(name="monitor")
def _monitor(place: Path) -> Monitor:
    return Monitor(place)


def observed(*observations: Observation, **changes: Any) -> Observed:
    valid = {"place": "web1", "boot": BOOT, "version": "1", "serial": 1, "at": NOW - 1, "covered_since": NOW - 99}
    return Observed(**{**valid, "observations": observations, **changes})


def test_what_the_monitor_says_is_read(monitor: Monitor) -> None:
    said = Observation(HOSTNAME, DOWN, TIMEOUT, since=NOW - 50)
    monitor.write(observed(said, Observation("foreign.example.org", UP)))
    found = monitor.read()
    assert found is not None
    assert found.observations == (said,)


def test_file_that_is_not_there_is_no_problem(monitor: Monitor) -> None:
    """A monitor that is silent is one that is silent."""
    assert monitor.read() is None
    assert monitor.file.problem == ""


@pytest.mark.parametrize(("age", "counts"), [(0, True), (STALE_AFTER, True), (STALE_AFTER + 1, False), (-1, False)])
def test_old_file_says_nothing_of_now(monitor: Monitor, age: float, counts: bool) -> None:
    """A clock that is only the machine's own cannot have said it later than now."""
    monitor.write(observed(Observation(HOSTNAME, UP), at=NOW - age))
    assert (monitor.read() is not None) is counts


def test_other_file_is_read_anew_and_the_same_one_is_not(monitor: Monitor) -> None:
    monitor.write(observed(Observation(HOSTNAME, UP)))
    first = monitor.read()
    assert monitor.read() is first
    monitor.write(observed(Observation(HOSTNAME, DOWN, TIMEOUT), serial=2))
    again = monitor.read()
    assert again is not None and again.serial == 2
    monitor.path.unlink()
    assert monitor.read() is None


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


MALFORMED: dict[str, bytes | str] = {
    "nothing": "",
    "no JSON": "{",
    "no text": b"\xff\xfe\x00",
    "deep": f'{{"format": 1, "place": {nested(2000)}}}',
    "a list": "[]",
    "another version": '{"format": 2}',
    "another place": render_observed(observed(place="web2")),
    "not a number": render_observed(observed()).replace(b'"at": 999.0', b'"at": NaN'),
    "for ever": render_observed(observed()).replace(b'"at": 999.0', b'"at": 1e999'),
    "huge number": render_observed(observed()).replace(b'"at": 999.0', b'"at": ' + b"9" * 5000),
    "a boolean": render_observed(observed()).replace(b'"serial": 1', b'"serial": true'),
    "twice": render_observed(observed(Observation(HOSTNAME), Observation(HOSTNAME))),
    "another word": render_observed(observed(Observation(HOSTNAME, "owned"))),
    "no uuid": render_observed(observed()).replace(str(BOOT).encode(), b"\\u001b]0;owned"),
    "wrong counts": render_observed(observed()).replace(
        b'"batches": []', b'"batches": [{"serial": 1, "at": 1, "counts": {"aurora.example.org": [1]}}]'
    ),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_file_is_one_sentence_without_a_word_of_it(monitor: Monitor, what: str) -> None:
    monitor.write(MALFORMED[what])
    problem = monitor.problem()
    assert problem.endswith(".") and len(problem) < 120
    assert problem.isprintable() and "owned" not in problem


def test_huge_file_is_not_read(monitor: Monitor) -> None:
    """It may have as many bytes as its hostnames need, and of more no more than one is read."""
    monitor.write(b" " * (BASE_BYTES + BYTES_OF_HOSTNAME + 1))
    assert monitor.problem() == "It is too large."
    os.truncate(monitor.path, 1 << 40)
    assert monitor.problem() == "It is too large."


def test_bytes_are_enough_for_what_a_monitor_writes() -> None:
    """The longest line of a hostname, and its latencies in as many sets as there are, fit."""
    name = "a" * 240 + ".example.org"
    longest = Observation(name, "maintenance", "certificate-expired", 999, 1e11 / 3, 1e11 / 3, uuid4(), 600_000)
    batches = [{"serial": 1 << 52, "at": 1e11 / 3, "counts": {name: [1_000_000] * BUCKETS}}] * 3
    assert len(json.dumps([{**longest._asdict(), "seen_uid": str(uuid4())}, *batches])) < BYTES_OF_HOSTNAME


def test_link_is_not_followed(monitor: Monitor, tmp_path: Path) -> None:
    target = tmp_path / "secret"
    target.write_bytes(render_observed(observed()))
    monitor.path.symlink_to(target)
    assert monitor.problem() == "It cannot be read: Too many levels of symbolic links."


def test_pipe_and_folder_stop_nothing(monitor: Monitor) -> None:
    os.mkfifo(monitor.path)
    assert monitor.problem() == "It is no regular file."
    monitor.path.unlink()
    monitor.path.mkdir()
    opened = len(os.listdir("/proc/self/fd"))
    assert monitor.problem() == "It is no regular file."
    assert len(os.listdir("/proc/self/fd")) == opened, "whoever makes folders would use up what may be open"


@needs_root
def test_file_of_another_account_is_not_used(monitor: Monitor) -> None:
    """Root's neither: the monitor can lead to it by a hard link, where the kernel lets it."""
    for uid in (0, pwd.getpwnam(SITE_GROUP).pw_uid):
        monitor.write(observed(Observation(HOSTNAME, UP)), uid=uid)
        assert monitor.problem().startswith("It belongs to ")


@pytest.mark.parametrize("mode", [0o666, 0o664])
def test_file_that_others_may_write_is_not_used(monitor: Monitor, mode: int) -> None:
    monitor.write(observed(Observation(HOSTNAME, UP)), mode=mode)
    assert "no writing by its group or others" in monitor.problem()


# What is asked


def test_monitor_alone_reads_what_is_asked(tmp_path: Path) -> None:
    """It is whole at any moment, of root, for the group of the monitor; what a killed agent has left of it goes."""
    with passable_folder() as folder:
        path = folder / "run" / "targets.json"
        file = TargetsFile(path, "web1")
        assert file.write(TARGETS, ACCOUNT)
        assert parse_targets(path.read_bytes()) == ("web1", tuple(TARGETS))
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        (path.parent / ".targets.json.0123abcd.tmp").touch()
        (path.parent / ".other.json.0123abcd.tmp").touch()
        before = path.stat().st_ino
        assert not file.write(TARGETS, ACCOUNT)
        assert path.stat().st_ino == before
        path.unlink()
        assert file.write(TARGETS, ACCOUNT)
        assert sorted(one.name for one in path.parent.iterdir()) == [".other.json.0123abcd.tmp", "targets.json"]
        if IS_ROOT:
            assert (path.stat().st_uid, path.stat().st_gid) == (0, ACCOUNT.gid)
            with acting_as(pwd.getpwnam(SITE_GROUP).pw_uid), pytest.raises(PermissionError):
                path.read_bytes()
            with acting_as(NOBODY, ACCOUNT.gid):
                assert path.read_bytes()


@needs_root
def test_targets_are_not_written_where_others_lead_elsewhere() -> None:
    with passable_folder() as folder:
        place = folder / "foreign"
        place.mkdir()
        os.chown(place, NOBODY, -1)
        with pytest.raises(PermissionError):
            TargetsFile(place / "targets.json", "web1").write(TARGETS, ACCOUNT)


@needs_root
def test_account_of_the_monitor_is_none_of_roots() -> None:
    assert find_account("nobody").uid == NOBODY
    for name, said in (("root", "is root by its number"), ("no-such-account", "There is no account 'no-such-account'")):
        with pytest.raises(ValueError, match=said):
            find_account(name)


def test_every_hostname_of_every_enabled_site_is_asked() -> None:
    """The canonical one, those that redirect to it, and aliases; with the prefix of the code that the site runs."""
    sites = [
        a_site(state="maintenance", code=(("health_prefix", "/ops/"),)),
        a_site(id="borealis", hostnames=("borealis.example.org",), aliases=(), enabled=False),
    ]
    found = list_targets(a_platform(origin="http://{hostname}"), sites, a_codebase())
    assert [(one.hostname, one.canonical) for one in found] == [
        ("aurora.example.org", ""),
        ("www.aurora.example.org", "aurora.example.org"),
        ("aurora.example.net", ""),
    ]
    assert {(one.site, one.state, one.scheme, one.path) for one in found} == {
        ("aurora", "maintenance", "http", "/ops/ready")
    }
    assert len(list_targets(a_platform(), [a_site()] * MOST_HOSTNAMES, a_codebase())) == MOST_HOSTNAMES
