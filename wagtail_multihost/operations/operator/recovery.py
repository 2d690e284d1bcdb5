"""
The recovery key, to which every secret is sealed once: opening with it, and the change to another one, during which the
former opens what is not sealed anew yet.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from wagtail_multihost.operations.operator.database import OperatorDatabase
from wagtail_multihost.operations.operator.folder import OperatorFolder
from wagtail_multihost.sealing import SealingError, fingerprint_of, public_bytes, purpose_of, seal_text
from wagtail_multihost.spec.printing import one_line

logger = logging.getLogger(__name__)

#: While so many are sealed anew, no other process of the operator writes.
MOST_AT_ONCE = 200
#: The next of those that are sealed to another key than the one of a fingerprint, after one of them.
OUTDATED = f"""
SELECT uid, field, version, fingerprint, sealed FROM operator_v1.kept
WHERE fingerprint <> %s AND (uid, field, version) > (%s, %s, %s) ORDER BY uid, field, version LIMIT {MOST_AT_ONCE}
"""  # noqa: S608  # a constant
COUNT_OUTDATED = "SELECT count(*) FROM operator_v1.kept WHERE fingerprint <> %s"
RESEAL = "SELECT operator_v1.reseal(%s, %s, %s, %s, %s, %s)"
FIRST = (UUID(int=0), "", 0)


class Opens(Protocol):
    """Opens what is kept for recovery; raises SealingError."""

    def open(self, sealed: bytes, purpose: str) -> str: ...


class Recovery:
    """The recovery key in a ``folder``, as it is there now; another process may change it."""

    def __init__(self, folder: OperatorFolder) -> None:
        self.folder = folder
        self.keys = folder.recovery_keys()

    @property
    def public(self) -> bytes:
        return public_bytes(self.keys.present)

    @property
    def fingerprints(self) -> frozenset[str]:
        """Those of the keys that open."""
        return frozenset(fingerprint_of(public_bytes(key)) for key in self.keys if key is not None)

    def open(self, sealed: bytes, purpose: str) -> str:
        """Return what was sealed for recovery; raises SealingError and MultihostError."""
        try:
            return self.keys.open(sealed, purpose)
        except SealingError:
            self.keys = self.folder.recovery_keys()
        return self.keys.open(sealed, purpose)

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Let no other process change the key while something is sealed to it in the block."""
        with self.folder.locked():
            self.keys = self.folder.recovery_keys()
            yield


class Resealed(NamedTuple):
    """How many secrets were sealed anew, which cannot be opened, and whether nothing is left to do."""

    sealed: int
    broken: tuple[str, ...]
    is_done: bool


def reseal_all(folder: OperatorFolder, database: OperatorDatabase) -> Resealed:
    """
    Seal what is kept for recovery to the present key, and forget the former one once nothing is sealed to that any
    more. One that was interrupted goes on where it was. Raises MultihostError.
    """
    recovery = Recovery(folder)
    count, broken, last = 0, [], FIRST
    while True:
        with recovery.keeping():
            rows = database.ask(OUTDATED, (fingerprint_of(recovery.public), *last))
            if not rows:
                break
            for uid, field, version, former, sealed in rows:
                last = (uid, field, version)
                try:
                    count += reseal(recovery, database, last, former, bytes(sealed))
                except SealingError as error:
                    logger.error("%s of the site %s: %s", one_line(field), uid, error)
                    broken.append(f"{one_line(field)} of the site {uid}")
    with recovery.keeping():
        is_done = database.ask(COUNT_OUTDATED, (fingerprint_of(recovery.public),)) == [(0,)]
        if is_done:
            folder.forget_former_recovery_key()
    return Resealed(count, tuple(broken), is_done)


def reseal(
    recovery: Recovery, database: OperatorDatabase, what: tuple[UUID, str, int], former: str, sealed: bytes
) -> int:
    uid, field, version = what
    purpose = purpose_of(str(uid), field, version)
    new = seal_text(recovery.open(sealed, purpose), recovery.public, purpose)
    row: tuple[Any, ...] = database.ask(RESEAL, (uid, field, version, former, fingerprint_of(recovery.public), new))[0]
    return int(bool(row[0]))
