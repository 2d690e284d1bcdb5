"""The program that ``multihost-as`` finds in the working folder and starts, and who may have written it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from wagtail_multihost.exceptions import LaunchError
from wagtail_multihost.launch.account import Account
from wagtail_multihost.spec.permissions import ROOT, foreign_writer_problem

SCRIPT = "manage.py"


def manage_words() -> list[str]:
    """Return the command line that starts manage.py in the working folder, or else ``python -m django``."""
    script = working_folder() / SCRIPT
    return [sys.executable, str(script)] if script.is_file() else [sys.executable, "-m", "django"]


def refuse_foreign_program(words: Sequence[str], account: Account | None) -> None:
    """
    Raise LaunchError where root would start what an account other than root and ``account`` (None: root alone) can
    write: ``manage.py``, the working folder, in which Python looks for modules, or a folder above. The account that
    the program runs as gains nothing by writing it.
    """
    owners = (ROOT, account.uid) if account else (ROOT,)
    refuse_foreign_hand(working_folder(), owners)
    script = Path(words[-1])
    if script.name == SCRIPT:
        refuse_foreign_hand(script, owners)


def refuse_foreign_registry(file: Path) -> None:
    """
    Raise LaunchError where root would read the working folder's registry, which names accounts and secret files, and
    an account other than root can change it.
    """
    folder = working_folder()
    for path in (folder, folder / file):  # in a sticky folder anyone can create a missing one
        refuse_foreign_hand(path, (ROOT,))


def working_folder() -> Path:
    """Return the working folder of this process; raises LaunchError where it has been deleted."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise LaunchError("The working folder no longer exists. Start in another one.") from None


def refuse_foreign_hand(path: Path, owners: tuple[int, ...]) -> None:
    if os.geteuid() == ROOT and (problem := foreign_writer_problem(path, owners)):
        raise LaunchError(f"Root starts nothing that other accounts can change, so {path} is not accepted: {problem}")
