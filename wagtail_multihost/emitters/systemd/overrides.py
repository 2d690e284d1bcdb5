"""What a site states of its own, as drop-ins of its units."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.quoting import (
    systemd_quote,
    systemd_quote_argument,
    systemd_quote_line,
    systemd_quote_part,
)
from wagtail_multihost.emitters.systemd.schedule import calendar, delay, is_published
from wagtail_multihost.emitters.systemd.unit import (
    STOP_MARGIN,
    WORKER_MARGIN,
    code_folders,
    config,
    gunicorn,
    jitter,
    protect_home,
    python,
    pythonpath,
    socket_path,
    used,
)
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.permissions import path_problem
from wagtail_multihost.spec.site import SiteSpec
from wagtail_multihost.spec.systemd import SystemdOptions

#: A key of a unit and its value, quoted.
Setting = tuple[str, object]


class DropIn(NamedTuple):
    """What a ``unit`` has instead, in its ``section``."""

    unit: str
    section: str
    settings: list[Setting]


def drop_ins(plan: Plan, site: SiteSpec) -> Iterator[DropIn]:
    """Yield what the units of ``site`` have that those of other sites have not."""
    return (drop_in for drop_in in all_drop_ins(plan, site) if drop_in.settings)


def all_drop_ins(plan: Plan, site: SiteSpec) -> Iterator[DropIn]:
    shared = [*environment(plan, site), *limits(plan, site), *folders(plan, site)]
    if plan.runner.has_units:
        yield DropIn(f"multihost@{site.id}.service", "Service", [*serving(plan, site), *shared])
        yield DropIn(f"multihost@{site.id}.socket", "Socket", list(listening(plan, site)))
    if is_published(plan, site):
        yield DropIn(f"multihost-publish@{site.id}.service", "Service", [*publishing(plan, site), *shared])
        yield DropIn(f"multihost-publish@{site.id}.timer", "Timer", list(timing(plan, site)))


def listening(plan: Plan, site: SiteSpec) -> Iterator[Setting]:
    address = socket_path(plan, site.names.socket)
    if site.names.socket != f"{site.id}.sock":
        yield "ListenStream", ""
        yield "ListenStream", address


def serving(plan: Plan, site: SiteSpec) -> Iterator[Setting]:
    """Yield how the site's gunicorn is started, where it is not as the others are."""
    codebase, options = plan.codebase_of(site), plan.options(SystemdOptions, site)
    if (codebase.virtualenv, codebase.wsgi) != (plan.codebase.virtualenv, plan.codebase.wsgi):
        yield "ExecStart", ""
        yield "ExecStart", f"{gunicorn(codebase)} --config {config(plan)} {systemd_quote_argument(codebase.wsgi)}"
    if arguments := gunicorn_arguments(plan.options(SystemdOptions), options):
        yield "Environment", systemd_quote(f"GUNICORN_CMD_ARGS={' '.join(arguments)}")
    if options.timeout != plan.options(SystemdOptions).timeout:
        yield "TimeoutStopSec", options.timeout + STOP_MARGIN
    if options.cpu_weight != plan.options(SystemdOptions).cpu_weight:
        yield "CPUWeight", options.cpu_weight


def gunicorn_arguments(platform: SystemdOptions, site: SystemdOptions) -> list[str]:
    """Return the site's own settings as gunicorn's command line has them."""
    arguments = []
    for name in ("workers", "threads", "timeout", "max_requests"):
        if (value := getattr(site, name)) != getattr(platform, name):
            stated = value + WORKER_MARGIN if name == "timeout" else value
            arguments.append(f"--{name.replace('_', '-')}={stated}")
            if name == "timeout":
                arguments.append(f"--graceful-timeout={value}")
            if name == "max_requests":
                arguments.append(f"--max-requests-jitter={jitter(value)}")
    return arguments


def publishing(plan: Plan, site: SiteSpec) -> Iterator[Setting]:
    codebase = plan.codebase_of(site)
    if codebase.virtualenv != plan.codebase.virtualenv:
        yield "ExecStart", ""
        yield "ExecStart", f"{python(codebase)} -m django publish_scheduled"


def timing(plan: Plan, site: SiteSpec) -> Iterator[Setting]:
    minutes = plan.options(SystemdOptions, site).publish
    # The unit of a platform that publishes nothing is made for the sites that state their own.
    if minutes != plan.options(SystemdOptions).publish:
        yield "OnCalendar", ""
        yield "OnCalendar", calendar(minutes)
        yield "RandomizedDelaySec", delay(minutes)


def environment(plan: Plan, site: SiteSpec) -> Iterator[Setting]:
    """Yield the place and the variables of the site's own code."""
    own, shared = plan.codebase_of(site), plan.codebase
    if own.directory != shared.directory:
        yield "WorkingDirectory", systemd_quote_line(str(own.directory))
    if own.settings_module != shared.settings_module:
        yield "Environment", systemd_quote(f"DJANGO_SETTINGS_MODULE={own.settings_module}")
    if own.pythonpath != shared.pythonpath:
        yield "Environment", pythonpath(own) or "PYTHONPATH="


def limits(plan: Plan, site: SiteSpec) -> Iterator[Setting]:
    own, shared = plan.options(SystemdOptions, site), plan.options(SystemdOptions)
    if own.memory != shared.memory:
        yield "MemoryMax", own.memory.upper() or "infinity"
    if own.tasks != shared.tasks:
        yield "TasksMax", own.tasks
    if own.egress != shared.egress:
        yield "IPAddressDeny", "any" if own.egress else ""
        yield "IPAddressAllow", ""
        for network in ("localhost", *own.egress) if own.egress else ():
            # Quotes are none here: systemd would take them for a part of the address, and leave it out.
            yield "IPAddressAllow", systemd_quote_line(network)


def folders(plan: Plan, site: SiteSpec) -> Iterator[Setting]:
    """Yield the folders that the site writes to besides its own, and whether homes stay in sight for what it needs."""
    elsewhere = writable_elsewhere(plan, site)
    for folder in elsewhere:
        # Bound, because other sites' folders are hidden, and it may be among them.
        yield "BindPaths", f"-{systemd_quote_part(str(folder))}"
    needed = [*elsewhere, *code_folders(plan.codebase_of(site))]
    if protect_home([*used(plan), *needed]) != protect_home(used(plan)):
        yield "ProtectHome", protect_home(needed)


def writable_elsewhere(plan: Plan, site: SiteSpec) -> list[Path]:
    """Return the folders of the site's database and uploads that are not below the site's own."""
    own = plan.platform.data / "sites" / site.id
    # SQLite writes its journal beside the database.
    found = [site.database.path.parent if site.database.path else None, site.storage.path]
    return [folder for folder in dict.fromkeys(found) if folder is not None and not folder.is_relative_to(own)]


def folders_on_a_foreign_way(plan: Plan) -> Iterator[str]:
    """Yield the folders that systemd, which is root, binds into a site's unit, where another account can move them."""
    for site in plan.chosen:
        for folder in writable_elsewhere(plan, site):
            if problem := path_problem(folder.parent):
                yield (
                    f"sites.{site.id}: systemd shows the site its folder {shown(str(folder))}, and follows a link that "
                    f"another account puts in its place. {problem}"
                )
