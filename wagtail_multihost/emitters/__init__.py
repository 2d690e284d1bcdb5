"""From specs to the text of servers' config files. Pure: nothing here opens a network connection or writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from wagtail_multihost.emitters import nginx, uwsgi
from wagtail_multihost.emitters.files import EmittedFile, Plan

__all__ = ["EMITTERS", "EmittedFile", "Plan", "emit"]

EMITTERS: Mapping[str, Callable[[Plan], Iterator[EmittedFile]]] = {"nginx": nginx.emit, "uwsgi": uwsgi.emit}
#: The folders, below the output folder, that a target's files lie in.
FOLDERS: Mapping[str, tuple[str, ...]] = {
    "nginx": (str(nginx.FOLDER),),
    "uwsgi": (str(uwsgi.VASSALS), str(uwsgi.EMPEROR)),
}


def emit(target: str, plan: Plan) -> Iterator[EmittedFile]:
    """
    Yield the files of ``target`` (a key of EMITTERS).

    Raises KeyError for an unknown target, RenderError for a value that its grammar has no spelling for.
    """
    return EMITTERS[target](plan)
