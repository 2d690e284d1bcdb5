"""The emperor's own files."""

from __future__ import annotations

from wagtail_multihost.emitters.files import EmittedFile, Plan
from wagtail_multihost.emitters.limits import ANSWER_BYTES
from wagtail_multihost.emitters.quoting import (
    literal_pattern,
    shell_quote,
    uwsgi_quote,
    uwsgi_quote_part,
    uwsgi_quote_shell,
)
from wagtail_multihost.emitters.uwsgi.accounts import has_accounts
from wagtail_multihost.emitters.uwsgi.places import EMPEROR, LOADER, ON_DEMAND, VASSALS
from wagtail_multihost.exceptions import RenderError
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.origins import port_of
from wagtail_multihost.spec.uwsgi import UwsgiOptions

SMALLEST_MAX_FD = 1024
WRAPPER = EMPEROR / "start-vassal"
WRAPPER_MODE = 0o755
#: Where Debian's package has the program.
DEBIAN_PROGRAM = "/usr/bin/uwsgi-core"


def emperor_file(plan: Plan) -> EmittedFile:
    options = plan.options(UwsgiOptions)
    text = plan.render(
        "uwsgi/emperor.ini",
        build=options.build,
        binary=uwsgi_quote(uwsgi_program(plan)),
        vassals=vassals_pattern(f"{plan.directory / VASSALS}"),
        on_demand=on_demand_pattern(plan) if has_on_demand(plan) else "",
        backlog=str(options.backlog),
        http=uwsgi_quote(options.http),
        hostmap=uwsgi_quote_part(f"{plan.directory / EMPEROR}/hostmap.py"),
        scheme=plan.platform.scheme,
        port=str(port_of(plan.platform.origin_of("localhost"))),
        timeout=str(max([options.harakiri, *(plan.options(UwsgiOptions, site).harakiri for site in plan.sites)])),
        max_fd=str(max_fd(len(plan.sites))),
        wrapper=uwsgi_quote(f"{plan.directory / WRAPPER}") if has_accounts(plan) else "",
    )
    return EmittedFile(EMPEROR / "emperor.ini", text)


def wrapper_file(plan: Plan) -> EmittedFile:
    """Return the script that starts each vassal if sites have accounts. execvp(3) runs it, without "#!", by sh."""
    words = {"program": shell_quote(uwsgi_program(plan)), "sockets": shell_quote(str(plan.platform.sockets))}
    return EmittedFile(WRAPPER, plan.render("uwsgi/start-vassal", **words), WRAPPER_MODE)


def uwsgi_program(plan: Plan) -> str:
    """Return the path of uWSGI."""
    return DEBIAN_PROGRAM if plan.options(UwsgiOptions).build == "debian" else f"{plan.codebase.virtualenv}/bin/uwsgi"


def loader_file(plan: Plan) -> EmittedFile:
    options = plan.options(UwsgiOptions)
    text = plan.render(
        "uwsgi/load.py", freeze=options.freeze, sends_files=bool(options.http), answer_bytes=ANSWER_BYTES
    )
    return EmittedFile(LOADER, text)


def vassals_pattern(folder: str) -> str:
    # A colon in a vassal's path is for Zergs (https://uwsgi-docs.readthedocs.io/en/latest/Zerg.html).
    return uwsgi_quote_part(f"{literal_pattern(folder)}/*.ini")


def on_demand_pattern(plan: Plan) -> str:
    """Return the pattern of vassals on demand, whose paths the emperor passes to a shell."""
    refuse_open_sockets(plan)
    uwsgi_quote_shell(str(plan.directory))
    return vassals_pattern(f"{plan.directory / ON_DEMAND}")


def refuse_open_sockets(plan: Plan) -> None:
    """Raise RenderError where sites on demand have their sockets, which are 0666, in a folder that all can enter."""
    snapshots = plan.platform.snapshots
    if has_on_demand(plan) and snapshots is not None and snapshots.is_relative_to(plan.platform.sockets):
        raise RenderError(
            f"The platform's snapshots are in the folder of its sockets, {shown(str(plan.platform.sockets))}, so every "
            "site's account must be able to enter it, and could then connect to any site with on_demand. Name another "
            "folder in the platform's snapshots."
        )


def has_on_demand(plan: Plan) -> bool:
    return plan.options(UwsgiOptions).on_demand or any(
        plan.options(UwsgiOptions, site).on_demand for site in plan.sites
    )


def max_fd(sites: int) -> int:
    """Return how many files the emperor may open: one or two are open for each vassal."""
    return max(SMALLEST_MAX_FD, 1 << (2 * sites + SMALLEST_MAX_FD // 2).bit_length())
