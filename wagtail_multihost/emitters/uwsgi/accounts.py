"""Accounts of their own for sites: what the emperor, which is root then, makes of a vassal."""

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
    """Return whether each site has an account of its own; otherwise all have the emperor's."""
    return PLACE in plan.platform.user


def account_of(plan: Plan, site: SiteSpec) -> VassalAccount | None:
    """
    Return the account of ``site``. Its group is the one that reads its snapshot where each site has one, else the
    one named like the user: with no group, uWSGI would leave it root's.
    """
    if not has_accounts(plan):
        return None
    user = plan.platform.user_of(site.id)
    group = plan.platform.group_of(site.id) if PLACE in plan.platform.group else user
    if user == "root" or group == "root":
        raise RenderError(f"The site {site.id} would run as root: name another account in the platform's user.")
    return VassalAccount(user, group)


def refuse_wrong_account(plan: Plan) -> None:
    """Raise RenderError for options that go ill with who the emperor is."""
    if plan.options(UwsgiOptions).http and has_accounts(plan):
        raise RenderError(
            "platform.uwsgi.http: With an account for each site the emperor is root, and so would be uWSGI's router "
            "that reads what visitors send: leave out http and put nginx in front, or state one user for all sites."
        )
    if plan.options(UwsgiOptions).cgroup and not has_accounts(plan):
        raise RenderError(
            "platform.uwsgi.cgroup: A control group needs an emperor that is root: state a user with {site} in it, or "
            "leave out cgroup."
        )
    if not has_accounts(plan) and any(plan.options(UwsgiOptions, site).tasks for site in plan.sites):
        # RLIMIT_NPROC counts what an account has (getrlimit(2)): one site would use up what its neighbours may have.
        raise RenderError(
            "uwsgi.tasks: A limit of processes is that of an account: state a user with {site} in it, or leave out "
            "tasks."
        )
