"""Having each target's own parser check the scratch copy."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from wagtail_multihost.emitters.apply.programs import program_environment, run_program
from wagtail_multihost.emitters.emitter import Validation
from wagtail_multihost.exceptions import ApplyError, EmitError

SECONDS = 120
MOST_CHARACTERS = 4000


def run_validations(validations: Iterable[Validation], stage: Path, directory: Path) -> None:
    """
    Run each validation of the scratch copy ``stage`` of ``directory``.

    Raises ApplyError with the parser's output when it rejects its files, EmitError when it cannot be run.
    """
    for validation in validations:
        code, words = run_validation(validation)
        if code:
            said = words.replace(str(stage), str(directory)).strip()[-MOST_CHARACTERS:] or f"exit code {code}"
            program = Path(validation.command[0]).name
            raise ApplyError(f"{program} does not accept {validation.what}, so nothing was changed. It says:\n{said}")


def run_validation(validation: Validation) -> tuple[int, str]:
    try:
        with run_program(validation.command, program_environment(), output=subprocess.PIPE) as process:
            words, _ = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise EmitError(
            f"{validation.command[0]} did not finish reading {validation.what} within {SECONDS} seconds; "
            "nothing was changed."
        ) from None
    except OSError as error:
        raise EmitError(f"Cannot run {validation.command[0]}: {error.strerror}.") from None
    return process.returncode, words
