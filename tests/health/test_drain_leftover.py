"""A drain file that an earlier container left behind: it drains nothing, and costs nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from wagtail_multihost.health.drain import HEAD, Drain, drain_text


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def left_over(path: Path) -> None:
    path.write_text(f"{HEAD}boot=another init=1\n")


def of_now(path: Path) -> None:
    path.write_text(drain_text())


def foreign(path: Path) -> None:
    path.write_text("maintenance\n")


def folder(path: Path) -> None:
    path.mkdir()


def missing(path: Path) -> None:
    path.unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("make", "drains"),
    [(left_over, False), (of_now, True), (foreign, True), (folder, True), (missing, False)],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_asking_leaves_no_descriptor_open(tmp_path: Path, make: Callable[[Path], None], drains: bool) -> None:
    """Every ready asks: whatever is at the path, the process has as many open files as before."""
    path = tmp_path / "drain"
    make(path)
    drain = Drain(path)
    assert drain.is_on() is drains
    before = descriptors()
    assert [drain.is_on() for _ in range(20)] == [drains] * 20
    assert descriptors() == before


def test_file_from_before_the_machine_started_is_left_over(tmp_path: Path) -> None:
    """The text alone does not do where a machine has no name of its start: the file's time counts too."""
    drain = Drain(tmp_path / "drain")
    drain.begin()
    assert drain.is_on()
    started = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    os.utime(drain.path, (started - 60, started - 60))
    assert not drain.is_on()
    os.utime(drain.path, (started + 60, started + 60))
    assert drain.is_on()
