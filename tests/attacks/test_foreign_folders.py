"""A tenant who owns a folder on root's way, and root who writes files there: refused before anything is made."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.accounts import NOBODY, acting_as, needs_root, passable_folder
from tests.emitters.conftest import make_plan, make_site
from wagtail_multihost.emitters import emitters
from wagtail_multihost.emitters.apply import apply
from wagtail_multihost.emitters.apply.request import ApplyRequest
from wagtail_multihost.emitters.apply.writing import write_changes
from wagtail_multihost.emitters.cautions import cautions
from wagtail_multihost.emitters.output import owner_of
from wagtail_multihost.exceptions import ConfigurationError, EmitError
from wagtail_multihost.publishing.snapshot_writer import prepared_folder
from wagtail_multihost.spec.permissions import path_problem
from wagtail_multihost.spec.storage import StorageSpec

pytestmark = needs_root
TENANT = "games"


@pytest.fixture(name="folder")
def _folder() -> Iterator[Path]:
    with passable_folder() as found:
        yield found


def request(directory: Path) -> ApplyRequest:
    plan = make_plan(make_site("aurora"), directory=directory)
    return ApplyRequest(emitters=(emitters()["uwsgi"],), directory=directory, load=lambda: plan)


def emits(directory: Path) -> None:
    write_changes(request(directory))


def applies(directory: Path) -> None:
    apply(request(directory))


def snapshots(directory: Path) -> None:
    with prepared_folder(directory):
        pass


def owned(folder: Path) -> Path:
    """Return a tenant's own folder."""
    path = folder / "owned"
    path.mkdir(mode=0o755)
    shutil.chown(path, TENANT, TENANT)
    return path


def below(folder: Path) -> Path:
    return owned(folder) / "a/b"


def below_roots_own(folder: Path) -> Path:
    path = owned(folder) / "root"
    path.mkdir(mode=0o755)
    return path / "out"


def in_a_group(folder: Path) -> Path:
    path = folder / "shared"
    path.mkdir()
    shutil.chown(path, "root", TENANT)
    path.chmod(0o775)
    return path / "out"


def by_a_link(folder: Path) -> Path:
    """Return a path through a link that a tenant has made in a sticky folder, to one of root's."""
    (folder / "sticky").mkdir()
    (folder / "sticky").chmod(0o1777)
    (folder / "etc").mkdir(mode=0o755)
    link = folder / "sticky/out"
    link.symlink_to(folder / "etc")
    os.lchown(link, NOBODY, 0)
    return link / "new"


def by_roots_link(folder: Path) -> Path:
    """Return a path through a link of root's, which leads by way of a tenant's folder back to root's."""
    link = folder / "link"
    link.symlink_to(f"{owned(folder)}/../etc")
    (folder / "etc").mkdir(mode=0o755)
    return link / "new"


def everything(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


@pytest.mark.parametrize("command", [emits, applies, snapshots])
@pytest.mark.parametrize("place", [owned, below, below_roots_own, in_a_group, by_a_link, by_roots_link])
def test_root_writes_nothing_where_a_tenant_can_change_the_way(
    folder: Path, command: Callable[[Path], None], place: Callable[[Path], Path]
) -> None:
    """The command is refused with the path, and leaves neither file nor folder."""
    path = place(folder)
    before = everything(folder)
    with pytest.raises((EmitError, ConfigurationError), match=f"not accepted for root's files: {folder}"):
        command(path)
    assert everything(folder) == before


@pytest.mark.parametrize("command", [emits, snapshots])
def test_root_writes_below_its_own_folders_and_through_a_sticky_one(
    folder: Path, command: Callable[[Path], None]
) -> None:
    """/tmp is on the way of this very test; a link of root's between root's folders is followed."""
    (folder / "etc").mkdir()
    (folder / "link").symlink_to("etc")
    command(folder / "link/a/b")
    assert (folder / "etc/a/b").is_dir()


def test_a_folder_of_a_target_that_a_tenant_owns_is_refused(folder: Path) -> None:
    """The output folder is root's, and the one for vassals in it is not."""
    (folder / "uwsgi").mkdir()
    shutil.chown(folder / "uwsgi", TENANT, TENANT)
    with pytest.raises(EmitError, match="uwsgi: It belongs to games"):
        emits(folder)
    assert not list((folder / "uwsgi").iterdir())


def test_an_operator_writes_to_a_folder_of_the_own_home(folder: Path) -> None:
    """Who is not root has the own account's rights alone, and works in folders that colleagues share."""
    home = folder / "home"
    home.mkdir()
    home.chmod(0o2775)
    shutil.chown(home, NOBODY, TENANT)
    emits(folder / "first")  # loads what this Python may keep in a folder that only root enters
    owner_of.cache_clear()  # is of root
    with acting_as(NOBODY):
        assert path_problem(home / "out") == ""
        emits(home / "out")
    owner_of.cache_clear()
    assert (home / "out/uwsgi/aurora.ini").is_file()


def test_a_folder_that_a_tenant_can_move_is_told_before_systemd_binds_it(folder: Path) -> None:
    """PID 1 follows links to what it shows in a unit: the caution is for who puts uploads below a site's own folder."""

    def told(path: Path) -> list[str]:
        site = make_site("aurora", storage=StorageSpec(backend="files", path=path))
        return [
            text for text in cautions(make_plan(site, directory=folder), ["systemd"]) if "would follow a link" in text
        ]

    (folder / "media").mkdir()
    assert told(folder / "media/aurora") == []
    [text] = told(owned(folder) / "media")
    assert f"{folder}/owned: It belongs to games" in text


def test_links_in_a_circle_are_refused(folder: Path) -> None:
    """The way ends, as the kernel's does."""
    (folder / "a").symlink_to("b")
    (folder / "b").symlink_to("a")
    assert "Too many links" in path_problem(folder / "a/c")


@pytest.mark.parametrize("command", [emits, snapshots])
@pytest.mark.parametrize("place", ["out", "out/files"])
@pytest.mark.parametrize("moment", range(2))
@pytest.mark.parametrize("is_link", [False, True])
def test_a_folder_that_a_tenant_makes_first_is_refused(
    folder: Path,
    command: Callable[[Path], None],
    place: str,
    moment: int,
    is_link: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a sticky folder a tenant makes what was not there when root looked; root makes nothing below it."""
    sticky, target = folder / "sticky", folder / "etc"
    for path, mode in ((sticky, 0o1777), (target, 0o755)):
        path.mkdir()
        path.chmod(mode)
    moments = iter(range(100))

    def come_first() -> None:
        if not (sticky / "out").exists() and next(moments) == moment:
            if is_link:
                (sticky / "out").symlink_to(target)
                os.lchown(sticky / "out", pwd.getpwnam(TENANT).pw_uid, 0)
            else:
                os.mkdir(sticky / "out")
                shutil.chown(sticky / "out", TENANT, TENANT)

    for name in ("lstat", "is_dir", "mkdir"):
        monkeypatch.setattr(Path, name, before(getattr(Path, name), sticky / "out", come_first))
    with pytest.raises((EmitError, ConfigurationError), match=r"It belongs to games|File exists"):
        command(sticky / place)
    assert not list((sticky / "out").iterdir())


def before(method: Callable[..., Any], place: Path, act: Callable[[], None]) -> Callable[..., Any]:
    """Return ``method`` of paths, which lets somebody act before it is called on what is or lies below ``place``."""

    def called(path: Path, *arguments: Any, **options: Any) -> Any:
        if place in (path, *path.parents):
            act()
        return method(path, *arguments, **options)

    return called
