"""Whose a snapshot, its folder and the public key must be, whatever way leads to them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.accounts import NOBODY, needs_root, passable_folder
from tests.registry.test_signature import make_key
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry.signature import read_public_key
from wagtail_multihost.registry.snapshot import folder_trust_problem

ROOT = (0,)
VARIABLE = "MULTIHOST_SNAPSHOT_PUBLIC_KEY"


@pytest.fixture
def public(tmp_path: Path) -> Path:
    return make_key(tmp_path, "signing").with_suffix(".pub")


@pytest.mark.parametrize("is_production", [False, True])
@pytest.mark.parametrize("mode", [0o400, 0o444, 0o600, 0o644, 0o755])
def test_public_key_that_nobody_else_writes_is_accepted(public: Path, mode: int, is_production: bool) -> None:
    """Anybody may read it."""
    public.chmod(mode)
    assert read_public_key(public, VARIABLE, is_production=is_production).public_bytes_raw()


@pytest.mark.parametrize("is_production", [False, True])
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o664, 0o646, 0o666])
def test_public_key_that_others_write_is_refused(public: Path, mode: int, is_production: bool) -> None:
    """Who can change the key can sign snapshots."""
    public.chmod(mode)
    with pytest.raises(ConfigurationError, match=VARIABLE):
        read_public_key(public, VARIABLE, is_production=is_production)


@needs_root
@pytest.mark.parametrize(("is_production", "accepted"), [(False, "root"), (True, "root")])
def test_public_key_of_another_account_is_refused(public: Path, is_production: bool, accepted: str) -> None:
    """A key that belongs to somebody else, a site's account for example, is not asked."""
    os.chown(public, NOBODY, 0)
    with pytest.raises(ConfigurationError, match=rf"belongs to nobody; accepted: {accepted}\."):
        read_public_key(public, VARIABLE, is_production=is_production)


@needs_root
@pytest.mark.parametrize(("is_production", "is_refused"), [(False, False), (True, True)])
def test_public_key_of_the_process_itself_is_refused_in_production(
    public: Path, monkeypatch: pytest.MonkeyPatch, is_production: bool, is_refused: bool
) -> None:
    """A site's process must not be able to choose whose signatures it accepts; on a developer's machine it may."""
    os.chown(public, NOBODY, 0)
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    if is_refused:
        with pytest.raises(ConfigurationError, match=r"accepted: root\."):
            read_public_key(public, VARIABLE, is_production=is_production)
    else:
        assert read_public_key(public, VARIABLE, is_production=is_production)


def trees(base: Path) -> tuple[Path, Path]:
    """Return a folder of snapshots in a folder, and a link to it in another; all are root's."""
    (base / "real" / "snapshots").mkdir(parents=True)
    (base / "way").mkdir()
    (base / "way" / "snapshots").symlink_to(base / "real" / "snapshots")
    return base / "real", base / "way"


@needs_root
@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_folder_that_is_reached_by_a_link_is_judged_by_both_ways(which: int, mode: int) -> None:
    """Who may rename above the link, or above the folder that it leads to, can put an older one there."""
    with passable_folder() as base:
        folder = trees(base)
        link = folder[1] / "snapshots"
        assert folder_trust_problem(link, ROOT, is_production=True) == ""
        folder[which].chmod(mode)
        assert str(folder[which]) in folder_trust_problem(link, ROOT, is_production=True)
        assert folder_trust_problem(link, ROOT, is_production=False) == ""
        folder[which].chmod(0o755)
        os.chown(folder[which], NOBODY, 0)
        assert "belongs to nobody" in folder_trust_problem(link, ROOT, is_production=True)


@needs_root
@pytest.mark.parametrize("is_production", [False, True])
def test_folder_itself_is_judged_everywhere(is_production: bool) -> None:
    """Where others write, or that belongs to another account, no snapshot is believed."""
    with passable_folder() as base:
        folder = trees(base)[0] / "snapshots"
        for mode in (0o775, 0o757, 0o1777):
            folder.chmod(mode)
            assert folder_trust_problem(folder, ROOT, is_production=is_production).startswith(
                "Its folder is not accepted."
            )
        folder.chmod(0o711)
        os.chown(folder, NOBODY, 0)
        assert "belongs to nobody" in folder_trust_problem(folder, ROOT, is_production=is_production)
        assert folder_trust_problem(folder, (0, NOBODY), is_production=is_production) == ""


@needs_root
def test_sticky_folder_above_is_accepted_and_its_owner_is_not_any() -> None:
    """In a folder such as /tmp only owners rename their files; but the folder's own owner may."""
    with passable_folder() as base:
        above = trees(base)[0]
        above.chmod(0o1777)
        assert folder_trust_problem(above / "snapshots", ROOT, is_production=True) == ""
        os.chown(above, NOBODY, 0)
        assert "belongs to nobody" in folder_trust_problem(above / "snapshots", ROOT, is_production=True)
