"""Which account a site's commands run as. The registry decides, never the owner of a folder."""

from __future__ import annotations

import os

from wagtail_multihost.launch.account import Account, account_named
from wagtail_multihost.resolver.folders import missing_account_error, refuse_foreign_folder
from wagtail_multihost.spec.permissions import ROOT
from wagtail_multihost.spec.platform import PRODUCTION, PlatformSpec
from wagtail_multihost.spec.site import SiteSpec


def account_to_become(platform: PlatformSpec, site: SiteSpec) -> Account | None:
    """
    Return the account that a command of ``site`` must run as; None where this process keeps its own, because it is not
    root, or because none is stated outside production. Raises ConfigurationError for root in production where none is
    stated, and LaunchError for an account that this machine does not have.
    """
    if os.geteuid() != ROOT:
        return None
    user = platform.account_of(site.id)
    if user:
        return account_named(user, platform.own_group_of(site.id))
    if platform.environment == PRODUCTION:
        raise missing_account_error(site)
    refuse_foreign_folder(platform, site)
    return None
