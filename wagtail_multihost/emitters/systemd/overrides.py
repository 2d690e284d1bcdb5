"""What a site states itself, as drop-ins for its units."""

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
from wagtail_multihost.emitters.systemd.schedule import calendar_event, is_published, random_delay
from wagtail_multihost.emitters.systemd.unit import (
    STOP_MARGIN,
    WORKER_MARGIN,
    code_folders,
    config_path,
    gunicorn_program,
    jitter,
    needed_folders,
    protect_home,
    python_program,
    pythonpath_variable,
    quoted_socket_path,
)
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.permissions import path_problem
from wagtail_multihost.spec.site import SiteSpec
from wagtail_multihost.spec.systemd import SystemdOptions

#: A key of a unit and its value, quoted.
Setting = tuple[str, object]


class DropIn(NamedTuple):
    """The ``settings`` that replace those of a ``unit`` in its ``section``."""

    unit: str
    section: str
    settings: list[Setting]


def drop_ins(plan: Plan, site: SiteSpec) -> Iterator[DropIn]:
    """Yield the drop-ins for what differs in the units of ``site``."""
    return (drop_in for drop_in in all_drop_ins(plan, site) if drop_in.settings)


def all_drop_ins(plan: Plan, site: SiteSpec) -> Iterator[DropIn]:
    shared = [
        *code_settings(plan, site),
        *variable_settings(site),
        *limit_settings(plan, site),
        *folder_settings(plan, site),
    ]
    if plan.runner.has_units:
        yield DropIn(f"multihost@{site.id}.service", "Service", [*service_settings(plan, site), *shared])
        yield DropIn(f"multihost@{site.id}.socket", "Socket", list(socket_settings(plan, site)))
    if is_published(plan, site):
        yield DropIn(f"multihost-publish@{site.id}.service", "Service", [*publish_settings(plan, site), *shared])
        yield DropIn(f"multihost-publish@{site.id}.timer", "Timer", list(timer_settings(plan, site)))


def socket_settings(plan: Plan, site: SiteSpec) -> Iterator[Setting]:
    address = quoted_socket_path(plan, site.names.socket)
    if site.names.socket != f"{site.id}.sock":
        yield "ListenStream", ""
        yield "ListenStream", address


def service_settings(plan: Plan, site: SiteSpec) -> Iterator[Setting]:
    """Yield how the site's gunicorn is started, if not like the others."""
    codebase, options = plan.codebase_of(site), plan.options(SystemdOptions, site)
    if (codebase.virtualenv, codebase.wsgi) != (plan.codebase.virtualenv, plan.codebase.wsgi):
        yield "ExecStart", ""
        yield (
            "ExecStart",
            f"{gunicorn_program(codebase)} --config {config_path(plan)} {systemd_quote_argument(codebase.wsgi)}",
        )
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


def publish_settings(plan: Plan, site: SiteSpec) -> Iterator[Setting]:
    codebase = plan.codebase_of(site)
    if codebase.virtualenv != plan.codebase.virtualenv:
        yield "ExecStart", ""
        yield "ExecStart", f"{python_program(codebase)} -m django publish_scheduled"


def timer_settings(plan: Plan, site: SiteSpec) -> Iterator[Setting]:
    minutes = plan.options(SystemdOptions, site).publish
    # A platform that publishes nothing itself has the unit for the sites that state a time.
    if minutes != plan.options(SystemdOptions).publish:
        yield "OnCalendar", ""
        yield "OnCalendar", calendar_event(minutes)
        yield "RandomizedDelaySec", random_delay(minutes)


def code_settings(plan: Plan, site: SiteSpec) -> Iterator[Setting]:
    """Yield the working directory and the variables of the site's own code."""
    own, shared = plan.codebase_of(site), plan.codebase
    if own.directory != shared.directory:
        yield "WorkingDirectory", systemd_quote_line(str(own.directory))
    if own.settings_module != shared.settings_module:
        yield "Environment", systemd_quote(f"DJANGO_SETTINGS_MODULE={own.settings_module}")
    if own.pythonpath != shared.pythonpath:
        yield "Environment", pythonpath_variable(own) or "PYTHONPATH="


def variable_settings(site: SiteSpec) -> Iterator[Setting]:
    """Yield the environment variables that the site states."""
    for name, value in site.env:
        yield "Environment", systemd_quote(f"{name}={value}")


def limit_settings(plan: Plan, site: SiteSpec) -> Iterator[Setting]:
    own, shared = plan.options(SystemdOptions, site), plan.options(SystemdOptions)
    if own.memory != shared.memory:
        yield "MemoryMax", own.memory.upper() or "infinity"
    if own.tasks != shared.tasks:
        yield "TasksMax", own.tasks
    if own.egress != shared.egress:
        yield "IPAddressDeny", "any" if own.egress else ""
        yield "IPAddressAllow", ""
        for network in ("localhost", *own.egress) if own.egress else ():
            # Not quoted: systemd would take quotes for part of the address, and ignore it.
            yield "IPAddressAllow", systemd_quote_line(network)


def folder_settings(plan: Plan, site: SiteSpec) -> Iterator[Setting]:
    """Yield the folders that the site writes to besides its own, and whether it must be able to see home folders."""
    elsewhere = writable_elsewhere(plan, site)
    for folder in elsewhere:
        # Bound, because other sites' folders are hidden, and this may be in one.
        yield "BindPaths", f"-{systemd_quote_part(str(folder))}"
    needed = [*elsewhere, *code_folders(plan.codebase_of(site))]
    if protect_home([*needed_folders(plan), *needed]) != protect_home(needed_folders(plan)):
        yield "ProtectHome", protect_home(needed)


def writable_elsewhere(plan: Plan, site: SiteSpec) -> list[Path]:
    """Return the folders of the site's database and uploads that are not in the site's own folder."""
    own = plan.platform.data / "sites" / site.id
    # SQLite writes its journal beside the database.
    found = [site.database.path.parent if site.database.path else None, site.storage.path]
    return [folder for folder in dict.fromkeys(found) if folder is not None and not folder.is_relative_to(own)]


def folders_on_a_foreign_way(plan: Plan) -> Iterator[str]:
    """Yield a caution about folders that systemd, as root, binds into a site's unit, and another account can move."""
    for site in plan.chosen:
        for folder in writable_elsewhere(plan, site):
            if problem := path_problem(folder.parent):
                yield (
                    f"sites.{site.id}: systemd shows the site its folder {shown(str(folder))}, and would follow a link "
                    f"that another account puts there instead. {problem}"
                )
