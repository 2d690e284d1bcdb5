"""The variables that a site's process gets: few, and none with a secret of the caller's."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from wagtail_multihost.launch.account import PATH, Account

#: Variables that only change language, dates and colours. ``LC_…`` are passed on too.
PASSED = frozenset({"LANG", "LANGUAGE", "TZ", "NO_COLOR", "DJANGO_CONFIGURATION", "DJANGO_SETTINGS_MODULE"})
#: What only a process at a terminal needs.
TERMINAL = frozenset({"TERM", "COLORTERM"})


def site_environ(
    caller: Mapping[str, str],
    account: Account,
    own: Mapping[str, str],
    *,
    named: Collection[str] = (),
    has_terminal: bool = False,
) -> dict[str, str]:
    """
    Return the variables of a process of ``account``: those of the ``caller`` that are always passed on or are
    ``named``, and the process's ``own``.
    """
    wanted = PASSED | set(named) | (TERMINAL if has_terminal else frozenset())
    passed = {name: value for name, value in caller.items() if name in wanted or name.startswith("LC_")}
    login = {"HOME": account.home, "USER": account.name, "LOGNAME": account.name, "PATH": PATH}
    return {**passed, **login, **own}
