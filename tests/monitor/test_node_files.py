"""The files between a monitor and the agent beside it, on a disk."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

import pytest

from tests.monitor.servers import Site
from wagtail_multihost.monitor.ledger import News
from wagtail_multihost.monitor.node_files import NodeFiles
from wagtail_multihost.nodeapi.connection import UnreachableError
from wagtail_multihost.nodeapi.probe_files import Observation, parse_observed, render_targets
from wagtail_multihost.nodeapi.probe_states import UP

TARGETS = (Site("aurora").target(), Site("boreal").target())


def desk(folder: Path) -> NodeFiles:
    (folder / "own").mkdir(exist_ok=True)
    return NodeFiles(folder / "targets.json", folder / "own" / "observations.json")


def news(*observations: Observation) -> News:
    return News(1000.0, {}, (), 400.0, observations)


def test_targets_are_read_when_they_have_changed(tmp_path: Path) -> None:
    """And what cannot be read changes nothing."""
    one = desk(tmp_path)
    one.read.write_bytes(render_targets("web1", TARGETS))
    assert one.read_targets() == TARGETS
    assert one.read_targets() is None
    one.read.write_bytes(b"nonsense")
    assert one.read_targets() is None
    one.read.unlink()
    assert one.read_targets() is None
    one.read.write_bytes(render_targets("web1", TARGETS[:1]))
    assert one.read_targets() == TARGETS[:1]


def test_first_targets_are_waited_for(tmp_path: Path) -> None:
    """The agent may start later; a link is not followed, and a pipe is not waited for."""
    one = desk(tmp_path)
    with pytest.raises(UnreachableError, match="No such file"):
        one.read_targets()
    (tmp_path / "real").write_bytes(render_targets("web1", TARGETS))
    one.read.symlink_to(tmp_path / "real")
    with pytest.raises(UnreachableError):
        one.read_targets()
    one.read.unlink()
    os.mkfifo(one.read)
    with pytest.raises(UnreachableError, match="no regular file"):
        one.read_targets()


def test_what_was_concluded_is_written_whole(tmp_path: Path) -> None:
    """By a rename, each time with a higher number, for its account alone."""
    one = desk(tmp_path)
    one.read.write_bytes(render_targets("web1", TARGETS))
    one.read_targets()
    assert one.admit()
    for number in (1, 2):
        assert one.send(news(Observation("aurora.example", UP, since=float(number))))
        assert one.written is not None
        found = parse_observed(one.written.read_bytes(), "web1", {"aurora.example"})
        assert (found.serial, found.boot, found.at, found.covered_since) == (number, one.boot, 1000.0, 400.0)
        assert found.observations[0].since == number
        assert one.written.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in one.written.parent.iterdir()] == ["observations.json"]


def test_two_monitors_do_not_write_in_turns(tmp_path: Path) -> None:
    """The second one waits until the first has ended."""
    first, second = desk(tmp_path), desk(tmp_path)
    assert first.admit() and first.admit()
    assert not second.admit()
    first.close()
    assert second.admit()
    second.close()


def test_folder_that_is_missing_or_full_is_waited_for(tmp_path: Path) -> None:
    """Asking goes on meanwhile."""
    one = NodeFiles(tmp_path / "targets.json", tmp_path / str(uuid4()) / "observations.json")
    with pytest.raises(UnreachableError):
        one.admit()
    with pytest.raises(UnreachableError, match=r"observations\.json: It cannot be written"):
        one.send(news())
