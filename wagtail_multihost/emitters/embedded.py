"""
Sites that a runner of one's own starts, such as that of the example project: an ini of uWSGI for each, all of them
under the runner's own account, and the list of hosts for its router. In development alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from wagtail_multihost.emitters.emitter import Emitter
from wagtail_multihost.emitters.files import EmittedFile, Plan
from wagtail_multihost.emitters.uwsgi.router import render_host_list
from wagtail_multihost.emitters.uwsgi.vassals import render_vassal, shared_values
from wagtail_multihost.exceptions import RenderError
from wagtail_multihost.registry.platform_key import DEVELOPMENT
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.uwsgi import UwsgiOptions

FOLDER = PurePosixPath("embedded")
HOSTS = FOLDER / "hosts.txt"


def emit(plan: Plan) -> Iterator[EmittedFile]:
    """Yield the list of hosts, and one ini per chosen site, which the runner's emperor starts at once."""
    refuse_other_places(plan)
    shared = shared_values(plan)
    yield EmittedFile(HOSTS, render_host_list(plan))
    for site in plan.chosen:
        # The runner starts each site itself, once it has given it a database, and compares snapshots itself.
        values = {**render_vassal(plan, site, shared), "on_demand": False, "digest": ""}
        yield plan.file(ini_path(site.id), "uwsgi/vassal.ini", values, site=site.id)


def ini_path(site: str) -> PurePosixPath:
    return FOLDER / f"{site}.ini"


def refuse_other_places(plan: Plan) -> None:
    """Raise RenderError for everything but a machine of one's own, on which uWSGI is the only server."""
    platform = plan.platform
    if platform.environment != DEVELOPMENT:
        raise RenderError(
            f"The target embedded is for development alone, and the platform's environment is "
            f"{shown(platform.environment)}. Use uwsgi or systemd."
        )
    if platform.user:
        raise RenderError(
            "platform.user: The target embedded runs all sites under the account of its runner. Remove user, or use "
            "the target uwsgi."
        )
    if not plan.options(UwsgiOptions).http:
        raise RenderError("platform.uwsgi.http: It is missing. The target embedded has no other server in front.")


def cautions(plan: Plan) -> Iterator[str]:
    """Yield what is always true of the target, and must never be forgotten."""
    if len(plan.sites) > 1:
        yield (
            f"embedded: All {len(plan.sites)} sites run under the account of their runner, so the code of each can "
            "read, change and stop the others. It is for trying things out on your own machine."
        )


#: The target, as the commands and the agent know it.
EMITTER = Emitter(
    name="embedded",
    summary="what a runner of your own serves, in development alone",
    folders=(str(FOLDER),),
    emit=emit,
    cautions=cautions,
    runs_sites=True,
    paths_of=lambda site: (ini_path(site),),
)
