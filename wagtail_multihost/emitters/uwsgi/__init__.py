"""
uWSGI: an emperor, and one vassal per site.

Two builds: the wheel pyuwsgi from PyPI, and Debian's package with its Python plugin. With an ``http`` address uWSGI
also serves the sites itself, through a router that looks up the host in a closed list.
"""

from __future__ import annotations

from collections.abc import Iterator

from wagtail_multihost.emitters.emitter import Emitter
from wagtail_multihost.emitters.files import EmittedFile, Plan
from wagtail_multihost.emitters.uwsgi.accounts import account_of, has_accounts, refuse_wrong_account
from wagtail_multihost.emitters.uwsgi.cautions import cautions
from wagtail_multihost.emitters.uwsgi.check import validate
from wagtail_multihost.emitters.uwsgi.emperor import emperor_file, loader_file, max_fd, wrapper_file
from wagtail_multihost.emitters.uwsgi.places import EMPEROR, ON_DEMAND, VASSALS, vassal_path
from wagtail_multihost.emitters.uwsgi.router import router_files
from wagtail_multihost.emitters.uwsgi.vassals import render_vassal, shared_values
from wagtail_multihost.spec.uwsgi import UwsgiOptions

__all__ = ["EMITTER", "emit", "max_fd"]

# An ini says where a site's secrets are and what its limits are. Only its group may read it, to reload.
OWN_ACCOUNT_MODE = 0o640


def emit(plan: Plan) -> Iterator[EmittedFile]:
    """Yield the emperor's files, one ini per chosen site, and with ``http`` the router's files."""
    refuse_wrong_account(plan)
    shared = shared_values(plan)
    yield emperor_file(plan)
    if has_accounts(plan):
        yield wrapper_file(plan)
    yield loader_file(plan)
    if plan.options(UwsgiOptions).http:
        yield from router_files(plan, shared)
    for site in plan.chosen:
        account = account_of(plan, site)
        given = {"mode": OWN_ACCOUNT_MODE, "group": account.group} if account else {}
        yield plan.file(
            vassal_path(plan, site), "uwsgi/vassal.ini", render_vassal(plan, site, shared), site=site.id, **given
        )


#: The target, as the commands know it.
EMITTER = Emitter(
    name="uwsgi",
    summary="an emperor, and a vassal for each site",
    folders=(str(VASSALS), str(ON_DEMAND), str(EMPEROR)),
    options=UwsgiOptions,
    emit=emit,
    validate=validate,
    cautions=cautions,
    runs_sites=True,
    paths_of=lambda site: (folder / f"{site}.ini" for folder in (VASSALS, ON_DEMAND)),
)
