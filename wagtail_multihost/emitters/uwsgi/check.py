"""Having uWSGI itself read vassals before they are used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from wagtail_multihost.emitters.emitter import Stage, Validation
from wagtail_multihost.emitters.uwsgi.accounts import account_of
from wagtail_multihost.emitters.uwsgi.emperor import uwsgi_program
from wagtail_multihost.emitters.uwsgi.places import ON_DEMAND, VASSALS

# nobody and nogroup, by number, for checking a file that names no account.
NOBODY = "65534"
# uWSGI ends when it has read its options. It would start the Python of the site's environment next, and as root: with
# chown-socket it becomes the account when sockets are bound, which --no-server leaves out (core/uwsgi.c, uwsgi_start).
END = ("--hook-asap", "exit:0")


def validate(stage: Stage) -> Iterator[Validation]:
    """
    Yield commands with which uWSGI reads changed vassals without loading an application.

    Of vassals with the same options only one is read: a run takes tens of milliseconds, uWSGI only rejects names of
    options, and values have passed their quoting function.
    """
    plan = stage.plan
    binary = uwsgi_program(plan)
    for path in representative_vassals(stage):
        # Applications of --no-server are loaded unless they are lazy (core/uwsgi.c, uwsgi_start).
        command = [binary, "--ini", str(stage.folder / path), "--show-config", "--no-server", "--lazy-apps", *END]
        if not any(account_of(plan, site) for site in plan.sites[:1]):
            # Root would start the site's Python; for other accounts these options have no effect.
            command += ["--uid", NOBODY, "--gid", NOBODY]
        yield Validation(tuple(command), str(path))


def representative_vassals(stage: Stage) -> Iterator[PurePosixPath]:
    """Yield one of each group of changed vassals with the same options in the same order."""
    seen = set()
    for path in sorted(stage.changed):
        # An emperor starts even if uWSGI is only to show its options.
        if path.parent not in (VASSALS, ON_DEMAND) or path.suffix != ".ini":
            continue
        # Some of the changed vassals are removed.
        if not (stage.folder / path).is_file():
            continue
        shape = option_names((stage.folder / path).read_bytes().decode())
        if shape not in seen:
            seen.add(shape)
            yield path


def option_names(text: str) -> tuple[str, ...]:
    return tuple(line.partition("=")[0] for line in text.splitlines() if not line.startswith((";", "#")))
