"""Changes that are made on a node, and who else writes there at that time."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from wagtail_multihost.files import locking
from wagtail_multihost.node.keeping import Keeper
from wagtail_multihost.node.local_changes import FILE_NAME, LocalChange, put_change, read_changes
from wagtail_multihost.node.reading import Known
from wagtail_multihost.node.state_file import State

CHANGE = LocalChange("u", {"state": "maintenance"}, "root", "2026-12-01T00:00:00+00:00", "control is down", 1)


def test_changes_of_several_sites_at_a_time_are_all_kept(tmp_path: Path) -> None:
    """Each of two people knows only what there was when he began."""
    path = tmp_path / FILE_NAME
    threads = [threading.Thread(target=put_change, args=(path, f"site{number}", CHANGE)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read_changes(path) == {f"site{number}": CHANGE for number in range(8)}
    put_change(path, "site3", None)
    assert "site3" not in read_changes(path)
    assert [one.name for one in tmp_path.iterdir()] == [FILE_NAME]


def test_agent_and_command_keep_out_of_each_others_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them removes what killed runs have left, which could be what the other one is writing."""
    monkeypatch.setattr(locking, "LOCK_SECONDS", 0.1)
    keeper = Keeper(tmp_path, "postgres:///control")
    descriptor = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with pytest.raises(BlockingIOError):
            put_change(tmp_path / FILE_NAME, "aurora", CHANGE)
        keeper.keep(State(Known("i", 1, 0, {}, {}, {})))
        assert keeper.is_owing
    finally:
        os.close(descriptor)
    keeper.write()
    assert not keeper.is_owing
