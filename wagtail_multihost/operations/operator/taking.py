"""
Taking over keys that a machine with the platform's key has sealed to the recovery key, in a file that a person brings.
"""

from __future__ import annotations

import base64
import binascii
import json
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.files.reading import read_no_follow
from wagtail_multihost.nodeapi.operator_v1 import SECRET_KEY
from wagtail_multihost.operations.operator.recovery import Recovery
from wagtail_multihost.operations.operator.site_keys import SiteKeys
from wagtail_multihost.sealing import IN_TRANSIT, SEALED_FORMAT, purpose_of

MOST_BYTES = 64_000_000
FORM = "{path}: It was not written by multihost_seal_keys."


class Taken(NamedTuple):
    """
    How many sites' keys were ``taken``, and how many were the ``same`` before; the ids of sites that have ``other``
    keys already, and the uids that are ``unknown``.
    """

    taken: int
    same: int
    other: tuple[str, ...]
    unknown: tuple[UUID, ...]


def read_sealed_file(path: Path, recovery: Recovery) -> dict[UUID, dict[str, str]]:
    """Return the texts that a file has, by the uids of the sites; raises MultihostError."""
    try:
        data, _ = read_no_follow(path)
    except OSError as error:
        raise MultihostError(f"{path}: It cannot be read: {error.strerror}.") from None
    try:
        document: Any = json.loads(data) if len(data) <= MOST_BYTES else None
        if document["format"] != SEALED_FORMAT:
            raise MultihostError(FORM.format(path=path))
        recipient = document["recovery"]
        rows = {UUID(uid): dict(fields) for uid, fields in document["sites"].items()}
        sealed = {uid: {name: base64.b64decode(text) for name, text in row.items()} for uid, row in rows.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error):
        raise MultihostError(FORM.format(path=path)) from None
    if recipient not in recovery.fingerprints:
        raise MultihostError(f"{path}: It was sealed to another recovery key than the one of this operator.")
    return {
        uid: {name: recovery.open(text, purpose_of(str(uid), name, IN_TRANSIT)) for name, text in row.items()}
        for uid, row in sealed.items()
    }


def take_keys(keys: SiteKeys, wanted: dict[UUID, dict[str, str]], *, replaces: bool) -> Taken:
    """
    Keep the keys of a file. A site that has another key already keeps it, unless that ``replaces``: it may have been
    rotated since the file was written.
    """
    sites = {uid: site for site, uid, _ in keys.find()}
    taken = same = 0
    other = []
    for uid in sorted(wanted.keys() & sites.keys(), key=sites.__getitem__):
        kept = keys.read(uid)
        is_new = SECRET_KEY not in kept
        if not is_new and not replaces and kept[SECRET_KEY].text != wanted[uid].get(SECRET_KEY):
            other.append(sites[uid])
            continue
        # Of a key that is the same, the former ones may have been forgotten on purpose.
        changed = keys.hand_over(uid, wanted[uid]) if is_new or replaces else 0
        taken, same = taken + bool(changed), same + (not changed)
    return Taken(taken, same, tuple(other), tuple(sorted(wanted.keys() - sites.keys())))
