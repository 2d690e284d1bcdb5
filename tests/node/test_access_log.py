"""What is counted of nginx's access log: each line once, whatever rotates it, and whatever a visitor sends."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagtail_multihost.node.access_log import HEAD, LAST_LOOKS, LONGEST_LINE, Counted, Hour, Place, count_line, read_log

TIME = "2026-12-01T16:20:{:02}+00:00"
HOUR = "2026-12-01T16+00:00"


def line(site: str = "aurora", length: int = 10, request: str = "GET / HTTP/1.1", second: int = 0) -> bytes:
    """Return a line as nginx writes it, which escapes quotes, backslashes and control characters."""
    values = {
        "time": TIME.format(second),
        "site": site,
        "host": f"{site}.example.com",
        "request": request,
        "scheme": "https",
        "status": 200,
        "bytes": length,
        "seconds": 0.001,
        "application_seconds": "0.001",
        "client": "192.0.2.1",
        "referer": request,
        "user_agent": request,
    }
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


class Log:
    """A log that is looked at as an agent does, which keeps how far it was read."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "access.log"
        self.places: tuple[Place, ...] | None = None
        self.has_more = False

    def write(self, *lines: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(b"".join(lines))

    def look(self, **options: int) -> dict[str, tuple[int, int]]:
        """Return the requests and the bytes by site that are new."""
        reading = read_log(self.path, self.places, **options)
        self.places, self.has_more = reading.places, reading.has_more
        requests, sent = reading.counted
        return {key.site: (number, sent[key]) for key, number in requests.items()}


@pytest.fixture(name="log")
def _log(tmp_path: Path) -> Log:
    """Return an empty log that was looked at."""
    log = Log(tmp_path)
    log.write()
    assert log.look() == {}
    return log


def test_each_line_is_counted_once(log: Log) -> None:
    log.write(line(), line("borealis", 5), line(length=7))
    assert log.look() == {"aurora": (2, 17), "borealis": (1, 5)}
    assert log.look() == {}
    log.write(line()[:40])
    assert log.look() == {}, "half a line was counted"
    log.write(line()[40:])
    assert log.look() == {"aurora": (1, 10)}


def test_what_was_written_before_the_first_look_does_not_count(tmp_path: Path) -> None:
    """It may have been counted by an agent whose file is lost."""
    log = Log(tmp_path)
    log.write(line(), line())
    assert log.look() == {}
    log.write(line())
    assert log.look() == {"aurora": (1, 10)}


def test_log_that_begins_later_counts_from_its_beginning(tmp_path: Path) -> None:
    log = Log(tmp_path)
    assert log.look() == {}
    log.write(line())
    assert log.look() == {"aurora": (1, 10)}


@pytest.mark.parametrize("name", ["access.log.1", "access.log-20261201"])
def test_renamed_log_is_read_to_its_end(log: Log, name: str) -> None:
    """As logrotate and nginx do it: renamed, written on, and opened anew when nginx is told to."""
    log.write(line())
    log.look()
    log.write(line(length=1))
    renamed = log.path.rename(log.path.with_name(name))
    with renamed.open("ab") as still_open:
        still_open.write(line(length=2))
        still_open.flush()
        assert log.look() == {"aurora": (2, 3)}
        log.write(line("borealis"))
        still_open.write(line(length=3))
    assert log.look() == {"aurora": (1, 3), "borealis": (1, 10)}
    for _ in range(LAST_LOOKS + 1):
        assert log.look() == {}
    assert log.places is not None and len(log.places) == 1
    log.write(line())
    assert log.look() == {"aurora": (1, 10)}


def test_log_that_was_renamed_twice_meanwhile_is_read_as_far_as_it_is_known(log: Log) -> None:
    log.write(line())
    log.look()
    log.write(line(length=1))
    log.path.rename(log.path.with_name("access.log.2"))
    log.path.with_name("access.log.1").write_bytes(line("borealis"))
    log.write(line("corona"))
    assert log.look() == {"aurora": (1, 1), "corona": (1, 10)}


def test_log_that_was_emptied_counts_from_its_beginning(log: Log) -> None:
    """As copytruncate of logrotate does it."""
    log.write(line(second=1), line(second=2))
    log.look()
    os.truncate(log.path, 0)
    assert log.look() == {}
    log.write(line(length=3))
    assert log.look() == {"aurora": (1, 3)}


def test_another_file_of_the_same_number_is_not_taken_for_the_log(log: Log) -> None:
    log.write(line(request="a" * HEAD, second=1))
    log.look()
    with log.path.open("r+b") as file:  # the same number, as a file system may give it again
        file.write(line("borealis", second=2) + line("borealis", second=3, request="b" * 2 * HEAD))
    assert log.look() == {"borealis": (2, 20)}


def test_no_link_pipe_or_folder_is_read(log: Log) -> None:
    other = log.path.with_name("other")
    other.write_bytes(line())
    log.path.unlink()
    log.path.symlink_to(other)
    assert log.look() == {}
    log.path.unlink()
    os.mkfifo(log.path)
    assert log.look() == {}
    log.path.unlink()
    log.path.mkdir()
    assert log.look() == {}


def test_look_is_bounded_and_goes_on(log: Log) -> None:
    log.write(*[line() for _ in range(10_000)])
    found = log.look(most=1)["aurora"][0]
    assert 0 < found < 10_000 and log.has_more
    while log.has_more:
        found += log.look(most=1).get("aurora", (0, 0))[0]
    assert found == 10_000


def test_renamed_log_waits_while_there_is_no_room(log: Log) -> None:
    log.write(*[line() for _ in range(20_000)])
    log.path.rename(log.path.with_name("access.log.2"))
    log.write()
    log.look(most=1)
    log.write(line("borealis"))
    log.path.rename(log.path.with_name("access.log.1"))
    log.write()
    found: dict[str, int] = {}
    for _ in range(LAST_LOOKS * 4):
        for site, (number, _) in log.look(most=1).items():
            found[site] = found.get(site, 0) + number
    assert found["borealis"] == 1


def test_line_without_an_end_stops_nothing(log: Log) -> None:
    log.write(b"x" * (LONGEST_LINE * 9) + b"\n", line())
    found = {}
    for _ in range(3):
        found |= log.look()
    assert found == {"aurora": (1, 10)}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\x00",
        b"{}",
        b"127.0.0.1 - - [01/Dec/2026] GET /",
        line(site=""),
        line(site="../x"),
        line().replace(b'"bytes":10', b'"bytes":-1'),
        line().replace(b'"bytes":10', b'"bytes":9999999999999999'),
        line().replace(b"2026-12-01T16", b"yesterday"),
        line()[1:],
    ],
)
def test_other_lines_are_none(text: bytes) -> None:
    counted = empty()
    count_line(text, counted)
    assert not counted.requests


def empty() -> Counted:
    return Counted(Counter(), Counter())


FORGED = '","scheme":"https","status":200,"bytes":999999,"seconds":0}\n{"time":"'


@pytest.mark.parametrize(
    "request_text", [FORGED, f"x{FORGED}", "\\" + FORGED, '\\\\"' + FORGED, "é\u2028", '"site":"borealis",']
)
def test_what_a_visitor_sends_forges_nothing(request_text: str) -> None:
    counted = empty()
    for written in line(request=request_text).splitlines():
        count_line(written, counted)
    assert counted.requests == {Hour("aurora", HOUR): 1}
    assert counted.bytes == {Hour("aurora", HOUR): 10}


@given(request=st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_line_says_what_json_says(request: str) -> None:
    counted = empty()
    count_line(line(request=request).removesuffix(b"\n"), counted)
    assert counted.bytes == {Hour("aurora", HOUR): 10}
