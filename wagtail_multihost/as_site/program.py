"""The program that ``multihost-as`` starts, which the working folder has, and who may have written it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from wagtail_multihost.exceptions import LaunchError
from wagtail_multihost.launch.account import Account
from wagtail_multihost.spec.permissions import ROOT, foreign_writer_problem

SCRIPT = "manage.py"


def program() -> list[str]:
    """Return the words that start the manage.py of the working folder, or else ``python -m django``."""
    script = working_folder() / SCRIPT
    return [sys.executable, str(script)] if script.is_file() else [sys.executable, "-m", "django"]


def refuse_foreign_program(words: Sequence[str], account: Account | None) -> None:
    """
    Raise LaunchError where root would start what an account has written that is neither root nor the one that it runs
    as (None: root's own): ``manage.py``, or the modules of the working folder, which Python looks for there, or a
    folder above. The account's own gets nothing by it.
    """
    owners = (ROOT, account.uid) if account else (ROOT,)
    refuse_foreign(working_folder(), owners)
    script = Path(words[-1])
    if script.name == SCRIPT:
        refuse_foreign(script, owners)


def refuse_foreign_registry(file: Path) -> None:
    """
    Raise LaunchError where root would follow the working folder's registry, which names accounts and secret files, and
    an account other than root can change it.
    """
    folder = working_folder()
    for path in (folder, folder / file):  # in a sticky folder one that is not there yet may be anybody's
        refuse_foreign(path, (ROOT,))


def working_folder() -> Path:
    """Return the folder that this process works in; raises LaunchError where it was deleted meanwhile."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise LaunchError("The working folder is not there any more. Start in another one.") from None


def refuse_foreign(path: Path, owners: tuple[int, ...]) -> None:
    if os.geteuid() == ROOT and (problem := foreign_writer_problem(path, owners)):
        raise LaunchError(f"Root starts nothing that other accounts can change. {path} is not accepted: {problem}")
