"""What sites say that they run, which may be anything, and what is told of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.accounts import passable_folder
from tests.node.machine import Machine
from wagtail_multihost.files.reading import read_below
from wagtail_multihost.node.inventory import AGAIN, PERIOD, InventoryReporter, read_versions, split_batches
from wagtail_multihost.nodeapi.connection import UnreachableError
from wagtail_multihost.nodeapi.version_file import (
    MOST_BYTES,
    MOST_DROPPED,
    MOST_PACKAGES,
    parse_versions,
    sift_versions,
    write_versions,
)

SAID = sift_versions("3.12.3", [("Django", "5.2.7"), ("wagtail", "8.0.1")])


@pytest.fixture(name="machine")
def _machine() -> Iterator[Machine]:
    with passable_folder() as folder:
        machine = Machine(folder, "aurora", "borealis")
        for site in machine.sites:
            (folder / "data/sites" / site / "tmp").mkdir(parents=True)
        yield machine


def file_of(machine: Machine, site: str) -> Path:
    return machine.folder / "data/sites" / site / "tmp" / "versions.json"


def read(machine: Machine, site: str = "aurora") -> Any:
    return read_versions(machine.specs.platform, site)


class Database:
    """Keeps what is told, but of the ``unkept`` sites; one that is away raises."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.unkept: set[str] = set()
        self.is_away = False

    def ask(self, statement: str, values: tuple[str]) -> tuple[list[str]]:
        if self.is_away:
            raise UnreachableError("The database is away.")
        told = json.loads(values[0])
        self.calls.append(told)
        return ([site for site in told if site not in self.unkept],)


def test_file_is_read_as_it_was_written(machine: Machine) -> None:
    file_of(machine, "aurora").write_bytes(write_versions(SAID))
    assert read(machine) == SAID
    assert SAID.packages == {"django": "5.2.7", "wagtail": "8.0.1"}
    assert read(machine, "borealis") is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b'{"format": 2, "packages": {}}',
        b'{"format": 1, "packages": []}',
        b"[" * 100_000,
        b'{"format": 1, "packages": {}, "x": ' + b"1" * 5000 + b"}",
        b" " * (MOST_BYTES + 1),
    ],
)
def test_what_is_no_such_file_says_nothing(data: bytes) -> None:
    assert parse_versions(data) is None


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("django\x1b[2J", "1.0"),
        ("-django", "1.0"),
        ("../etc", "1.0"),
        ("<script>", "1.0"),
        ("d" * 101, "1.0"),
        ("\uff44jango", "1.0"),
        ("django", "=cmd|' /C calc'!A0"),
        ("django", "1.0\n"),
        ("django", "v1"),
        ("django", "1" * 61),
        ("django", "1.٣"),
        ("django", ["1.0"]),
        ("django", None),
    ],
)
def test_what_has_no_such_form_is_dropped_and_counted(name: str, version: object) -> None:
    found = parse_versions(json.dumps({"format": 1, "python": "x", "packages": {name: version, "ok": "1.0"}}).encode())
    assert found == ("", {"ok": "1.0"}, 1)


@pytest.mark.parametrize(
    "version", ["5.2.8", "1!2.0", "2024.08.30", "1.0a1", "1.0rc1", "1.0.post1.dev3", "1.0+local.1"]
)
def test_every_form_of_a_version_is_kept(version: str) -> None:
    assert sift_versions("3.12.3", [("Zope.Interface_x", version)]).packages == {"zope-interface-x": version}


def test_no_more_packages_are_kept_than_there_may_be() -> None:
    found = sift_versions("3.12.3", [(f"p{number}", "1") for number in range(MOST_PACKAGES + 7)])
    assert (len(found.packages), found.dropped) == (MOST_PACKAGES, 7)
    assert sift_versions("3", [(object(), "1")] * 20_000).dropped == MOST_DROPPED
    assert parse_versions(json.dumps({"format": 1, "packages": {}, "dropped": 10**9}).encode()) == ("", {}, 0)


def test_first_of_two_packages_of_one_name_counts() -> None:
    found = sift_versions("3", [("Django", "5.2.7"), ("django", "6.0")])
    assert (found.packages, found.dropped) == ({"django": "5.2.7"}, 0)


def test_nothing_but_a_plain_file_of_the_sites_own_is_read(machine: Machine) -> None:
    path, other = file_of(machine, "aurora"), file_of(machine, "borealis")
    other.write_bytes(write_versions(SAID))
    path.symlink_to(other)
    assert read(machine) is None, "a link was followed"
    path.unlink()
    os.mkfifo(path)
    assert read(machine) is None, "a pipe was read"
    path.unlink()
    path.hardlink_to(other)
    assert read(machine) is None, "another name of a file was read"
    path.unlink()
    path.mkdir()
    assert read(machine) is None
    path.rmdir()
    path.parent.rmdir()
    path.parent.symlink_to(other.parent)
    other.write_bytes(write_versions(SAID))
    assert read(machine) is None, "a link to a folder was followed"


def test_no_more_is_read_than_may_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 11)
    assert read_below(tmp_path, "file", most=10) is None
    assert read_below(tmp_path, "file", most=11) == b"x" * 11


def test_what_is_new_is_told_and_what_was_kept_is_not_told_again(machine: Machine) -> None:
    clock, database = [0.0], Database()
    reporter = InventoryReporter(database, lambda: clock[0])  # type: ignore[arg-type]
    file_of(machine, "aurora").write_bytes(write_versions(SAID))
    database.unkept = {"borealis"}
    file_of(machine, "borealis").write_bytes(write_versions(SAID))
    reporter.report(machine.specs)
    assert [sorted(call) for call in database.calls] == [["aurora", "borealis"]]
    reporter.report(machine.specs)
    assert len(database.calls) == 1, "it was not due yet"
    clock[0] += PERIOD
    reporter.report(machine.specs)
    assert [*database.calls[-1]] == ["borealis"]
    database.unkept = set()
    clock[0] += PERIOD
    reporter.report(machine.specs)
    clock[0] += PERIOD
    reporter.report(machine.specs)
    assert database.calls[-1] == {}, "the database is told which sites are there still"
    clock[0] += AGAIN
    reporter.report(machine.specs)
    assert [*database.calls[-1]] == ["aurora", "borealis"]


def test_nothing_depends_on_a_database_that_is_away(machine: Machine) -> None:
    clock, database = [0.0], Database()
    reporter = InventoryReporter(database, lambda: clock[0])  # type: ignore[arg-type]
    file_of(machine, "aurora").write_bytes(write_versions(SAID))
    database.is_away = True
    reporter.report(machine.specs)
    database.is_away = False
    clock[0] += PERIOD
    reporter.report(machine.specs)
    assert [*database.calls[-1]] == ["aurora"]


def test_what_is_long_goes_in_parts(machine: Machine) -> None:
    uid = machine.specs.sites["aurora"].uid
    long = sift_versions(
        "3", [(f"{'p' * 80}{number}", "1.22222222.3333333.4444444") for number in range(MOST_PACKAGES)]
    )
    batches = [*split_batches({f"s{number}": (uid, long) for number in range(20)})]
    assert sum(map(len, batches)) == 20
    assert len(batches) > 1
    for batch in batches:
        sent = json.dumps({site: versions._asdict() for site, (_, versions) in batch.items()})
        assert len(sent) < 300_000
