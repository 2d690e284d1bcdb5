"""
What the agent knew when it last applied something, in a file of root's: so that it starts while the database is away,
and notices a database that went back. What is sealed stays sealed in it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.files.reading import read_no_follow
from wagtail_multihost.files.writing import NewFile, remove_drafts, write_files
from wagtail_multihost.node.reading import Known
from wagtail_multihost.spec.permissions import (
    OWNER_ALONE,
    access_problem,
    make_trusted_folders,
    own_accounts,
    path_problem,
)

FILE_NAME = "agent.json"
FORMAT = 1
FOLDER_MODE = 0o700
KEYS = {
    "incarnation": str,
    "revision": int,
    "serial": int,
    "node": dict,
    "platform": dict,
    "sites": dict,
    "holds": list,
}


def read_known(folder: Path, url: str) -> Known | None:
    """
    Return what was known; None if nothing was kept, or it was of another registry. Raises ConfigurationError for a
    file that is not to be used.
    """
    path = folder / FILE_NAME
    try:
        data, status = read_no_follow(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError.because(f"It cannot be read: {error.strerror}.", where=str(path)) from None
    problem = access_problem(status, OWNER_ALONE, own_accounts()) or path_problem(path)
    document = None if problem else parse_document(data)
    if document is None:
        problem = problem or "It was not written by an agent of this version. Remove it: all is read from the database."
        raise ConfigurationError.because(problem, where=str(path))
    if document["url"] != url:
        return None
    values = {key: document["known"][key] for key in KEYS}
    return Known(**{**values, "holds": tuple(values["holds"])})


def parse_document(data: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or document.get("format") != FORMAT or not isinstance(document.get("url"), str):
        return None
    known = document.get("known")
    is_known = isinstance(known, dict) and all(isinstance(known.get(key), kind) for key, kind in KEYS.items())
    return document if is_known else None


def keep_known(folder: Path, url: str, known: Known) -> None:
    """Write what is known; raises OSError."""
    for new in make_trusted_folders(folder, FOLDER_MODE):
        new.chmod(FOLDER_MODE)
    if problem := path_problem(folder):
        raise PermissionError(1, problem.rstrip("."), str(folder))
    remove_drafts(folder)
    document = {"format": FORMAT, "url": url, "known": known._asdict()}
    write_files([NewFile(str(folder / FILE_NAME), f"{json.dumps(document)}\n".encode())])
