"""
The secrets of sites that are kept for recovery: keys of their own for managed sites, which are made here and nowhere
else, and what a person hands over.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple
from uuid import UUID

from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.nodeapi.operator_v1 import FALLBACKS, PROBE_KEY, SECRET_KEY
from wagtail_multihost.operations.operator.database import OperatorDatabase
from wagtail_multihost.operations.operator.recovery import Recovery
from wagtail_multihost.operations.operator.sealing_round import SEAL
from wagtail_multihost.registry.references import ENVIRONMENT, SEALED
from wagtail_multihost.sealing import fingerprint_of, purpose_of, seal_text
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.proofs import NO_PROBE_KEY, is_probe_key, public_probe_key
from wagtail_multihost.spec.secret import Secret

KEY_BYTES = 64
#: Former keys that a site still accepts: with more, each signature that is wrong costs more.
MOST_FALLBACKS = 3
MOST_AT_ONCE = 500
WITHOUT_KEY = f"""
SELECT uid FROM operator_v1.site WHERE NOT has_key AND NOT refers_to_key AND NOT is_imported
ORDER BY id LIMIT {MOST_AT_ONCE}
"""  # noqa: S608  # a constant
SECRETS = "SELECT field, version, sealed FROM operator_v1.secret WHERE uid = %s"
TELL_PROBE_KEY = "SELECT operator_v1.tell_probe_key(%s, %s)"
SITES = "SELECT id, uid, has_key FROM operator_v1.site"


class Kept(NamedTuple):
    """A secret as it is kept for recovery: its ``version`` and its ``text``."""

    version: int
    text: str


class SiteKeys:
    """What is kept of sites' secrets: everything is opened and sealed with the ``recovery`` key."""

    def __init__(self, database: OperatorDatabase, recovery: Recovery) -> None:
        self.database, self.recovery = database, recovery

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Let all that is kept in the block be seen together, sealed to the recovery key of this moment."""
        with self.recovery.keeping(), self.database.transaction():
            yield

    def make_missing(self) -> int:
        """
        Make a key for each site that was made in the control site and has none; return how many. A site that was
        imported has a key elsewhere, which ``multihost_seal_keys`` hands over.
        """
        rows = self.database.ask(WITHOUT_KEY)
        if not rows:
            return 0
        with self.keeping():
            for (uid,) in rows:
                self.keep(uid, SECRET_KEY, 1, make_secret_key())
        return len(rows)

    def make_for(self, sites: Collection[str]) -> int:
        """Make a key for each of the ``sites`` that has none, imported or not; what was signed before ends."""
        chosen = {site: uid for site, uid, has_key in self.find(sites) if not has_key}
        with self.keeping():
            for uid in chosen.values():
                self.keep(uid, SECRET_KEY, 1, make_secret_key())
        return len(chosen)

    def rotate(self, sites: Collection[str], *, drops_former: bool = False) -> int:
        """Give each site another key. What it has signed stays valid, unless that ``drops_former``; return how many."""
        count = 0
        for _, uid, has_key in self.find(sites):
            if not has_key:
                continue
            kept = self.read(uid)
            former = [kept[SECRET_KEY].text, *fallbacks_of(kept)][:MOST_FALLBACKS]
            with self.keeping():
                self.keep_next(uid, kept, FALLBACKS, json.dumps([] if drops_former else former))
                self.keep_next(uid, kept, SECRET_KEY, make_secret_key())
            count += 1
        return count

    def forget_former(self, sites: Collection[str]) -> int:
        """Let what the sites have signed with former keys be valid no more; return of how many that is new."""
        count = 0
        for _, uid, _ in self.find(sites):
            kept = self.read(uid)
            if fallbacks_of(kept):
                with self.keeping():
                    self.keep_next(uid, kept, FALLBACKS, "[]")
                count += 1
        return count

    def hand_over(self, uid: UUID, texts: dict[str, str]) -> int:
        """Keep secrets of a site that come from elsewhere; return how many of them are new. Raises MultihostError."""
        if any(text.startswith((ENVIRONMENT, SEALED)) for text in texts.values()):
            raise MultihostError("A reference is no secret: state the value itself.")
        if PROBE_KEY in texts and not is_probe_key(texts[PROBE_KEY]):
            raise MultihostError(f"{PROBE_KEY}: {NO_PROBE_KEY}")
        kept = self.read(uid)
        changed = {field: text for field, text in texts.items() if field not in kept or kept[field].text != text}
        with self.keeping():
            for field, text in changed.items():
                self.keep_next(uid, kept, field, text)
        return len(changed)

    def find(self, sites: Collection[str] | None = None) -> list[tuple[str, UUID, bool]]:
        """Return id, uid and whether it has a key of each of the ``sites`` (None: of all); raises MultihostError."""
        rows = [(str(site), uid, bool(has_key)) for site, uid, has_key in self.database.ask(SITES)]
        if sites is None:
            return rows
        known = {site for site, _, _ in rows}
        if missing := sorted(set(sites) - known):
            raise MultihostError(f"There is no site {', '.join(map(shown, missing))}.")
        return [row for row in rows if row[0] in sites]

    def read(self, uid: UUID) -> dict[str, Kept]:
        """Return what is kept of a site, opened."""
        found = {}
        for field, version, sealed in self.database.ask(SECRETS, (uid,)):
            text = self.recovery.open(bytes(sealed), purpose_of(str(uid), field, int(version)))
            found[str(field)] = Kept(int(version), text)
        return found

    def keep_next(self, uid: UUID, kept: dict[str, Kept], field: str, text: str) -> None:
        self.keep(uid, field, kept[field].version + 1 if field in kept else 1, text)

    def keep(self, uid: UUID, field: str, version: int, text: str) -> None:
        """Keep a secret; what monitors know a site's probe key by is told with it. Raises MultihostError."""
        public = self.recovery.public
        sealed = seal_text(text, public, purpose_of(str(uid), field, version))
        (row,) = self.database.ask(SEAL, (uid, field, version, "", fingerprint_of(public), sealed))
        if row[0] is None:
            raise MultihostError(f"{field} of the site {uid} was changed meanwhile. Run it again.")
        if field == PROBE_KEY:
            self.database.ask(TELL_PROBE_KEY, (uid, public_probe_key(Secret(text))))


def make_secret_key() -> str:
    return secrets.token_urlsafe(KEY_BYTES)


def fallbacks_of(kept: dict[str, Kept]) -> list[str]:
    return list(json.loads(kept[FALLBACKS].text)) if FALLBACKS in kept else []


def all_ids(rows: Iterable[tuple[str, UUID, bool]]) -> list[str]:
    return [site for site, _, _ in rows]
