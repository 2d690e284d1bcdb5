"""
Changes of sites that were made on this node while control was gone, in a file of root's. A site that was changed here
is held here: it stays so until somebody says that control's record counts again.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.files.locking import locked_folder
from wagtail_multihost.files.reading import Mark, mark_of, read_no_follow
from wagtail_multihost.files.writing import NewFile, remove_drafts, write_files
from wagtail_multihost.node.patches import differing_keys, merge_patch
from wagtail_multihost.node.reading import Known, Table
from wagtail_multihost.node.specs import record_of
from wagtail_multihost.spec.permissions import OWNER_ALONE, access_problem, own_accounts, path_problem

FILE_NAME = "changes.json"
FORMAT = 1
FIELDS = {"uid": str, "patch": dict, "who": str, "at": str, "reason": str, "revision": int}
MOST_NAMED = 10


class LocalChange(NamedTuple):
    """
    A change of the site ``uid``: the ``patch`` of its record (null removes a key), ``who`` made it, ``at`` what time by
    this node's clock, the ``reason``, and the ``revision`` of the record that it was made on.
    """

    uid: str
    patch: Table
    who: str
    at: str
    reason: str
    revision: int


class LocalChanges:
    """What was changed on this node, by the ids of sites; read again once the file is another one."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME
        self.seen: Mark | None = None
        self.sites: dict[str, LocalChange] = {}
        #: The sites whose change is not applied yet, or has been taken back.
        self.touched: frozenset[str] = frozenset()

    def read(self) -> None:
        """Read the file if it is another one; raises ConfigurationError for one that is not to be used."""
        seen = mark_of(self.path)
        if seen == self.seen:
            return
        found = read_changes(self.path)
        differs = {site for site in found.keys() | self.sites.keys() if found.get(site) != self.sites.get(site)}
        self.sites, self.seen, self.touched = found, seen, self.touched | differs

    def settle(self, sites: Collection[str]) -> None:
        """Note that the changes of these sites were applied, or taken back."""
        self.touched -= set(sites)

    def patched(self, known: Known) -> Known:
        """Return what is known with the changes on top."""
        sites = dict(known.sites)
        for site, change in self.sites.items():
            if site in sites and str(sites[site]["uid"]) == change.uid:
                sites[site] = {**sites[site], "record": merge_patch(sites[site]["record"], change.patch)}
        return known._replace(sites=sites)

    def describe(self, known: Known, control: Mapping[str, Table]) -> str:
        """Return what was changed, by whom, and by which keys it differs from ``control``'s records. No values."""
        said = []
        for site, change in sorted(self.sites.items())[:MOST_NAMED]:
            here = merge_patch(known.sites[site]["record"], change.patch) if site in known.sites else {}
            keys = differing_keys(here, record_of(control[site])) if site in control else ["the whole site"]
            differs = f"It differs from control's record in {', '.join(keys)}." if keys else "Control's is the same."
            said.append(f"{site} was changed here at {change.at} by {change.who}: {change.reason}. {differs}")
        return " ".join(said)


def read_changes(path: Path) -> dict[str, LocalChange]:
    """Return the changes in a file, none if there is no file; raises ConfigurationError."""
    try:
        data, status = read_no_follow(path)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigurationError.because(f"It cannot be read: {error.strerror}.", where=str(path)) from None
    problem = access_problem(status, OWNER_ALONE, own_accounts()) or path_problem(path)
    found = None if problem else parse_changes(data)
    if found is None:
        problem = problem or "It was not written by multihost-agent change of this version."
        raise ConfigurationError.because(problem, where=str(path))
    return found


def parse_changes(data: bytes) -> dict[str, LocalChange] | None:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    sites = document.get("sites") if isinstance(document, dict) and document.get("format") == FORMAT else None
    if not isinstance(sites, dict):
        return None
    for row in sites.values():
        if not isinstance(row, dict) or row.keys() != FIELDS.keys():
            return None
        if not all(isinstance(row[field], kind) for field, kind in FIELDS.items()):
            return None
    return {site: LocalChange(**row) for site, row in sites.items()}


def put_change(path: Path, site: str, change: LocalChange | None) -> None:
    """
    Keep the change of a site beside those of others, or drop it; raises OSError and ConfigurationError. Two people may
    change something at a time.
    """
    with locked_folder(path.parent):
        changes = {name: one for name, one in read_changes(path).items() if name != site}
        if change is not None:
            changes[site] = change
        remove_drafts(path.parent)
        document = {"format": FORMAT, "sites": {name: one._asdict() for name, one in sorted(changes.items())}}
        write_files([NewFile(str(path), f"{json.dumps(document, indent=1)}\n".encode())])
