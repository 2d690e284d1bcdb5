"""The reload hook: the integrator's command that tells servers to read their configuration again."""

from __future__ import annotations

import subprocess

from wagtail_multihost.emitters.apply.place import Place
from wagtail_multihost.emitters.apply.programs import environment, running
from wagtail_multihost.exceptions import ApplyError
from wagtail_multihost.files.writing import NewFile, write_files

STDERR = 2


def reload(place: Place, command: tuple[str, ...], timeout: float, paths: dict[str, list[str]]) -> None:
    """
    Run the hook for the changed ``paths`` by target: it is given the names of the targets in MULTIHOST_TARGETS, and
    in MULTIHOST_CHANGED the path of a file with the changed paths, one on a line. What it prints goes to stderr.

    Raises ApplyError when it fails, or has not ended after ``timeout`` seconds: it is killed then.
    """
    changed = dict.fromkeys(path for target in paths.values() for path in target)
    try:
        text = "".join(f"{place.directory}/{path}\n" for path in changed)
        write_files([NewFile(str(place.changed), text.encode())])
        variables = environment(MULTIHOST_TARGETS=" ".join(paths), MULTIHOST_CHANGED=str(place.changed))
        with running(command, variables, output=STDERR) as process:
            process.wait(timeout)
    except subprocess.TimeoutExpired:
        raise ApplyError(f"The reload hook {command[0]} had not ended after {timeout:g} seconds.") from None
    except OSError as error:
        raise ApplyError(f"The reload hook {command[0]} cannot be run: {error.strerror}.") from None
    if process.returncode:
        raise ApplyError(f"The reload hook {command[0]} {ending(process.returncode)}.")


def ending(code: int) -> str:
    return f"ended with exit code {code}" if code > 0 else f"was ended by signal {-code}"
