"""What nginx says of itself to load balancers that cannot send a hostname, whatever they send instead."""

from __future__ import annotations

import os
from pathlib import Path

from wagtail_multihost.emitters.nginx.front import Front
from wagtail_multihost.emitters.quoting import nginx_quote
from wagtail_multihost.exceptions import RenderError
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.permissions import ROOT, foreign_writer_problem

#: Folders in which every account can make a file.
OPEN_FOLDERS = frozenset(map(Path, ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run/lock")))  # noqa: S108


def answers_balancers(front: Front) -> bool:
    """Return whether there are any: a node answers its front server, which no balancer is."""
    return bool(front.options.health_from) and not front.plan.node


def render_balancers(front: Front) -> str:
    """
    Return balancers.conf; blank where nobody may ask.

    Raises RenderError for a file to go by where sites can make one: any could take the machine out of service.
    """
    if not answers_balancers(front):
        return ""
    paths = {"drain": front.options.drain, "unhealthy": front.options.unhealthy}
    for name, path in paths.items():
        if is_open_to_sites(path, front):
            raise RenderError(
                f"platform.nginx.{name}: nginx cannot go by {shown(str(path))}: sites can make files in that folder. "
                f"Name a path in a folder that only root writes to, such as /run/multihost-{name}."
            )
    prefix = front.plan.codebase.health_prefix
    live, ready = ([nginx_quote(f"{prefix}{name}{end}") for end in ("", "/")] for name in ("live", "ready"))
    quoted = {name: nginx_quote(str(path)) for name, path in paths.items()}
    return front.plan.render("nginx/balancers.conf", live=live, ready=ready, **quoted)


def is_open_to_sites(path: Path, front: Front) -> bool:
    """Return whether a site can make ``path``, or a folder on the way to it."""
    if front.is_written_by_sites(path):
        return True
    real = Path(os.path.realpath(path))  # /var/lock is a link
    if OPEN_FOLDERS.isdisjoint([real, *real.parents]):
        return False
    # Below such a folder only one that is there already, and that no site can change, keeps sites out.
    if real.parent in OPEN_FOLDERS or not real.parent.is_dir():
        return True
    return bool(foreign_writer_problem(real.parent, (ROOT, os.geteuid())))
