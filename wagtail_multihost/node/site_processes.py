"""Reloading and restarting the processes of one site, by what runs them on this node: uWSGI's emperor, or systemd."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from wagtail_multihost.emitters.apply.programs import program_environment, run_program
from wagtail_multihost.emitters.uwsgi.places import ON_DEMAND, VASSALS
from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.files.writing import touch_file
from wagtail_multihost.node.listening import find_listeners, is_listening
from wagtail_multihost.node.options import AgentOptions
from wagtail_multihost.node.patience import Patience
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

UWSGI, SYSTEMD = "uwsgi", "systemd"
#: The emperor looks for vassals each second (emperor-freq), and takes files of this name for none.
ASIDE = ".restarting"
LOOK_SECONDS = 3.0
#: Seconds that a site's processes have to stop. After that their file is put back all the same.
STOP_SECONDS = 45.0
UNIT = "multihost@{site}.service"
STDERR = 2
NO_CARRIER = (
    "None of the targets of this node's agent runs processes of sites that can be reloaded: {targets}. They would be "
    f"{UWSGI} or {SYSTEMD}."
)
NO_FILE = "The site has no vassal's file below {folder}: it is not served here."
NOT_SERVED = "The site was disabled or taken from this node meanwhile."
NOT_STOPPED = f"Its processes did not stop within {STOP_SECONDS:g} seconds. They go on as they are."
RELOADED = "uWSGI loads it again within a second; requests wait meanwhile."
RESTARTED = "Its processes were stopped, and are started again."


def can_restart(options: AgentOptions) -> bool:
    """Return whether anything on this node restarts the processes of one site."""
    return UWSGI in options.targets or SYSTEMD in options.targets


def reload_site(options: AgentOptions, site: SiteSpec, keeper: Patience) -> str:
    """Let the site's processes load its code and settings again; return what was done. Raises MultihostError."""
    if UWSGI in options.targets:
        path = vassal_file(options.output, site.id)
        touch_file(str(path))
        return RELOADED
    # gunicorn has loaded the code before its workers were forked: it takes a new process, while the socket stays open.
    return call_systemd(options, "try-restart", site, keeper)


def restart_site(
    options: AgentOptions, platform: PlatformSpec, site: SiteSpec, keeper: Patience, is_served: Callable[[], bool]
) -> str:
    """
    Stop the site's processes, and start them if it ``is_served`` here still; return what was done. Raises
    MultihostError.
    """
    if UWSGI in options.targets:
        return restart_vassal(vassal_file(options.output, site.id), platform, site, keeper, is_served)
    return call_systemd(options, "restart", site, keeper)


def vassal_paths(output: Path, site: str) -> Iterator[Path]:
    return (output / folder / f"{site}.ini" for folder in (VASSALS, ON_DEMAND))


def vassal_file(output: Path, site: str) -> Path:
    for path in vassal_paths(output, site):
        put_back(path)
        if path.is_file():
            return path
    raise MultihostError(NO_FILE.format(folder=output))


def restart_vassal(
    path: Path, platform: PlatformSpec, site: SiteSpec, keeper: Patience, is_served: Callable[[], bool]
) -> str:
    """
    Take the vassal's file away until its processes have stopped. What is applied meanwhile writes it anew, and then
    that one stays; or finds nothing to remove, and then none comes back.
    """
    aside = path.with_name(path.name + ASIDE)
    path.rename(aside)
    try:
        stopped = wait_until_stopped(path, platform, site, keeper)
    finally:
        if is_served():
            put_back(path)
        else:
            aside.unlink(missing_ok=True)
    if not is_served():
        raise MultihostError(NOT_SERVED)
    if not stopped:
        raise MultihostError(NOT_STOPPED)
    return RESTARTED


def wait_until_stopped(path: Path, platform: PlatformSpec, site: SiteSpec, keeper: Patience) -> bool:
    keeper.pause(LOOK_SECONDS)
    if path.parent.name == ON_DEMAND.name:  # the emperor itself listens there
        return True
    waited = LOOK_SECONDS
    # Where the kernel does not say who listens, the emperor has had the time to stop them.
    while is_listening(platform.sockets / site.names.socket, find_listeners() or frozenset()):
        if waited >= STOP_SECONDS:
            return False
        keeper.pause(0.5)
        waited += 0.5
    return True


def put_back(path: Path) -> None:
    """Put a vassal's file back that was taken away, unless there is one again."""
    aside = path.with_name(path.name + ASIDE)
    with suppress(FileExistsError, FileNotFoundError):
        path.hardlink_to(aside)
    aside.unlink(missing_ok=True)


def put_back_vassals(output: Path) -> None:
    """Put back what an agent had taken away that was killed."""
    for folder in (VASSALS, ON_DEMAND):
        for aside in (output / folder).glob(f"*.ini{ASIDE}"):
            put_back(aside.with_name(aside.name.removesuffix(ASIDE)))


def call_systemd(options: AgentOptions, verb: str, site: SiteSpec, keeper: Patience) -> str:
    if SYSTEMD not in options.targets:
        raise MultihostError(NO_CARRIER.format(targets=", ".join(options.targets)))
    unit = UNIT.format(site=site.id)
    with run_program(("systemctl", verb, unit), program_environment(), output=STDERR) as process:
        watched = os.pidfd_open(process.pid)
        try:
            while not select.select([watched], [], [], 0)[0]:
                keeper.pause(keeper.seconds or 0.1, watched)
        finally:
            os.close(watched)
        code = process.wait()
    if code:
        raise MultihostError(f"systemctl {verb} {unit} ended with the exit code {code}. The node's journal says why.")
    return f"systemctl {verb} {unit}"
