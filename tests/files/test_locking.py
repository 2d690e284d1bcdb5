"""Locks: whose they are, for how long they are waited for, and of which file they are."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import pytest

from wagtail_multihost.files import locking


def test_lock_is_waited_for_until_the_deadline(tmp_path: Path) -> None:
    """Then it is an error; where it is needless, it is neither waited for nor taken."""
    path = tmp_path / "lock"
    path.touch()
    with path.open("rb") as first, path.open("rb") as second:
        assert locking.lock(first.fileno(), time.monotonic()) is True
        started = time.monotonic()
        with pytest.raises(BlockingIOError):
            locking.lock(second.fileno(), started + 0.2)
        assert 0.2 <= time.monotonic() - started < 5
        assert locking.lock(second.fileno(), started, lambda: True) is False


def test_lock_is_of_the_file_that_is_there_when_the_wait_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that waited while the file was replaced holds the new one, which the next run opens."""
    path = tmp_path / "sites.toml"
    path.touch()
    holder = path.open("rb")
    fcntl.flock(holder, fcntl.LOCK_EX)

    def replace_and_release(seconds: float) -> None:
        path.rename(tmp_path / "old")
        path.touch()
        holder.close()

    monkeypatch.setattr(locking.time, "sleep", replace_and_release)
    descriptor = locking.lock_file(path, time.monotonic() + 10)
    with path.open("rb") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(descriptor)
