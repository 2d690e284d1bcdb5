"""Which variables a site's process gets."""

from __future__ import annotations

import pytest

from wagtail_multihost.launch.account import Account
from wagtail_multihost.launch.environment import site_environ

ACCOUNT = Account("aurora", 1001, 1002, "/home/aurora")
LOGIN = {
    "HOME": "/home/aurora",
    "USER": "aurora",
    "LOGNAME": "aurora",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}
OF_WORDS = [
    "LANG",
    "LANGUAGE",
    "TZ",
    "NO_COLOR",
    "DJANGO_CONFIGURATION",
    "DJANGO_SETTINGS_MODULE",
    "LC_ALL",
    "LC_X",
]
OF_ROOT = ["PLATFORM_KEY", "PYTHONPATH", "LD_PRELOAD", "SSH_AUTH_SOCK", "TERMINFO", "ALC_LC_", "lc_all", "TZDIR", ""]


def test_login_is_the_accounts() -> None:
    """Home, name and search path are the account's, whatever root's are."""
    root = {"HOME": "/root", "USER": "root", "LOGNAME": "root", "PATH": "/root/bin"}
    assert site_environ(root, ACCOUNT, {}) == LOGIN


@pytest.mark.parametrize("name", OF_WORDS)
def test_variables_of_language_and_settings_are_passed_on(name: str) -> None:
    """Words and times are those that root has asked for."""
    assert site_environ({name: "value"}, ACCOUNT, {}) == {**LOGIN, name: "value"}


@pytest.mark.parametrize("name", OF_ROOT)
def test_other_variables_are_passed_on_where_they_are_named(name: str) -> None:
    """Root's variables stay root's, at a terminal too, but for one that the caller has named."""
    for has_terminal in (True, False):
        assert site_environ({name: "value"}, ACCOUNT, {}, has_terminal=has_terminal) == LOGIN
        passed = site_environ({name: "value"}, ACCOUNT, {}, named=[name], has_terminal=has_terminal)
        assert passed == {**LOGIN, name: "value"}


@pytest.mark.parametrize("name", ["TERM", "COLORTERM"])
def test_kind_of_terminal_is_passed_on_at_a_terminal(name: str) -> None:
    """A process without one has no use for it."""
    assert site_environ({name: "xterm"}, ACCOUNT, {}, has_terminal=True) == {**LOGIN, name: "xterm"}
    assert site_environ({name: "xterm"}, ACCOUNT, {}) == LOGIN


def test_own_variables_come_last() -> None:
    """What the launch says of a process is neither the caller's nor the account's to change."""
    own = {"MULTIHOST_SITE": "aurora", "LANG": "de", "HOME": "/srv"}
    passed = site_environ({"MULTIHOST_SITE": "borealis", "LANG": "C"}, ACCOUNT, own, named=["MULTIHOST_SITE"])
    assert passed == {**LOGIN, **own}
