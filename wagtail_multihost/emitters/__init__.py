"""From specs to the text of servers' config files. Pure: nothing here opens a network connection or writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.metadata import entry_points

from wagtail_multihost.emitters import embedded, nginx, systemd, uwsgi
from wagtail_multihost.emitters.emitter import Emitter, Stage, Validation
from wagtail_multihost.emitters.files import EmittedFile, Plan, rendered
from wagtail_multihost.emitters.rendering import OWNERSHIP_LINE
from wagtail_multihost.exceptions import EmitError
from wagtail_multihost.registry.targets import ENTRY_POINTS, announced_options, load_announced

__all__ = ["OWNERSHIP_LINE", "EmittedFile", "Emitter", "Plan", "Stage", "Validation", "emit", "emitters"]

BUILT_IN = (nginx.EMITTER, uwsgi.EMITTER, systemd.EMITTER, embedded.EMITTER)


@cache
def emitters() -> Mapping[str, Emitter]:
    """
    Return every target by its name: those of this package, and those of other packages.

    Raises EmitError when another package's cannot be loaded, is no Emitter, takes a name that is taken, or has
    options that no registry could have.
    """
    found = {emitter.name: emitter for emitter in BUILT_IN}
    for point in entry_points(group=ENTRY_POINTS):
        found[point.name] = loaded(point.name, point.load, found)
    return found


def loaded(name: str, load: Callable[[], object], found: Mapping[str, Emitter]) -> Emitter:
    """Return the emitter that another package has under ``name``."""
    if name in found:
        raise EmitError(f"Another package announces the target {name}, which there is already.")
    emitter = load_announced(name, load)
    if not isinstance(emitter, Emitter) or emitter.name != name:
        raise EmitError(f"The target {name} of another package is no wagtail_multihost.emitters.Emitter of that name.")
    announced_options(name, emitter)
    return emitter


def emit(target: str, plan: Plan) -> Iterator[EmittedFile]:
    """
    Yield the files of ``target`` (a key of ``emitters()``).

    Raises KeyError for an unknown target, RenderError for a value that its grammar has no spelling for.
    """
    return map(rendered, emitters()[target].emit(plan))
