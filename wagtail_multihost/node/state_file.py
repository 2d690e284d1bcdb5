"""
What the agent knew when it last applied something, in a file of root's: so that it starts while the database is away,
and notices a database that went back. What is sealed stays sealed in it.

A site whose newest record was refused is still served by its ``former`` one, so that is kept too; and what a hold keeps
from being applied is told from what was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.files.locking import locked_folder
from wagtail_multihost.files.reading import read_no_follow
from wagtail_multihost.files.writing import NewFile, remove_drafts, write_files
from wagtail_multihost.node.options import AgentOptions
from wagtail_multihost.node.reading import Known, Table
from wagtail_multihost.registry.node_file import NodeFile
from wagtail_multihost.spec.permissions import (
    OWNER_ALONE,
    access_problem,
    make_trusted_folders,
    own_accounts,
    path_problem,
)

FILE_NAME = "agent.json"
#: Where the node file states no folder, which is refused when it is read for sites.
NO_DATA = "/var/lib/multihost"
FORMAT = 1
#: Mode of the folder, which only root enters.
FOLDER_MODE = 0o700
KEYS = {
    "incarnation": str,
    "revision": int,
    "serial": int,
    "node": dict,
    "platform": dict,
    "sites": dict,
    "holds": list,
    "missing": list,
}
#: What else the file has.
STATE_KEYS = {"former": dict, "applied": dict}


class State(NamedTuple):
    """
    What was ``known``, the ``former`` records that refused sites are served by, and the records that are ``applied``
    of sites of which a hold keeps others from being so.
    """

    known: Known
    former: Mapping[str, Table] = {}
    applied: Mapping[str, Table] = {}

    @property
    def used(self) -> Mapping[str, Table]:
        """The records that were applied last, whether they were accepted or refused."""
        return {**self.known.sites, **self.applied}

    @property
    def standing(self) -> Known:
        """What is in use: what was applied, but of refused sites what they had before."""
        return self.known._replace(sites={**self.used, **self.former})


def find_folder(options: AgentOptions, node: NodeFile) -> Path:
    """Return the folder for what the agent keeps."""
    return options.state or Path(str(node.platform.get("data", NO_DATA))) / "agent"


def read_state(folder: Path, url: str) -> State | None:
    """
    Return what was kept; None if nothing was kept, or it was of another registry. Raises ConfigurationError for a
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
    lists = {key: tuple(values[key]) for key in ("holds", "missing")}
    return State(Known(**{**values, **lists}), document["former"], document["applied"])


def parse_document(data: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or document.get("format") != FORMAT or not isinstance(document.get("url"), str):
        return None
    known = document.get("known")
    is_known = isinstance(known, dict) and all(isinstance(known.get(key), kind) for key, kind in KEYS.items())
    is_state = all(isinstance(document.get(key), kind) for key, kind in STATE_KEYS.items())
    return document if is_known and is_state else None


def keep_state(folder: Path, url: str, state: State) -> None:
    """Write what is known; raises OSError."""
    for new in make_trusted_folders(folder, FOLDER_MODE):
        new.chmod(FOLDER_MODE)
    if problem := path_problem(folder):
        raise PermissionError(1, problem.rstrip("."), str(folder))
    document = {"format": FORMAT, "url": url, **state._asdict(), "known": state.known._asdict()}
    data = f"{json.dumps(document)}\n".encode()
    # Who changes a site here writes into the folder too.
    with locked_folder(folder):
        remove_drafts(folder)
        write_files([NewFile(str(folder / FILE_NAME), data)])
