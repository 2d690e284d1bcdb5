"""Running other programs: with few variables, no input, and an end for everything that they started."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from wagtail_multihost.emitters.apply.signals import defer_signals
from wagtail_multihost.exceptions import EmitError

KEPT = ("LANG", "HOME")
#: Searched after PATH, which in an operator's shell may lack the folders of servers.
FOLDERS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: Debian's packages, for the message that a program is missing.
PACKAGES = {"nginx": "nginx", "systemd-analyze": "systemd", "uwsgi": "uwsgi-core"}


def program_environment(**variables: str) -> dict[str, str]:
    """Return a program's variables: uWSGI reads each UWSGI_ variable as an option, and others may hold secrets."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {"PATH": f"{os.environ.get('PATH', '')}:{FOLDERS}".lstrip(":"), **kept, **variables}


def find_program(program: str) -> str:
    """Return the path of ``program``; raises EmitError, which names its package, if this machine does not have it."""
    path = shutil.which(program, path=program_environment()["PATH"])
    if path:
        return os.path.abspath(path)
    package = PACKAGES.get(os.path.basename(program))
    hint = f" Debian has it in the package {package}." if package else ""
    raise EmitError(f"The program {program} is not installed, or cannot be run.{hint}")


@contextmanager
def run_program(
    command: Sequence[str], variables: Mapping[str, str], *, output: int
) -> Iterator[subprocess.Popen[str]]:
    """Run a command in its own session, which is killed as a whole when the block is left by an error."""
    process = None
    try:
        with defer_signals():  # a signal while it is being started would leave it running
            process = start_program(command, variables, output)
        yield process
    except BaseException:
        if process:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        raise
    finally:
        if process and process.stdout:
            process.stdout.close()


def start_program(command: Sequence[str], variables: Mapping[str, str], output: int) -> subprocess.Popen[str]:
    # S603: the command is the operator's or the emitters', and no shell reads it.
    return subprocess.Popen(  # noqa: S603
        [find_program(command[0]), *command[1:]],
        env=dict(variables),
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
