"""Who this process is: the current :class:`Running`, and the functions that reset state when it changes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from wagtail_multihost.registry import REGISTRY_VARIABLE, open_registry
from wagtail_multihost.spec.frozen import Frozen, frozen
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

if TYPE_CHECKING:
    from wagtail_multihost.registry import Registry

F = TypeVar("F", bound=Callable[..., object])


@frozen
class Running(Frozen):
    """
    What ``resolve().apply(globals())`` made of this process. ``platform`` and ``site`` are None in build mode;
    ``registry`` is what the settings module said, and ``opened`` the registry that the site was read from.
    ``project`` are the project's settings before that, and ``values`` those set on top (some are secret).

    ``command`` is the name of the management command, blank for a server. ``serves`` says whether the process serves
    visitors, or asks whether it may, and ``ephemeral`` whether the site is the throw-away one of a test run.
    """

    platform: PlatformSpec | None = None
    site: SiteSpec | None = None
    registry: Path | str | None = None
    opened: Registry | None = field(default=None, repr=False, compare=False)
    project: Mapping[str, object] = field(default_factory=dict, repr=False, compare=False)
    values: Mapping[str, object] = field(default_factory=dict, repr=False, compare=False)
    command: str = ""
    serves: bool = True
    ephemeral: bool = False


_current: Running | None = None
_resets: dict[Callable[..., object], None] = {}


def current() -> Running | None:
    """Return what the last ``apply`` made of this process; None before the first one."""
    return _current


def own_site() -> SiteSpec | None:
    """
    Return the site of this process, including the throw-away one of a test run; None in build mode, and if nothing was
    applied (the check E005 reports that).
    """
    return _current.site if _current else None


def own_id() -> str:
    """Return the id of this process's site, blank where there is none."""
    return _current.site.id if _current and _current.site else ""


def registered_site() -> tuple[PlatformSpec, SiteSpec] | None:
    """Return the platform and the site of this process; None in build mode and for a test run's throw-away site."""
    if _current is None or _current.platform is None or _current.site is None or _current.ephemeral:
        return None
    return _current.platform, _current.site


def registry_of(url: str | None) -> Registry:
    """Return the registry at ``url``, such as a command's ``--registry``; with None that of this process."""
    if url is None and _current and REGISTRY_VARIABLE not in os.environ:
        return open_registry(_current.registry, os.environ)
    return open_registry(url, os.environ)


def register_reset(function: F) -> F:
    """
    Register ``function`` to be called without arguments whenever this process switches to another :class:`Running`, by
    a second ``apply`` or by :func:`~wagtail_multihost.resolver.activate`; applying settings again for the same site
    changes nothing. The function forgets or rebuilds what its module keeps about the process's site; :func:`current`
    already returns the new one. Usable as a decorator; returns ``function``.
    """
    _resets[function] = None
    return function


def set_running(running: Running) -> None:
    """
    Set who this process is. If it was somebody else before, call each registered function once, in the order of
    registration; an error does not stop the others, and is raised at the end (several as an ExceptionGroup).
    """
    global _current
    before, _current = _current, running
    resets = () if before in (None, running) else tuple(_resets)
    errors = [error for reset in resets if (error := failure_of(reset))]
    if len(errors) > 1:
        raise ExceptionGroup("Some state of this process's former site could not be reset.", errors)
    if errors:
        raise errors[0]


def failure_of(reset: Callable[..., object]) -> Exception | None:
    try:
        reset()
    except Exception as error:  # a project's own may raise anything
        return error
    return None
