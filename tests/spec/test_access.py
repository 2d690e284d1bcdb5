"""Whom a file or a folder on the way belongs to, and who may write there, by the status alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from wagtail_multihost.spec import permissions
from wagtail_multihost.spec.permissions import (
    ENGINE_SECRETS,
    MOST_LINKS,
    NO_FOREIGN_ACCESS,
    NO_FOREIGN_WRITING,
    access_problem,
    account_name,
    own_accounts,
    path_problem,
    secret_file_problem,
)

NOBODYS = 4_294_967_293


def status(mode: int = 0o100600, uid: int = 0) -> os.stat_result:
    return os.stat_result((mode, 0, 0, 1, uid, 0, 0, 0, 0, 0))


@pytest.mark.parametrize("forbidden", [NO_FOREIGN_WRITING, NO_FOREIGN_ACCESS])
@pytest.mark.parametrize("bit", range(12))
def test_each_bit_of_a_mode_is_accepted_or_not(bit: int, forbidden: int) -> None:
    """Writing by the group and others, and where it is a secret all that others may do."""
    mode = 1 << bit
    is_refused = mode in ((0o020, 0o002) if forbidden == NO_FOREIGN_WRITING else (0o020, 0o001, 0o002, 0o004))
    told = access_problem(status(0o100000 | mode), forbidden, (0,))
    assert told.startswith(f"It has the mode {mode:04o}; accepted: ") is is_refused
    assert (told == "") is not is_refused
    assert access_problem(status(0o100000 | mode), 0, (0,)) == ""


def test_owner_is_one_of_those_that_are_accepted() -> None:
    """Each of them once, by name, and one without a name by its number."""
    assert access_problem(status(uid=7), 0, (0, 7)) == ""
    told = access_problem(status(uid=NOBODYS), 0, (0, 0))
    assert told == f"It belongs to the uid {NOBODYS}; accepted: root."
    told = access_problem(status(uid=0), NO_FOREIGN_WRITING, (NOBODYS, 1))
    assert told == f"It belongs to root; accepted: the uid {NOBODYS} or {account_name(1)}."
    assert own_accounts() == (0, os.geteuid())


Tree = dict[str, tuple[int, int] | str]
FOLDER, STICKY = 0o040755, 0o041777


@pytest.fixture
def tree(monkeypatch: pytest.MonkeyPatch) -> Callable[[Tree], None]:
    """Make root of this process, in a tree of folders (mode and owner) and links (where they lead)."""

    def plant(entries: Tree) -> None:
        def lstat(path: Path) -> object:
            entry = entries.get(str(path))
            if entry is None:
                raise FileNotFoundError(path)
            mode, uid = (stat.S_IFLNK | 0o777, 0) if isinstance(entry, str) else entry
            return SimpleNamespace(st_mode=mode, st_uid=uid)

        monkeypatch.setattr(os, "geteuid", lambda: 0)
        monkeypatch.setattr(Path, "lstat", lstat)
        monkeypatch.setattr(Path, "readlink", lambda path: Path(str(entries[str(path)])))

    return plant


@pytest.mark.parametrize(
    ("entries", "path", "culprit"),
    [
        ({}, "/srv/a", ""),
        ({"/srv": (FOLDER, 0)}, "/srv/a", ""),
        ({"/srv": (FOLDER, 7)}, "/srv/a", "/srv"),
        ({"/srv": (FOLDER, 7)}, "/srv", "/srv"),
        ({"/srv": (0o040775, 0)}, "/srv/a", "/srv"),
        ({"/srv": (STICKY, 0)}, "/srv/a", ""),
        ({"/srv": (STICKY, 0)}, "/srv", "/srv"),
        ({"/srv": (STICKY, 7)}, "/srv/a", "/srv"),
        ({"/srv": (STICKY, 0), "/srv/a": (FOLDER, 7)}, "/srv/a/b", "/srv/a"),
        ({"/srv": "/real", "/real": (FOLDER, 0)}, "/srv/a", ""),
        ({"/srv": "/real", "/real": (FOLDER, 7)}, "/srv/a", "/real"),
        ({"/srv": "real", "/real": (FOLDER, 7)}, "/srv/a", "/real"),
        ({"/srv": (FOLDER, 0), "/srv/a": "../real", "/real": (FOLDER, 7)}, "/srv/a/b", "/real"),
        ({"/srv": (FOLDER, 0), "/srv/a": "b/c", "/srv/b": (FOLDER, 0), "/srv/b/c": (FOLDER, 7)}, "/srv/a", "/srv/b/c"),
        ({"/srv": "/srv"}, "/srv/a", "/srv"),  # a circle
        ({"/srv": "/real", "/real": (FOLDER, 0), "/real/a": (FOLDER, 7)}, "/srv/a", "/real/a"),
    ],
)
def test_way_of_root_leads_through_nobodys_hands(
    tree: Callable[[Tree], None], entries: Tree, path: str, culprit: str
) -> None:
    """Every folder and every link on the way counts; what is not there yet does not."""
    tree({"/": (FOLDER, 0), **entries})
    told = path_problem(Path(path))
    assert told.startswith(f"The path {path} is not accepted for root's files: {culprit}: ") is bool(culprit)
    assert (told == "") is not bool(culprit)


def test_way_of_root_begins_at_the_root(tree: Callable[[Tree], None]) -> None:
    """The root of all files counts too."""
    tree({"/": (FOLDER, 7)})
    assert "root's files: /: It belongs to" in path_problem(Path("/srv"))


@pytest.mark.parametrize("count", [MOST_LINKS, MOST_LINKS + 1])
def test_way_of_root_follows_as_many_links_as_linux(tree: Callable[[Tree], None], count: int) -> None:
    """Forty, and no more."""
    links: Tree = {f"/l{number}": f"/l{number + 1}" for number in range(count)}
    tree({"/": (FOLDER, 0), **links, f"/l{count}": (FOLDER, 0)})
    assert path_problem(Path("/l0")).endswith("Too many links.") is (count > MOST_LINKS)


def test_way_of_others_is_not_looked_at(tree: Callable[[Tree], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is not root's writes what its own account may."""
    tree({"/": (FOLDER, 7)})
    monkeypatch.setattr(os, "geteuid", lambda: 7)
    assert path_problem(Path("/srv")) == ""


@pytest.mark.parametrize(
    ("path", "link_owner", "owner", "mode", "culprit"),
    [
        ("/etc/key", 0, 0, 0o600, ""),
        ("/etc/key", 0, 0, 0o644, "mode 0644"),
        ("/etc/key", 0, 7, 0o600, "belongs to"),
        ("/etc/key", 7, 0, 0o600, "belongs to"),
        (f"{ENGINE_SECRETS}/key", 7, 7, 0o444, ""),
        (f"{ENGINE_SECRETS}/key", 7, 7, 0o446, "mode 0446"),
        (f"{ENGINE_SECRETS}2/key", 7, 7, 0o444, "belongs to"),
    ],
)
def test_file_of_a_secret_is_judged_with_the_link_to_it(
    monkeypatch: pytest.MonkeyPatch, path: str, link_owner: int, owner: int, mode: int, culprit: str
) -> None:
    """Both belong to root or the process, unless a container's engine has put it there."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(Path, "lstat", lambda path: status(0o120777, link_owner))
    monkeypatch.setattr(permissions, "path_problem", lambda path: "")  # the way to it, which other tests are about
    told = secret_file_problem(Path(path), status(0o100000 | mode, owner))
    assert (told == "") is (culprit == "")
    assert culprit in told
