"""
The operator's folder: the recovery key, the key that signs bundles, and what it knows itself of tokens and nodes. It
belongs to the operator's account, and nobody else can enter it.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.files.locking import LOCK_SECONDS, lock
from wagtail_multihost.files.reading import read_no_follow
from wagtail_multihost.files.writing import NewFile, sync_paths, write_files
from wagtail_multihost.sealing import SealingError, make_key_file, open_text, read_key_file, write_key_file
from wagtail_multihost.spec.permissions import OWNER_ALONE, access_problem, foreign_writer_problem, own_accounts

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

DEFAULT = Path("/var/lib/multihost-operator")
RECOVERY_KEY, BUNDLE_KEY = "recovery.key", "bundle.key"
#: While the recovery key changes: the one that will take its place, and the one whose place was taken.
NEXT_KEY, FORMER_KEY = "recovery-next.key", "recovery-former.key"
MODE = 0o700
NOT_MADE = "{path}: It is missing. Run: multihost-operator init"
Document = dict[str, dict[str, Any]]


class RecoveryKeys(NamedTuple):
    """The recovery key, and the ``former`` one while it may still be needed."""

    present: X25519PrivateKey
    former: X25519PrivateKey | None = None

    def open(self, sealed: bytes, purpose: str) -> str:
        """Return what was sealed to one of the keys; raises SealingError."""
        try:
            return open_text(sealed, self.present, purpose)
        except SealingError:
            if self.former is None:
                raise
        return open_text(sealed, self.former, purpose)


class OperatorFolder:
    """The folder at ``path``; every function raises MultihostError where it is not to be trusted."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes of the operator from changing what is kept here."""
        self.refuse_others()
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            lock(descriptor, time.monotonic() + LOCK_SECONDS)
            yield
        except BlockingIOError:
            raise MultihostError(f"{self.path}: Another process of the operator is writing there.") from None
        finally:
            os.close(descriptor)

    def refuse_others(self) -> None:
        """Raise MultihostError unless the folder is this account's alone, and nobody else can put another there."""
        try:
            status = self.path.lstat()
        except FileNotFoundError:
            raise MultihostError(NOT_MADE.format(path=self.path)) from None
        except OSError as error:
            raise MultihostError(f"{self.path}: It cannot be used: {error.strerror}.") from None
        problem = "" if stat.S_ISDIR(status.st_mode) else "It is no folder."
        problem = problem or access_problem(status, OWNER_ALONE, own_accounts())
        if problem := problem or foreign_writer_problem(self.path, own_accounts()):
            raise MultihostError(f"{self.path}: {problem.replace('0400 or 0600', '0700')}")

    def make(self) -> None:
        """Make the folder and its keys, where they are missing; those that there are stay."""
        try:
            self.path.mkdir(MODE)
        except FileExistsError:
            pass
        except OSError as error:
            raise MultihostError(f"{self.path}: It cannot be made: {error.strerror}.") from None
        with self.locked():
            if not (self.path / RECOVERY_KEY).exists():
                make_key_file(self.path / RECOVERY_KEY)
            if not (self.path / BUNDLE_KEY).exists():
                make_signing_key_file(self.path / BUNDLE_KEY)

    def recovery_key(self) -> X25519PrivateKey:
        """Return the key that everything is sealed to once, so that nothing is lost with a node."""
        self.refuse_others()
        try:
            return read_key_file(self.path / RECOVERY_KEY)
        except FileNotFoundError:
            raise MultihostError(NOT_MADE.format(path=self.path / RECOVERY_KEY)) from None

    def recovery_keys(self) -> RecoveryKeys:
        """Return the recovery key and, while secrets may be sealed to it still, the former one."""
        present = self.recovery_key()
        try:
            return RecoveryKeys(present, read_key_file(self.path / FORMER_KEY))
        except FileNotFoundError:
            return RecoveryKeys(present)

    @property
    def is_changing_recovery_key(self) -> bool:
        return any((self.path / name).exists() for name in (NEXT_KEY, FORMER_KEY))

    def next_recovery_key(self) -> X25519PrivateKey | None:
        """
        Return the key that will be the recovery key, which is made unless one that was made before is in use already;
        then None.
        """
        with self.locked():
            if (self.path / NEXT_KEY).exists():
                return read_key_file(self.path / NEXT_KEY)
            return None if (self.path / FORMER_KEY).exists() else make_key_file(self.path / NEXT_KEY)

    def use_next_recovery_key(self) -> None:
        """Let the next key be the recovery key. The present one is kept first, so that a kill loses none."""
        with self.locked():
            if not (self.path / NEXT_KEY).exists():
                return
            if not (self.path / FORMER_KEY).exists():
                write_files([NewFile(str(self.path / FORMER_KEY), read_no_follow(self.path / RECOVERY_KEY)[0])])
            os.replace(self.path / NEXT_KEY, self.path / RECOVERY_KEY)
            sync_paths([str(self.path)])

    def forget_former_recovery_key(self) -> None:
        """Remove it; whoever calls this has the folder locked, and has seen that nothing is sealed to it any more."""
        (self.path / FORMER_KEY).unlink(missing_ok=True)

    def bundle_key(self) -> Ed25519PrivateKey:
        """Return the key that signs bundles."""
        from wagtail_multihost.publishing.signing import read_signing_key  # loads only where something is signed

        self.refuse_others()
        return read_signing_key(self.path / BUNDLE_KEY)

    def read(self, name: str) -> Document:
        """Return what the file ``name`` keeps; nothing if there is none."""
        path = self.path / name
        try:
            data, status = read_no_follow(path)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise MultihostError(f"{path}: It cannot be read: {error.strerror}.") from None
        if problem := access_problem(status, OWNER_ALONE, own_accounts()):
            raise MultihostError(f"{path}: {problem}")
        try:
            document = json.loads(data)
        except ValueError:
            document = None
        if not isinstance(document, dict) or not all(isinstance(entry, dict) for entry in document.values()):
            raise MultihostError(f"{path}: It was not written by multihost-operator.")
        return document

    def write(self, name: str, document: Mapping[str, Mapping[str, Any]]) -> None:
        """Keep a document; whoever changes one has it ``locked``."""
        path = self.path / name
        try:
            write_files([NewFile(str(path), f"{json.dumps(document, indent=1)}\n".encode())])
        except OSError as error:
            raise MultihostError(f"{path}: It cannot be written: {error.strerror}.") from None


def make_signing_key_file(path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    write_key_file(path, Ed25519PrivateKey.generate())
