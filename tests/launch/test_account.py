"""Which account a launch becomes, and that it becomes it whole."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.accounts import needs_root
from tests.launch.child import in_child
from wagtail_multihost.exceptions import LaunchError
from wagtail_multihost.launch.account import Account, account_named

USERS = {"aurora": (1001, 1050), "lone": (1002, 1051), "toor": (0, 1050), "staff": (1003, 1052), "rooted": (1004, 0)}
GROUPS = {"aurora": 1060, "www": 1070, "wheel": 0, "staff": 0}


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine with some users, of whom aurora alone has a home, and some groups."""

    def user(name: str) -> Any:
        uid, gid = USERS[name]
        home = tmp_path if name == "aurora" else tmp_path / "none"
        return SimpleNamespace(pw_name=name, pw_uid=uid, pw_gid=gid, pw_dir=str(home))

    monkeypatch.setattr(pwd, "getpwnam", user)
    monkeypatch.setattr(grp, "getgrnam", lambda name: SimpleNamespace(gr_gid=GROUPS[name]))


@pytest.mark.parametrize(
    ("user", "group", "uid", "gid"),
    [
        ("aurora", "", 1001, 1060),
        ("aurora", "www", 1001, 1070),
        ("lone", "", 1002, 1051),
        ("lone", "aurora", 1002, 1060),
        ("rooted", "www", 1004, 1070),
    ],
)
def test_account_has_the_stated_group_or_its_own(user: str, group: str, uid: int, gid: int) -> None:
    """A group that is stated comes first, then the one of the account's name, then its first one."""
    account = account_named(user, group)
    assert (account.name, account.uid, account.gid) == (user, uid, gid)


def test_home_is_a_folder_that_is_there(tmp_path: Path) -> None:
    """An account whose home was never made works at the root of the file system."""
    assert account_named("aurora").home == str(tmp_path)
    assert account_named("lone").home == "/"
    assert Account("a", 1, 1).home == "/"


@pytest.mark.parametrize(
    ("user", "group", "said"),
    [
        ("nobody-here", "", "no account nobody-here"),
        ("aurora", "none", "no group none"),
        ("toor", "", "is root"),
        ("toor", "www", "is root"),
        ("aurora", "wheel", "its group is root's"),
        ("staff", "", "its group is root's"),
        ("rooted", "", "its group is root's"),
    ],
)
def test_account_that_is_missing_or_roots_is_refused(user: str, group: str, said: str) -> None:
    """A site never runs as root or in root's group, and a missing name is one sentence."""
    with pytest.raises(LaunchError, match=said):
        account_named(user, group)


@needs_root
def test_account_is_taken_for_good() -> None:
    """All three ids of the user and of the group change, no other group is left, and there is no way back."""

    def work() -> list[object]:
        os.setgroups([0, 4, 27])
        Account("games", 5, 60).become()
        back = 0
        for call in (lambda: os.setuid(0), lambda: os.seteuid(0), lambda: os.setgid(0), lambda: os.setgroups([0])):
            try:
                call()
            except PermissionError:
                back += 1
        return [os.getresuid(), os.getresgid(), os.getgroups(), back]

    assert in_child(work) == [[5, 5, 5], [60, 60, 60], [60], 4]


@pytest.mark.parametrize("kept", ["getresuid", "getresgid", "getgroups"])
def test_a_change_that_did_not_take_is_noticed(monkeypatch: pytest.MonkeyPatch, kept: str) -> None:
    """What is left of root in any of the ids ends the launch, also where the kernel has reported no error."""
    for name in ("setgroups", "setresgid", "setresuid"):
        monkeypatch.setattr(os, name, lambda *ids: None)
    answers = {"getresuid": (5, 5, 5), "getresgid": (60, 60, 60), "getgroups": [60]}
    for name, answer in answers.items():
        monkeypatch.setattr(os, name, lambda answer=answer: answer)
    Account("games", 5, 60).become()
    monkeypatch.setattr(os, kept, lambda: [*answers[kept][:-1], 0])
    with pytest.raises(LaunchError, match="could not be dropped"):
        Account("games", 5, 60).become()
