"""Folders of uploads behind symbolic links."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.emitters.conftest import make_codebase, make_plan, make_platform, make_site, texts
from wagtail_multihost.emitters import Plan
from wagtail_multihost.emitters.nginx import linked_folders
from wagtail_multihost.emitters.nginx.cautions import cautions
from wagtail_multihost.emitters.nginx.linked_folders import follow_links, linked_folder, trusted_accounts
from wagtail_multihost.spec.permissions import account_name
from wagtail_multihost.spec.storage import StorageSpec

OTHER = 12345


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """Folders as Capistrano makes them: ``current`` is a link to a release, whose ``media`` is one to ``shared``."""
    root = tmp_path.resolve()
    root.chmod(0o755)
    (root / "shared/media").mkdir(parents=True)
    (root / "releases/42").mkdir(parents=True)
    (root / "releases/42/media").symlink_to("../../shared/media")
    (root / "current").symlink_to(root / "releases/42")
    return root


def plan_for(path: Path, **platform: Any) -> Plan:
    site = make_site("aurora", storage=StorageSpec(backend="files", path=path))
    return make_plan(
        replace(site, sources={"storage": "sites.toml:7: sites.aurora.storage"}), platform=make_platform(**platform)
    )


def media_of(plan: Plan) -> str:
    return texts("nginx", plan)["nginx/maps.conf"]


def test_path_with_links_is_served_where_they_lead(release: Path) -> None:
    """nginx is told the folder itself, and the operator the key, the path, its link and its target."""
    plan = plan_for(release / "current/media")
    assert f"aurora {release}/shared/media;" in media_of(plan)
    assert str(release / "current") not in media_of(plan)
    (sentence,) = cautions(plan)
    assert sentence.startswith("sites.toml:7: sites.aurora.storage.path: ")
    assert all(str(release / name) in sentence for name in ("current/media", "current", "shared/media"))


def test_path_without_links_is_served_as_it_is(release: Path) -> None:
    """Neither a plain folder nor one that is not there yet is looked for elsewhere."""
    for path in (release / "shared/media", release / "none/media"):
        plan = plan_for(path)
        assert f"aurora {path};" in media_of(plan)
        assert list(cautions(plan)) == []


def test_path_that_is_not_there_yet_is_followed_as_far_as_it_goes(release: Path) -> None:
    """The folder may be made later, below a link that is there."""
    found = linked_folder(plan_for(release / "current/uploads/media"), plan_for(release).sites[0])
    assert found is None, "the site's own path counts"
    plan = plan_for(release / "current/uploads/media")
    found = linked_folder(plan, plan.sites[0])
    assert found is not None
    assert (found.target, found.problem) == (f"{release}/releases/42/uploads/media", "")


@pytest.mark.parametrize("what", ["current", "releases/42/media"])
def test_link_of_somebody_else_is_not_followed(release: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """Whoever can change a link could have nginx serve any folder: the path stays as it is, and that is told."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a link away")
    os.lchown(release / what, OTHER, OTHER)
    plan = plan_for(release / "current/media")
    assert f"aurora {release}/current/media;" in media_of(plan)
    (sentence,) = cautions(plan)
    assert f"{release}/{what}" in sentence and "not followed" in sentence


@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_link_in_a_folder_that_others_can_write_is_not_followed(release: Path, mode: int) -> None:
    """There others can replace the link."""
    (release / "releases/42").chmod(mode)
    plan = plan_for(release / "current/media")
    assert f"aurora {release}/current/media;" in media_of(plan)
    assert "It has the mode" in " ".join(cautions(plan))
    (release / "releases/42").chmod(mode | 0o1000)
    assert linked_folder(plan, plan.sites[0]).problem == "", "in a sticky folder only the owner can"  # type: ignore[union-attr]


def test_folder_of_the_site_itself_may_be_the_sites(release: Path) -> None:
    """The last folder belongs to the site: what is in it cannot lead nginx elsewhere."""
    if os.geteuid() == 0:
        os.chown(release / "shared/media", OTHER, OTHER)
    (release / "shared/media").chmod(0o777)
    plan = plan_for(release / "current/media")
    assert linked_folder(plan, plan.sites[0]).problem == ""  # type: ignore[union-attr]


def test_links_below_the_platforms_data_are_never_followed(release: Path) -> None:
    """Sites own their folders there, and could have made the link."""
    data = release / "data"
    (data / "sites/aurora").mkdir(parents=True)
    (data / "sites/aurora/media").symlink_to(release / "shared")
    for name in ("media", "media/media"):
        plan = plan_for(data / "sites/aurora" / name, data=data)
        assert linked_folder(plan, plan.sites[0]) is None
        assert str(release / "shared") not in media_of(plan)


def test_links_that_go_round_are_not_followed(release: Path) -> None:
    """A circle ends, and nothing is taken for its end."""
    (release / "a").symlink_to("b")
    (release / "b").symlink_to("a")
    links, target = follow_links(f"{release}/a/media", (0, os.geteuid()))
    assert (links[0][1], target) == ("Too many links.", f"{release}/a/media")


def test_link_that_is_changed_meanwhile_leads_nowhere_else(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the path leads is seen in the same walk as who can change it."""
    monkeypatch.setattr(linked_folders.os.path, "realpath", lambda path: "/etc")
    plan = plan_for(release / "current/media")
    found = linked_folder(plan, plan.sites[0])
    assert found is not None and found.target == f"{release}/shared/media"


@pytest.mark.parametrize(
    ("user", "trusts"), [("site-{site}", True), ("", False), ("{owner}", False)], ids=["own", "unknown", "same"]
)
def test_owner_of_the_code_may_set_links_unless_it_is_a_site(tmp_path: Path, user: str, trusts: bool) -> None:
    """Who deploys the code that every site runs is believed; a site that owns its code is not."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    owner = 65534  # nobody, who has a name
    os.chown(tmp_path, owner, owner)
    platform = make_platform(user=user.replace("{owner}", account_name(owner)))
    plan = make_plan(make_site("aurora"), platform=platform, codebase=make_codebase(directory=tmp_path))
    assert (owner in trusted_accounts(plan)) is trusts
    missing = make_plan(make_site("aurora"), platform=platform, codebase=make_codebase(directory=tmp_path / "none"))
    assert set(trusted_accounts(missing)) == {0, os.geteuid()}


@pytest.mark.parametrize("method", ["stat", "readlink"])
def test_what_is_removed_meanwhile_stops_nobody(release: Path, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """The files of all sites are emitted, though the owner of a folder removes it while its path is looked at."""
    real = getattr(Path, method)

    def remove_first(path: Path, **options: Any) -> Any:
        if path.is_relative_to(release / "releases/42") and options.get("follow_symlinks", True):
            raise FileNotFoundError(str(path))
        return real(path, **options)

    monkeypatch.setattr(Path, method, remove_first)
    assert "aurora " in media_of(plan_for(release / "current/media"))
