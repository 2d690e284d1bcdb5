"""The check of the group that reads uploads."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.accounts import OTHER_GROUP, SITE_GROUP, needs_root
from tests.checks.conftest import ids_of
from tests.spec.samples import a_platform, a_site, files, s3
from wagtail_multihost import running
from wagtail_multihost.checks.media import check_media_group, needs_media_group, reads_snapshot
from wagtail_multihost.running import Running

pytestmark = needs_root

#: A platform that it matters for: the site aurora has the snapshot's group games.
SEPARATE = {"environment": "production", "group": "g{site}", "snapshots": Path("/run/multihost-sites")}


@pytest.fixture(name="found")
def _found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the ids found for a platform, a site ``ames`` with uploads in ``tmp_path``, and the registry it read."""
    shutil.chown(tmp_path, group=SITE_GROUP)

    def ids(*, storage: Any = None, created: datetime | None = None, **platform: Any) -> list[str]:
        spec = replace(a_site(), id="ames", storage=storage or files(path=tmp_path))
        opened = cast(Any, SimpleNamespace(written_at=lambda site: created))
        made = Running(platform=a_platform(**{**SEPARATE, **platform}), site=spec, opened=opened)
        monkeypatch.setattr(running, "_current", made)
        return ids_of(check_media_group(None))

    return ids


def test_uploads_in_the_snapshots_group_are_w020(found: Any) -> None:
    """It is found where the registry names a folder of snapshots, and in a process that has read one."""
    assert found() == ["W020"]
    assert found(snapshots=None, created=datetime.now(UTC)) == ["W020"]


@pytest.mark.parametrize(
    "changes",
    [
        {"media_group": "media"},
        {"environment": "development"},
        {"group": SITE_GROUP},
        {"group": "unknown-{site}"},
        {"snapshots": None},
        {"storage": s3()},
        {"storage": files(path=Path("/nowhere"))},
    ],
)
def test_nothing_is_said_where_it_does_not_matter(found: Any, changes: dict[str, Any]) -> None:
    """With a group of their own, in development, with one group for all, without snapshots, uploads or their folder."""
    assert found(**changes) == []


def test_uploads_in_another_group_are_fine(found: Any, tmp_path: Path) -> None:
    """The front server does not need the snapshot's group where a folder was given another one."""
    shutil.chown(tmp_path, group=OTHER_GROUP)
    assert found() == []


def test_process_without_site_or_platform_needs_no_group(tmp_path: Path) -> None:
    """Both are needed to tell whose uploads are in whose group."""
    site, platform = replace(a_site(), id="ames", storage=files(path=tmp_path)), a_platform(**SEPARATE)
    for by in (Running(platform=platform), Running(site=site)):
        assert needs_media_group(by) is False
    unopened = Running(platform=a_platform(**{**SEPARATE, "snapshots": None}), site=site)
    assert (needs_media_group(unopened), reads_snapshot(unopened)) == (False, False)
    assert not reads_snapshot(Running(platform=platform))


def test_build_mode_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process without a site has no uploads, and one without settings of ours nothing to look at."""
    for applied in (None, Running()):
        monkeypatch.setattr(running, "_current", applied)
        assert ids_of(check_media_group(None)) == []
