"""Units and folders of the whole platform."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.quoting import (
    systemd_quote,
    systemd_quote_argument,
    systemd_quote_line,
    systemd_quote_program,
)
from wagtail_multihost.emitters.systemd.overrides import writable_elsewhere
from wagtail_multihost.emitters.systemd.schedule import is_published
from wagtail_multihost.emitters.systemd.unit import (
    STOP_MARGIN,
    front_group,
    needed_folders,
    protect_home,
    python_program,
    pythonpath_variable,
    sockets_mode,
)
from wagtail_multihost.emitters.uwsgi import max_fd
from wagtail_multihost.emitters.uwsgi.emperor import refuse_open_sockets, uwsgi_program
from wagtail_multihost.spec.site import SiteSpec
from wagtail_multihost.spec.systemd import SystemdOptions
from wagtail_multihost.spec.uwsgi import UwsgiOptions

#: How the URL of a registry in a database begins.
DATABASE = "postgresql://"


def target_units(plan: Plan) -> Iterator[str]:
    """Yield the units that run on this machine."""
    if plan.platform.snapshots and plan.source:
        yield "multihost-snapshot.service"
        yield "multihost-snapshot.timer"
    if not plan.runner.has_units:
        yield "multihost-emperor.service"
    for site in plan.sites:
        yield from site_units(plan, site)


def site_units(plan: Plan, site: SiteSpec) -> Iterator[str]:
    if plan.runner.has_units:
        yield f"multihost@{site.id}.socket"
        if not plan.options(SystemdOptions, site).on_demand:
            yield f"multihost@{site.id}.service"
    if is_published(plan, site):
        yield f"multihost-publish@{site.id}.timer"


def tmpfiles_values(plan: Plan) -> dict[str, object]:
    platform = plan.platform
    return {
        "sockets": systemd_quote(str(platform.sockets)),
        "sockets_mode": sockets_mode(plan),
        "sockets_user": sockets_user(plan),
        "front_group": front_group(plan),
        "snapshots": systemd_quote(str(platform.snapshots)) if platform.snapshots else "",
        "data": systemd_quote(str(platform.data)),
        "sites": systemd_quote(f"{platform.data}/sites"),
        "folders": list(site_folders(plan)),
    }


def site_folders(plan: Plan) -> Iterator[tuple[str, str, str, str]]:
    """
    Yield path, mode, user and group of each folder of a site. A folder that passes its group on (2750) holds what the
    front server reads: only uploads with a ``media_group``, else the site's whole folder.
    """
    platform = plan.platform
    for site in plan.sites:
        user, folder = systemd_quote_line(site_account(plan, site)), systemd_quote(f"{platform.data}/sites/{site.id}")
        if not platform.media_group:
            yield folder, "2750", user, front_group(plan)
            continue
        yield folder, "0750", user, systemd_quote_line(platform.group_of(site.id)) or user
        if site.storage.path is not None:
            group = systemd_quote_line(platform.media_group_of(site.id))
            yield systemd_quote(str(site.storage.path)), "2750", user, group


def site_account(plan: Plan, site: SiteSpec) -> str:
    """Return the account that the site's processes run as."""
    return plan.platform.user_of(site.id) or plan.options(SystemdOptions).user


def sockets_user(plan: Plan) -> str:
    """Return the account that creates sockets: the sites' shared one if the emperor runs as that, else root."""
    is_shared = not plan.runner.has_units and not plan.platform.user
    return systemd_quote_line(plan.options(SystemdOptions).user) if is_shared else "root"


def snapshot_values(plan: Plan) -> dict[str, object]:
    snapshots = str(plan.platform.snapshots)
    # A registry in a database has a copy in the data folder.
    written = [snapshots, *([str(plan.platform.data)] if plan.source.startswith(DATABASE) else [])]
    return {
        "platform": plan.platform.name,
        "python": python_program(plan.codebase),
        "snapshots": systemd_quote_argument(snapshots),
        "writable": " ".join(map(systemd_quote, written)),
        "directory": systemd_quote_line(str(plan.codebase.directory)),
        "source": systemd_quote(f"MULTIHOST_REGISTRY={plan.source}"),
        "settings_module": systemd_quote(f"DJANGO_SETTINGS_MODULE={plan.codebase.settings_module}"),
        "pythonpath": pythonpath_variable(plan.codebase),
    }


def emperor_values(plan: Plan) -> dict[str, object]:
    refuse_open_sockets(plan)
    options, platform = plan.options(UwsgiOptions), plan.platform
    return {
        "platform": platform.name,
        "uwsgi": systemd_quote_program(uwsgi_program(plan)),
        "emperor": systemd_quote_argument(f"{plan.directory}/uwsgi-emperor/emperor.ini"),
        "stop_timeout": options.harakiri + STOP_MARGIN,
        "max_fd": max_fd(len(plan.sites)),
        "becomes_sites": bool(platform.user),
        "binds": bool(options.http),
        "uses_cgroups": bool(options.cgroup),
        "user": systemd_quote_line(plan.options(SystemdOptions).user),
        "protect_home": protect_home(needed_folders(plan)),
        "writable": [systemd_quote(str(path)) for path in emperor_folders(plan)],
    }


def emperor_folders(plan: Plan) -> dict[Path, None]:
    """Return all folders that sites write to, and the folder of the sockets."""
    elsewhere = [folder for site in plan.sites for folder in writable_elsewhere(plan, site)]
    return dict.fromkeys([plan.platform.data, plan.platform.sockets, *elsewhere])
