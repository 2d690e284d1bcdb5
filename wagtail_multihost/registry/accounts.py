"""Rules for the accounts of sites, and for the groups of their snapshots and uploads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

LONGEST = 32  # characters: useradd(8), groupadd(8)
SITE = "{site}"
ROOT = "root"
NOT_ROOT = "Sites must not run as root, which has the rights of all of them."
# Those of Debian's base-passwd and Fedora's setup that own something or may do something, and those of servers on the
# same machine. A site of such a name would run as that account, or in that group: shadow reads passwords.
NAMES = (
    "adm audio backup bin daemon dialout dip disk docker kmem kvm libvirt lp lxd mail memcache memcached messagebus "
    "mysql nginx nobody nogroup operator plugdev polkitd postfix postgres proxy redis render root sasl shadow "
    "shutdown sshd ssl-cert staff sudo systemd-journal systemd-network systemd-resolve systemd-timesync tty users "
    "utmp uwsgi valkey video wheel www-data"
)
SYSTEM = frozenset(NAMES.split())


def account_problems(platform: PlatformSpec, sites: Iterable[SiteSpec]) -> Iterator[Problem]:
    """Yield a problem for every account and group that a site must not have, or that Linux does not accept."""
    if platform.user == ROOT:
        yield Problem(platform_label(platform, "user"), NOT_ROOT)
    for options in platform.options:
        if options.account == ROOT:
            yield Problem(platform_label(platform, options.target), f"Its user is root. {NOT_ROOT}")
    all_sites = tuple(sites)
    for key in ("user", "group", "media_group"):
        template = getattr(platform, key)
        if SITE in template:
            for site in all_sites:
                yield from own_account_problems(
                    platform_label(platform, key), key, template.replace(SITE, site.id), site.id
                )
    if platform.media_group:
        for site in all_sites:
            yield from media_group_problems(platform, site)


def own_account_problems(where: str, what: str, account: str, site: str) -> Iterator[Problem]:
    if len(account) > LONGEST:
        yield Problem(
            where,
            f"The {what} {shown(account)} of the site {site} has {len(account)} characters; at most {LONGEST} are "
            f"possible. Shorten the text around {SITE}, or the site's id.",
            site,
        )
    if account in SYSTEM:
        yield Problem(
            where,
            f"The {what} {shown(account)} of the site {site} belongs to the system. Add text around {SITE}, "
            f"such as site-{SITE}, or give the site another id.",
            site,
        )


def media_group_problems(platform: PlatformSpec, site: SiteSpec) -> Iterator[Problem]:
    """Yield a problem where the front server could read more than uploads, or could not read them."""
    group, key = platform.media_group_of(site.id), platform_label(platform, "media_group")
    if group in (platform.group_of(site.id), platform.user_of(site.id)):
        yield Problem(
            key,
            f"The media_group {shown(group)} of the site {site.id} is also the site's own group. Use another one: "
            "the front server is in it, and could read the site's snapshot.",
            site.id,
        )
    uploads = site.storage.path
    if uploads is not None and uploads.is_relative_to(platform.data / "sites"):
        yield Problem(
            key,
            f"The uploads of the site {site.id} are in a folder that only the site's own group enters: "
            f'{shown(str(uploads))}. State a path outside of "sites" in [platform.storage], such as '
            f"{platform.data}/uploads/{SITE}.",
            site.id,
        )


def platform_label(platform: PlatformSpec, key: str) -> str:
    """Return ``key`` of the platform as the operator wrote it."""
    return platform.sources.get(key, f"platform.{key}")
