"""Separate accounts for sites: what the emperor, which must be root then, runs a vassal as."""

from __future__ import annotations

from typing import NamedTuple

from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.exceptions import RenderError
from wagtail_multihost.spec.site import SiteSpec
from wagtail_multihost.spec.uwsgi import UwsgiOptions

PLACE = "{site}"


class VassalAccount(NamedTuple):
    """What a site's processes run as."""

    user: str
    group: str


def has_accounts(plan: Plan) -> bool:
    """Return whether each site has its own account; otherwise all run as the emperor's."""
    return PLACE in plan.platform.user


def account_of(plan: Plan, site: SiteSpec) -> VassalAccount | None:
    """
    Return the account of ``site``. Its group is the one that reads its snapshot if each site has one, else the group
    named like the user: without a group, uWSGI would leave it root's.
    """
    if not has_accounts(plan):
        return None
    user = plan.platform.user_of(site.id)
    group = plan.platform.group_of(site.id) if PLACE in plan.platform.group else user
    if user == "root" or group == "root":
        raise RenderError(f"The site {site.id} would run as root. Name another account in the platform's user.")
    return VassalAccount(user, group)


def refuse_wrong_account(plan: Plan) -> None:
    """Raise RenderError for options that do not fit the account of the emperor."""
    if plan.options(UwsgiOptions).http and has_accounts(plan):
        raise RenderError(
            "platform.uwsgi.http: With an account for each site the emperor is root, and so would be uWSGI's router, "
            "which reads what visitors send. Remove http and put nginx in front, or set one user for all sites."
        )
    if plan.options(UwsgiOptions).cgroup and not has_accounts(plan):
        raise RenderError(
            "platform.uwsgi.cgroup: A control group needs an emperor that is root. Set a user with {site} in it, or "
            "remove cgroup."
        )
    if not has_accounts(plan) and any(plan.options(UwsgiOptions, site).tasks for site in plan.sites):
        # RLIMIT_NPROC counts the processes of an account (getrlimit(2)): one site could use up its neighbours' share.
        raise RenderError(
            "uwsgi.tasks: The limit of processes applies to a whole account. Set a user with {site} in it, or remove "
            "tasks."
        )
