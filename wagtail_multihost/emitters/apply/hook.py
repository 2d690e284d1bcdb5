"""The reload hook: the integrator's command that tells servers to read their configuration again."""

from __future__ import annotations

import subprocess

from wagtail_multihost.emitters.apply.output_folder import OutputFolder
from wagtail_multihost.emitters.apply.programs import program_environment, run_program
from wagtail_multihost.exceptions import ApplyError
from wagtail_multihost.files.writing import NewFile, create_file

STDERR = 2


def run_reload_hook(
    output: OutputFolder, command: tuple[str, ...], timeout: float, paths: dict[str, list[str]]
) -> None:
    """
    Run the hook for the changed ``paths`` by target: MULTIHOST_TARGETS has the names of the targets, and
    MULTIHOST_CHANGED the path of a file with the changed paths, one per line. What the hook prints goes to stderr.

    Raises ApplyError when it fails, or has not ended after ``timeout`` seconds and is killed.
    """
    changed = dict.fromkeys(path for target in paths.values() for path in target)
    try:
        text = "".join(f"{output.directory}/{path}\n" for path in changed)
        # Nobody reads it after a power cut: it is not synced.
        output.changed.unlink(missing_ok=True)
        create_file(str(output.changed), NewFile(str(output.changed), text.encode()))
        variables = program_environment(MULTIHOST_TARGETS=" ".join(paths), MULTIHOST_CHANGED=str(output.changed))
        with run_program(command, variables, output=STDERR) as process:
            process.wait(timeout)
    except subprocess.TimeoutExpired:
        raise ApplyError(f"The reload hook {command[0]} did not end within {timeout:g} seconds.") from None
    except OSError as error:
        raise ApplyError(f"The reload hook {command[0]} cannot be run: {error.strerror}.") from None
    if process.returncode:
        raise ApplyError(f"The reload hook {command[0]} {describe_exit(process.returncode)}.")


def describe_exit(code: int) -> str:
    return f"ended with exit code {code}" if code > 0 else f"was killed by signal {-code}"
