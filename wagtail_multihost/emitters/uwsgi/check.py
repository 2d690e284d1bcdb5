"""How uWSGI itself reads vassals before they are used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from wagtail_multihost.emitters.emitter import Stage, Validation
from wagtail_multihost.emitters.uwsgi.accounts import account_of
from wagtail_multihost.emitters.uwsgi.emperor import uwsgi_program
from wagtail_multihost.emitters.uwsgi.places import ON_DEMAND, VASSALS

# nobody and nogroup, by number, for a check of a file that names no account.
NOBODY = "65534"
# uWSGI ends when it has read its options. It would start the Python of the site's environment next, and as root: with
# chown-socket it becomes the account when sockets are bound, which --no-server leaves out (core/uwsgi.c, uwsgi_start).
END = ("--hook-asap", "exit:0")


def validate(stage: Stage) -> Iterator[Validation]:
    """
    Yield commands with which uWSGI reads changed vassals, and loads no application.

    Of vassals that have the same options one is read: a run takes uWSGI tens of milliseconds, what it refuses is the
    name of an option, and values have passed their quoting function.
    """
    plan = stage.plan
    binary = uwsgi_program(plan)
    for path in representatives(stage):
        # Applications of --no-server are loaded unless they are lazy (core/uwsgi.c, uwsgi_start).
        command = [binary, "--ini", str(stage.folder / path), "--show-config", "--no-server", "--lazy-apps", *END]
        if not any(account_of(plan, site) for site in plan.sites[:1]):
            # Root would start the site's Python; for anybody else these options mean nothing.
            command += ["--uid", NOBODY, "--gid", NOBODY]
        yield Validation(tuple(command), str(path))


def representatives(stage: Stage) -> Iterator[PurePosixPath]:
    """Yield the first of the changed vassals that have the same options in the same order."""
    seen = set()
    for path in sorted(stage.changed):
        # An emperor starts even where uWSGI shall only show its options.
        if path.parent not in (VASSALS, ON_DEMAND) or path.suffix != ".ini":
            continue
        # Among the changed are vassals that go.
        if not (stage.folder / path).is_file():
            continue
        shape = option_names((stage.folder / path).read_bytes().decode())
        if shape not in seen:
            seen.add(shape)
            yield path


def option_names(text: str) -> tuple[str, ...]:
    return tuple(line.partition("=")[0] for line in text.splitlines() if not line.startswith((";", "#")))
