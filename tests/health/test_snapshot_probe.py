"""The probe of the site's snapshot."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from wagtail_multihost import running
from wagtail_multihost.health.probe import passed
from wagtail_multihost.health.probes.snapshot import SnapshotProbe
from wagtail_multihost.publishing.snapshot_changes import find_changes, find_groups
from wagtail_multihost.publishing.snapshot_draft import draft_snapshots
from wagtail_multihost.publishing.snapshot_writer import prepared_folder, write_changes
from wagtail_multihost.registry import open_registry
from wagtail_multihost.registry.base import Contents
from wagtail_multihost.registry.snapshot import SnapshotRegistry, digest_of
from wagtail_multihost.resolver.secret_key import with_own_keys
from wagtail_multihost.running import Running

REGISTRY = """
[platform]
name = "aviary"
environment = "development"
secret_key = "platform-key-hunter0-0123456789-0123456789"
[sites.aurora]
hostnames = ["aurora.example.org"]
cache = { backend = "redis", host = "cache.internal", password = "hunter2" }
database = { engine = "postgresql", host = "db.internal", password = "hunter3" }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the snapshot of one site, of two days ago."""
    path = tmp_path / "sites.toml"
    path.touch(0o600)
    path.write_text(REGISTRY)
    registry = open_registry(path, {})
    loaded = registry.read_sites({"aurora"})
    contents = Contents(loaded.platform, tuple(with_own_keys(loaded.platform, site) for site in loaded.sites))
    folder = tmp_path / "snapshots-hunter4"
    with prepared_folder(folder):
        made = datetime.now(UTC) - timedelta(days=2)
        write_changes(
            list(find_changes(draft_snapshots(folder, registry, contents, made), find_groups(*contents[:2]), None))
        )
    return folder


@pytest.fixture
def started(folder: Path, monkeypatch: pytest.MonkeyPatch) -> SnapshotRegistry:
    """This process has started with the snapshot."""
    registry = SnapshotRegistry(folder, {})
    platform, site = registry.site("aurora")
    applied = Running(platform=platform, site=site, opened=registry)
    monkeypatch.setattr(running, "_current", applied)
    return registry


def edit(folder: Path, update: Callable[[dict[str, Any]], object], *, digests: bool = True) -> None:
    path = folder / "aurora.json"
    document = json.loads(path.read_text())
    update(document)
    if digests:
        document["digest"] = digest_of(document)
    path.write_text(json.dumps(document))


def found(**options: Any) -> tuple[str, str]:
    (outcome,) = SnapshotProbe(**options).measure()
    assert "hunter" not in repr(outcome)
    return str(outcome.status), outcome.code


def test_snapshot_that_is_as_it_was_passes(started: SnapshotRegistry) -> None:
    """Its age is told."""
    (outcome,) = SnapshotProbe().measure()
    assert (outcome.code, outcome.unit, outcome.value) == ("ok", "days", pytest.approx(2, abs=0.1))


def test_snapshot_with_another_content_is_told(started: SnapshotRegistry, folder: Path) -> None:
    """The process has to be reloaded; until then it works as before, so it is a warning."""
    edit(folder, lambda document: document["site"].update(hostnames=["other.example.org"]))
    assert found() == ("warn", "changed")
    # The probe has no part in what the process keeps of its start.
    assert found() == ("warn", "changed")


def test_snapshot_that_was_written_again_is_not_another(started: SnapshotRegistry, folder: Path) -> None:
    """A new revision of the registry that does not change the site asks for no reload."""
    edit(folder, lambda document: document.update(revision=99, created=datetime.now(UTC).isoformat()))
    assert found(max_age=1) == ("pass", "ok")


def test_snapshot_that_is_gone_fails(started: SnapshotRegistry, folder: Path) -> None:
    """The site was removed, or the folder was: the process could not start again."""
    (folder / "aurora.json").unlink()
    assert found() == ("fail", "missing")


def test_snapshot_that_was_tampered_with_fails(
    started: SnapshotRegistry, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What the next start would refuse is known before it; no content is in the log."""
    edit(folder, lambda document: document["site"].update(hostnames=["other.example.org"]), digests=False)
    assert found() == ("fail", "refused")
    assert "digest" in caplog.text and "hunter2" not in caplog.text


def test_snapshot_of_another_site_fails(started: SnapshotRegistry, folder: Path) -> None:
    """A neighbour's file under the own name is refused as at the start."""
    edit(folder, lambda document: document["site"].update(id="borealis"))
    assert found() == ("fail", "refused")


def test_snapshot_that_others_may_write_fails(started: SnapshotRegistry, folder: Path) -> None:
    """File modes count as at the start."""
    (folder / "aurora.json").chmod(0o666)
    assert found() == ("fail", "refused")


@pytest.mark.parametrize(("max_age", "expected"), [(0, ("pass", "ok")), (3, ("pass", "ok")), (1, ("warn", "too_old"))])
def test_snapshot_may_be_too_old(started: SnapshotRegistry, max_age: float, expected: tuple[str, str]) -> None:
    """Where snapshots are written every day, one that is not tells that the job is broken."""
    assert found(max_age=max_age) == expected


def test_snapshot_without_a_time_is_too_old(started: SnapshotRegistry, folder: Path) -> None:
    """Where an age is asked for, one that is not known does not pass."""
    edit(folder, lambda document: document.update(created="once"))
    assert (found(), found(max_age=1)) == (("pass", "ok"), ("warn", "too_old"))


@pytest.mark.parametrize("applied", [None, Running()])
def test_other_registries_have_no_snapshot(applied: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a snapshot there is nothing to compare."""
    monkeypatch.setattr(running, "_current", applied)
    assert list(SnapshotProbe().measure()) == [passed(code="not_applicable")]
