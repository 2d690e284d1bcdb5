"""The targets whose options a registry may state: this package's, and those that other packages announce."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING

from wagtail_multihost.exceptions import EmitError
from wagtail_multihost.registry.reading import spec_class
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

if TYPE_CHECKING:
    from wagtail_multihost.spec.options import Options

#: Other packages announce an Emitter under the name of its target in this group of entry points.
ENTRY_POINTS = "wagtail_multihost.emitters"
#: The options of this package's targets, in modules that load only where they are stated.
BUILT_IN: Mapping[str, str] = {
    "nginx": "wagtail_multihost.spec.nginx:NginxOptions",
    "uwsgi": "wagtail_multihost.spec.uwsgi:UwsgiOptions",
    "systemd": "wagtail_multihost.spec.systemd:SystemdOptions",
}


@cache
def options_of_target(target: str) -> type[Options] | None:
    """
    Return the class of a target's options; None where no target of that name has any. Raises EmitError when another
    package's cannot be loaded, or has options that a registry could not have.
    """
    if target in BUILT_IN:
        return spec_class(BUILT_IN[target])
    from importlib.metadata import entry_points  # loads only for what is not known without

    for point in entry_points(group=ENTRY_POINTS, name=target):
        return announced_options(target, load_announced(target, point.load))
    return None


def options_by_target() -> dict[str, type[Options]]:
    """Return the options of every installed target that has any, by its name."""
    found = {name: options_of_target(name) for name in target_names()}
    return {name: options for name, options in found.items() if options is not None}


def target_names() -> list[str]:
    """Return the names of the installed targets."""
    from importlib.metadata import entry_points  # loads only for what is not known without

    return list(dict.fromkeys([*BUILT_IN, *(point.name for point in entry_points(group=ENTRY_POINTS))]))


def load_announced(target: str, load: Callable[[], object]) -> object:
    """Return what another package announces under the name of a target."""
    try:
        return load()
    except Exception as error:  # whatever a foreign module raises
        raise EmitError(f"The target {target} of another package cannot be loaded: {type(error).__name__}.") from error


def announced_options(target: str, emitter: object) -> type[Options] | None:
    """Return the options of another package's emitter; None where it has none."""
    from wagtail_multihost.spec.options import Options  # loads only where there are options

    options = getattr(emitter, "options", None)
    if options is None:
        return None
    if not (isinstance(options, type) and issubclass(options, Options) and options.target == target):
        raise EmitError(
            f"The options of the target {target} of another package are not those of a target of that name."
        )
    if target in {*PlatformSpec.__dataclass_fields__, *SiteSpec.__dataclass_fields__}:
        raise EmitError(f"The target {target} of another package has options, but its name is that of another key.")
    return options
