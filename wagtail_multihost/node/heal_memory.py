"""
What was done for sites that did not answer, in a file of root's, so that an agent or a node that is started again and
again does not begin from the foot of each ladder. What is forgotten with it, the database's budgets bound.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.files.locking import locked_folder
from wagtail_multihost.files.reading import read_no_follow
from wagtail_multihost.files.writing import NewFile, write_files
from wagtail_multihost.node.healing import Ladder
from wagtail_multihost.node.state_file import FOLDER_MODE
from wagtail_multihost.spec.permissions import (
    OWNER_ALONE,
    access_problem,
    make_trusted_folders,
    own_accounts,
    path_problem,
)

FILE_NAME = "healing.json"
FORMAT = 1
NUMBERS, TEXTS = ("generation", "at", "restarts", "asked_at", "well_at"), ("uid", "step", "row", "refused")


class Memory(NamedTuple):
    """The ``ladders`` by site, and when sites were restarted without the database, ``alone``, by the time of day."""

    ladders: Mapping[str, Ladder] = {}
    alone: tuple[float, ...] = ()


def read_memory(folder: Path) -> Memory:
    """Return what was kept, which is nothing where there is no file; raises ConfigurationError."""
    path = folder / FILE_NAME
    try:
        data, status = read_no_follow(path)
    except FileNotFoundError:
        return Memory()
    except OSError as error:
        raise ConfigurationError.because(f"It cannot be read: {error.strerror}.", where=str(path)) from None
    problem = access_problem(status, OWNER_ALONE, own_accounts()) or path_problem(path)
    found = None if problem else parse_memory(data)
    if found is None:
        problem = problem or "It was not written by an agent of this version."
        raise ConfigurationError.because(problem, where=str(path))
    return found


def parse_memory(data: bytes) -> Memory | None:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        return None
    ladders, alone = document.get("ladders"), document.get("alone")
    if not isinstance(ladders, dict) or not isinstance(alone, list) or not all(map(is_number, alone)):
        return None
    if not all(is_ladder(row) for row in ladders.values()):
        return None
    return Memory({site: Ladder(**row) for site, row in ladders.items()}, tuple(map(float, alone)))


def is_ladder(row: Any) -> bool:
    return (
        isinstance(row, dict)
        and row.keys() == set(Ladder._fields)
        and all(is_number(row[name]) for name in NUMBERS)
        and all(isinstance(row[name], str) for name in TEXTS)
    )


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value  # no NaN


def keep_memory(folder: Path, memory: Memory) -> None:
    """Write what was done; raises OSError."""
    for new in make_trusted_folders(folder, FOLDER_MODE):
        new.chmod(FOLDER_MODE)
    if problem := path_problem(folder):
        raise PermissionError(1, problem.rstrip("."), str(folder))
    ladders = {site: ladder._asdict() for site, ladder in sorted(memory.ladders.items())}
    document = {"format": FORMAT, "ladders": ladders, "alone": memory.alone}
    with locked_folder(folder):
        write_files([NewFile(str(folder / FILE_NAME), f"{json.dumps(document)}\n".encode())])
