"""The account of a site: what its processes run as."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path
from typing import NamedTuple

from wagtail_multihost.exceptions import LaunchError
from wagtail_multihost.spec.permissions import ROOT

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Account(NamedTuple):
    """A user with one group. Further groups in the system's files are ignored: a site's server has none."""

    name: str
    uid: int
    gid: int
    home: str = "/"

    def become(self) -> None:
        """
        Change from root to this account irrevocably. The groups are always set: otherwise an account without an entry
        in the system's files would keep root's.
        """
        os.setgroups([self.gid])
        os.setresgid(self.gid, self.gid, self.gid)
        os.setresuid(self.uid, self.uid, self.uid)
        kept = {*os.getresuid(), *os.getresgid(), *os.getgroups()}
        if kept - {self.uid, self.gid}:
            raise LaunchError("Root's privileges could not be dropped.")


def account_named(user: str, group: str = "") -> Account:
    """
    Return the account ``user`` of this machine, with ``group``, or else the group of the same name, as in emitted
    configurations, or else its primary group. Raises LaunchError.
    """
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise LaunchError(f"This machine has no account {user}, which the registry names for the site.") from None
    gid = gid_of(group) if group else gid_of(user, otherwise=entry.pw_gid)
    if ROOT in (entry.pw_uid, gid):
        raise LaunchError(
            f"The account {user} is root, or its group is root's. Name another account in the platform's user."
        )
    home = entry.pw_dir if Path(entry.pw_dir).is_dir() else "/"
    return Account(user, entry.pw_uid, gid, home)


def gid_of(group: str, *, otherwise: int | None = None) -> int:
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        if otherwise is not None:
            return otherwise
        raise LaunchError(f"This machine has no group {group}, which the registry names for the site.") from None
