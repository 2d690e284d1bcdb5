"""
systemd: starts the sites, keeps them apart and creates their folders.

With gunicorn each site is an instance of one unit, started by the first connection to its socket. With uWSGI
there is one unit for the emperor.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from wagtail_multihost.emitters.emitter import Emitter
from wagtail_multihost.emitters.files import EmittedFile, Plan
from wagtail_multihost.emitters.systemd.checking import validate
from wagtail_multihost.emitters.systemd.overrides import drop_ins, folders_on_a_foreign_way
from wagtail_multihost.emitters.systemd.platform import emperor_values, snapshot_values, target_units, tmpfiles_values
from wagtail_multihost.emitters.systemd.schedule import is_published, timer_values
from wagtail_multihost.emitters.systemd.unit import gunicorn_values, service_values, socket_values
from wagtail_multihost.spec.systemd import SystemdOptions

FOLDER = PurePosixPath("systemd")


def emit(plan: Plan) -> Iterator[EmittedFile]:
    """Yield the units of the platform's runner, and drop-ins for what sites state themselves."""
    yield systemd_file(plan, "multihost.target", units=target_units(plan), platform=plan.platform.name)
    yield systemd_file(plan, "tmpfiles.d/multihost.conf", **tmpfiles_values(plan))
    if plan.runner.has_units:
        yield systemd_file(plan, "multihost@.service", **service_values(plan))
        yield systemd_file(plan, "multihost@.socket", **socket_values(plan))
        yield systemd_file(plan, "gunicorn.conf.py", **gunicorn_values(plan))
    else:
        yield systemd_file(plan, "multihost-emperor.service", **emperor_values(plan))
    if any(is_published(plan, site) for site in plan.sites):
        yield systemd_file(plan, "multihost-publish@.service", **service_values(plan))
        yield systemd_file(plan, "multihost-publish@.timer", **timer_values(plan))
    if plan.platform.snapshots and plan.source:
        yield systemd_file(plan, "multihost-snapshot.service", **snapshot_values(plan))
        yield systemd_file(plan, "multihost-snapshot.timer", platform=plan.platform.name)
    for site in plan.chosen:
        for unit, section, settings in drop_ins(plan, site):
            text = plan.render("systemd/site.conf", section=section, settings=settings)
            yield EmittedFile(drop_in_path(unit), text, site=site.id)


def drop_in_path(unit: str) -> PurePosixPath:
    return FOLDER / f"{unit}.d" / "50-site.conf"


def drop_in_paths(site: str) -> Iterator[PurePosixPath]:
    """Yield the paths that a site's drop-ins can have."""
    for unit in (
        "multihost@{}.service",
        "multihost@{}.socket",
        "multihost-publish@{}.service",
        "multihost-publish@{}.timer",
    ):
        yield drop_in_path(unit.format(site))


def systemd_file(plan: Plan, name: str, **values: object) -> EmittedFile:
    return EmittedFile(FOLDER / name, plan.render(f"systemd/{name}", **values))


#: The target, as the commands know it.
EMITTER = Emitter(
    name="systemd",
    summary="units that start the sites and keep them apart",
    folders=("systemd", "systemd/tmpfiles.d", "systemd/multihost*.d"),
    options=SystemdOptions,
    emit=emit,
    validate=validate,
    cautions=folders_on_a_foreign_way,
    runs_sites=True,
    paths_of=drop_in_paths,
)
