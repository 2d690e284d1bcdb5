"""Whether a storage answers, and keeps files."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages

from wagtail_multihost.exceptions import IdentityError
from wagtail_multihost.health.once_logger import log_failure
from wagtail_multihost.health.probe import Outcome, Probe, failed, passed, warned
from wagtail_multihost.health.status import Criticality

PREFIX = "multihost-probe-"
NOT_FOUND = 404


@dataclass(frozen=True, kw_only=True)
class StorageProbe(Probe):
    """
    Asks for a file that does not exist, which changes nothing; with ``write`` it also saves, reads and removes one.

    The names of such files begin with ``multihost-probe-``, so that a rule of the bucket can expire those that could
    not be removed. The probe uses a storage object of its own and closes its connections.
    """

    component: ClassVar[str] = "datastore"
    codes: ClassVar[Mapping[str, str]] = {
        "unreachable": "The storage does not answer, or refuses access.",
        "folder_missing": "The folder of the files is missing, or cannot be accessed.",
        "bucket_missing": "The bucket does not exist.",
        "foreign_storage": "The bucket has the mark of another site.",
        "missing": "The file named by the option `known` is missing.",
        "not_writable": "A file cannot be saved.",
        "value_lost": "A file was saved, but cannot be read back.",
        "not_deleted": "A file was saved, but cannot be removed.",
    }

    criticality: Criticality = field(default=Criticality.DEGRADED, metadata={"meaning": "What a failure means."})
    timeout: float = field(default=5, metadata={"meaning": "How long, in seconds, a run may take."})
    interval: float = field(default=60, metadata={"meaning": "Seconds between runs that pass; 0: `INTERVAL`."})
    retry: float = field(default=10, metadata={"meaning": "Seconds until the next run after any other; 0: `RETRY`."})
    alias: str = field(default="default", metadata={"meaning": "The alias in `STORAGES`."})
    known: str = field(
        default="", metadata={"meaning": "The name of a file that must exist; none: a random name is asked for."}
    )
    write: bool = field(default=False, metadata={"meaning": "Whether a file is saved, read and removed each time."})

    def measure(self) -> Iterator[Outcome]:
        storage = new_storage(self.alias)
        try:
            shorten_timeouts(storage)
            outcome = self.try_to_read(storage)
            yield self.try_to_write(storage) if self.write and not outcome.status else outcome
        except IdentityError:
            log_failure("The storage %s has the mark of another site.", self.alias, traceback=True)
            yield failed("foreign_storage")
        finally:
            disconnect_storage(storage)

    def try_to_read(self, storage: Storage) -> Outcome:
        if isinstance(storage, FileSystemStorage) and not is_searchable(storage.location):
            return failed("folder_missing")
        try:
            if storage.exists(self.known or new_name()):
                return passed()
            if has_no_bucket(storage):
                return failed("bucket_missing")
        except IdentityError:
            raise
        except Exception:  # storages raise the errors of their clients
            log_failure("The storage %s does not answer.", self.alias, traceback=True)
            return failed("unreachable")
        return failed("missing") if self.known else passed()

    def try_to_write(self, storage: Storage) -> Outcome:
        name, value = new_name(), secrets.token_bytes(16)
        try:
            saved = storage.save(name, ContentFile(value))
        except Exception:
            log_failure("A file cannot be saved in the storage %s.", self.alias, traceback=True)
            with suppress(Exception):  # a full disk leaves an incomplete file
                storage.delete(name)
            return failed("not_writable")
        is_kept, is_deleted = self.reads_back(storage, saved, value), self.deletes(storage, saved)
        if not is_kept:
            return failed("value_lost")
        return passed() if is_deleted else warned("not_deleted")

    def reads_back(self, storage: Storage, saved: str, value: bytes) -> bool:
        try:
            with storage.open(saved) as file:
                return bool(file.read() == value)
        except Exception:
            log_failure("A file that was saved in the storage %s cannot be read.", self.alias, traceback=True)
            return False

    def deletes(self, storage: Storage, saved: str) -> bool:
        """Remove the file under the name that the storage gave it, which may differ from the requested one."""
        try:
            storage.delete(saved)
        except Exception:
            log_failure("The file %s cannot be removed from the storage %s.", saved, self.alias, traceback=True)
            return False
        return True


def new_storage(alias: str) -> Storage:
    """Return a storage object that no request uses."""
    options: Any = storages.backends[alias]
    return storages.create_storage(options)


def new_name() -> str:
    """Return an unused name without a folder, because a folder would be left behind."""
    return f"{PREFIX}{secrets.token_hex(16)}"


def is_searchable(folder: str | os.PathLike[str]) -> bool:
    return os.path.isdir(folder) and os.access(folder, os.X_OK)


def has_no_bucket(storage: Any) -> bool:
    """
    Return whether the bucket of django-storages' S3Storage is missing: HEAD of an object answers 404 for that too. For
    an account that may not HEAD the bucket the answer differs, and the bucket exists.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
    """
    if not hasattr(storage, "bucket_name") or not hasattr(storage, "connection"):
        return False
    client = storage.connection.meta.client
    try:
        client.head_bucket(Bucket=storage.bucket_name)
    except client.exceptions.ClientError as error:
        return bool(error.response["ResponseMetadata"]["HTTPStatusCode"] == NOT_FOUND)
    return False


def shorten_timeouts(storage: Any) -> None:
    """Make the client of an S3 storage give up within seconds; by default it tries for minutes."""
    if hasattr(storage, "client_config"):
        from wagtail_multihost.backends.bucket_mark import QUICK  # needs botocore

        storage.client_config = storage.client_config.merge(QUICK)


def disconnect_storage(storage: Any) -> None:
    """Close what django-storages' S3Storage keeps for this thread."""
    connection = getattr(getattr(storage, "_connections", None), "connection", None)
    if connection is not None:
        connection.meta.client.close()
