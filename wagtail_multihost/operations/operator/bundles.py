"""
Writing bundles: what each node, and each group whose nodes hold all sites, would be given now, signed. A node that
starts while the database is away starts from one.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.files.writing import NewFile, remove_drafts, write_files
from wagtail_multihost.nodeapi.bundle import CONTEXT, FORMAT, MOST_BYTES, file_name, join_bundle
from wagtail_multihost.nodeapi.bundles_v1 import BUNDLE, GROUP, OWNERS, RECOVERY, STATE
from wagtail_multihost.operations.operator.database import Ask
from wagtail_multihost.operations.operator.recovery import Opens
from wagtail_multihost.sealing import SealingError, fingerprint_of, purpose_of, seal_text, sign
from wagtail_multihost.spec.identifiers import NODE_LENGTH, is_slug
from wagtail_multihost.spec.printing import one_line

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

logger = logging.getLogger(__name__)

#: Seconds: what has changed is written at most so often, and what has not at least so often, so that a bundle's age
#: says since when nobody has written it.
LEAST, MOST = 30.0, 3600.0
#: Nodes read it as root, and whoever copies it to them reads it too: all secrets in it are sealed.
FILE_MODE = 0o644
NO_FOLDER = "{folder}: It must be a folder that this account can write to: make it, and give it to the account."
Clock = Callable[[], float]


@dataclass(frozen=True)
class BundleKeys:
    """
    What bundles are made with: the operator's key that ``signs`` them, its ``recovery`` key, and the raw public keys of
    groups, to which the secrets in their bundles are sealed. A group without one has bundles without secrets.
    """

    signs: Ed25519PrivateKey
    recovery: Opens | None = None
    groups: Mapping[str, bytes] | None = None


class BundleWriter:
    """Writes bundles into a ``folder``, which is a share, or is copied to the nodes by other means."""

    def __init__(self, folder: Path, keys: BundleKeys, clock: Clock = time.monotonic) -> None:
        self.folder = folder
        self.keys = keys
        self.clock = clock
        self.state: tuple[Any, ...] | None = None
        self.written_at = -MOST

    def tick(self, ask: Ask) -> int:
        """Write all bundles if they are due; return how many were written. Raises MultihostError and OSError."""
        age = self.clock() - self.written_at
        if age < LEAST:
            return 0
        state = next(iter(ask(STATE, ())), None)
        if state is None or (state == self.state and age < MOST):
            return 0
        count = write_bundles(ask, self.folder, self.keys)
        self.state, self.written_at = state, self.clock()
        return count


def write_bundles(ask: Ask, folder: Path, keys: BundleKeys) -> int:
    """
    Write a bundle for each node and group that the database names; return how many. Those of others stay. Raises
    MultihostError and OSError.
    """
    if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        raise MultihostError(NO_FOLDER.format(folder=folder))
    remove_drafts(folder)
    count = 0
    secrets: dict[str, dict[str, tuple[str, int, str]]] | None = None
    for kind, owner in ask(OWNERS, ()):
        # It becomes the name of a file.
        if not is_slug(owner) or len(owner) > NODE_LENGTH:
            logger.error("No bundle is written for %s: it is no id.", one_line(owner))
            continue
        row = next(iter(ask(BUNDLE, (kind, owner))), None)
        found = row[0] if row else None
        if found is None:
            continue
        public_key = (keys.groups or {}).get(owner) if kind == GROUP else None
        if public_key is not None and keys.recovery is not None:
            secrets = open_secrets(ask, keys.recovery) if secrets is None else secrets
            seal_to_group(found["sites"], secrets, public_key)
        made_at = datetime.now(UTC).isoformat(timespec="seconds")
        document = {**found, "format": FORMAT, "made_at": made_at, "kind": kind, "owner": owner}
        content = json.dumps(document, separators=(",", ":")).encode()
        if len(content) > MOST_BYTES - 1000:
            logger.error("No bundle is written for the %s %s: it would be too large.", kind, owner)
            continue
        data = join_bundle(content, sign(content, keys.signs, CONTEXT))
        write_files([NewFile(str(folder / file_name(kind, owner)), data, FILE_MODE)])
        count += 1
    return count


def open_secrets(ask: Ask, recovery: Opens) -> dict[str, dict[str, tuple[str, int, str]]]:
    """Return what is kept for recovery, by the ids of sites and by fields: the uid, the version and the secret."""
    found: dict[str, dict[str, tuple[str, int, str]]] = {}
    for site, uid, field, version, sealed in ask(RECOVERY, ()):
        try:
            text = recovery.open(bytes(sealed), purpose_of(str(uid), field, int(version)))
        except SealingError as error:
            logger.error("%s of the site %s: %s", one_line(field), one_line(site), error)
            continue
        found.setdefault(site, {})[field] = (str(uid), int(version), text)
    return found


def seal_to_group(
    sites: Mapping[str, dict[str, Any]], secrets: Mapping[str, Mapping[str, tuple[str, int, str]]], public_key: bytes
) -> None:
    """Put the secrets of sites into their tables, sealed to the key of a group."""
    fingerprint = fingerprint_of(public_key)
    for site, table in sites.items():
        for field, (uid, version, text) in secrets.get(site, {}).items():
            if uid != str(table["uid"]):
                continue
            sealed = seal_text(text, public_key, purpose_of(uid, field, version))
            encoded = base64.b64encode(sealed).decode()
            table["sealed"][field] = {"version": version, "fingerprint": fingerprint, "sealed": encoded}
