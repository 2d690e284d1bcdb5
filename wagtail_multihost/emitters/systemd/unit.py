"""What the units of all sites have in common."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.limits import ANSWER_BYTES, GUNICORN_FIELD, GUNICORN_FIELDS
from wagtail_multihost.emitters.quoting import (
    systemd_quote,
    systemd_quote_argument,
    systemd_quote_line,
    systemd_quote_part,
    systemd_quote_program,
)
from wagtail_multihost.emitters.sockets import refuse_long_path
from wagtail_multihost.spec.codebase import Codebase
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.systemd import SystemdOptions

# A unix address is 108 bytes with its NUL (unix(7)).
SOCKET_PATH_BYTES = 107
#: How many seconds longer than a request a site may take to stop.
STOP_MARGIN = 5
#: How much longer than a request a worker may be silent: gunicorn looks once a second.
WORKER_MARGIN = 1
#: The folders that ProtectHome= closes (systemd.exec(5)).
HOMES = (Path("/home"), Path("/root"), Path("/run/user"))


def service_values(plan: Plan) -> dict[str, object]:
    """Return the values for a unit that runs a site's code, quoted."""
    codebase, options, platform = plan.codebase, plan.options(SystemdOptions), plan.platform
    sites = f"{platform.data}/sites"
    return {
        "gunicorn": gunicorn_program(codebase),
        "python": python_program(codebase),
        "config": config_path(plan),
        "wsgi": systemd_quote_argument(codebase.wsgi),
        "user": instance_account(platform.user or options.user),
        "group": instance_account(platform.group),
        "directory": systemd_quote_line(str(codebase.directory)),
        "registry": systemd_quote(f"MULTIHOST_REGISTRY={plan.registry}"),
        "settings_module": systemd_quote(f"DJANGO_SETTINGS_MODULE={codebase.settings_module}"),
        "temporary": systemd_quote(f"TMPDIR={sites}/"),
        "pythonpath": pythonpath_variable(codebase),
        "stop_timeout": options.timeout + STOP_MARGIN,
        "cpu_weight": options.cpu_weight,
        "memory": options.memory.upper(),
        "tasks": options.tasks,
        "egress": [systemd_quote_line(network) for network in options.egress],
        "protect_home": protect_home(needed_folders(plan)),
        "sites": systemd_quote_part(sites),
        "sockets": systemd_quote_part(str(platform.sockets)),
        "snapshots_in_sockets": snapshots_in_sockets(plan),
    }


def instance_account(account: str) -> str:
    """Return the name of an account, with systemd's ``%i`` for ``{site}``."""
    return systemd_quote_line(account).replace("{site}", "%i")


def gunicorn_program(codebase: Codebase) -> str:
    return systemd_quote_program(f"{codebase.virtualenv}/bin/gunicorn")


def python_program(codebase: Codebase) -> str:
    return systemd_quote_program(f"{codebase.virtualenv}/bin/python3")


def config_path(plan: Plan) -> str:
    return systemd_quote_argument(f"{plan.directory}/systemd/gunicorn.conf.py")


def pythonpath_variable(codebase: Codebase) -> str:
    """Return the assignment of PYTHONPATH; raises RenderError for a folder with a colon, which separates folders."""
    for folder in codebase.pythonpath:
        systemd_quote_part(folder)
    return systemd_quote(f"PYTHONPATH={':'.join(codebase.pythonpath)}") if codebase.pythonpath else ""


def needed_folders(plan: Plan) -> Iterable[Path]:
    """Return the folders that the sites need."""
    registry = [Path(plan.registry)] if plan.registry.startswith("/") else []
    codebase = plan.codebase
    return [plan.directory, plan.platform.data, *code_folders(codebase), *registry]


def code_folders(codebase: Codebase) -> list[Path]:
    return [codebase.directory, codebase.virtualenv, *(Path(folder) for folder in codebase.pythonpath)]


def protect_home(needed: Iterable[Path]) -> str:
    """Return the strictest value of ProtectHome= that keeps the ``needed`` folders visible."""
    return "read-only" if any(path.is_relative_to(home) for path in needed for home in HOMES) else "yes"


def snapshots_in_sockets(plan: Plan) -> str:
    """Return the folder of snapshots if it is in the folder of the sockets, else blank."""
    snapshots = plan.platform.snapshots
    inside = snapshots is not None and snapshots.is_relative_to(plan.platform.sockets)
    return systemd_quote_part(str(snapshots)) if inside else ""


def socket_values(plan: Plan) -> dict[str, object]:
    return {
        "sockets": systemd_quote_line(str(plan.platform.sockets)),
        "sockets_mode": sockets_mode(plan),
        "front_group": front_group(plan),
    }


def sockets_mode(plan: Plan) -> str:
    """Return the mode of the folder of sockets: closed to sites, unless it contains their snapshots."""
    return "0711" if snapshots_in_sockets(plan) else "0750"


def front_group(plan: Plan) -> str:
    """Return the group of nginx's workers, which by default has the name of their account."""
    return systemd_quote_line(plan.options(NginxOptions).user)


def quoted_socket_path(plan: Plan, name: str) -> str:
    path = f"{plan.platform.sockets}/{name}"
    refuse_long_path(path, SOCKET_PATH_BYTES, "Name a shorter folder in the platform's sockets.")
    return systemd_quote_line(path)


def gunicorn_values(plan: Plan) -> dict[str, object]:
    options = plan.options(SystemdOptions)
    return {
        "workers": options.workers,
        "threads": options.threads,
        "timeout": options.timeout,
        "worker_timeout": options.timeout + WORKER_MARGIN,
        "request_fields": GUNICORN_FIELDS,
        "request_field": GUNICORN_FIELD,
        "answer_bytes": ANSWER_BYTES,
        "max_requests": options.max_requests,
        "max_requests_jitter": jitter(options.max_requests),
    }


def jitter(max_requests: int) -> int:
    return max_requests // 10
