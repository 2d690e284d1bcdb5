"""Where a site keeps uploaded files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeAlias

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.frozen import Frozen, frozen
from wagtail_multihost.spec.identifiers import parse_hostname, shown
from wagtail_multihost.spec.names import is_bucket, is_reserved_bucket
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.validation import parse_path, parse_printable, problem_of, refuse

StorageBackend: TypeAlias = Literal["files", "s3"]

ENDPOINT = r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?/?"


@frozen
class StorageSpec(Frozen):
    """
    A storage: ``files`` below the folder ``path``, or ``s3`` with ``bucket``, ``access_key`` and
    ``secret_key`` (without them the role of the container or the machine is used), and optionally
    ``region``, ``endpoint`` (a URL, for other S3 servers) and ``domain`` (the host that serves the
    bucket, a CDN for example).
    """

    backend: StorageBackend
    path: Path | None = None
    bucket: str = ""
    region: str = ""
    endpoint: str = ""
    domain: str = ""
    access_key: Secret | None = None
    secret_key: Secret | None = None

    def __post_init__(self) -> None:
        refuse(files_problems(self) if self.backend == "files" else s3_problems(self))


def files_problems(storage: StorageSpec) -> Iterator[Problem]:
    if storage.path is None:
        yield Problem("path", "A storage of files needs the path of its folder.")
    else:
        yield from problem_of("path", parse_path, storage.path)
    for key in ("bucket", "region", "endpoint", "domain", "access_key", "secret_key"):
        if getattr(storage, key):
            yield Problem(key, "A storage of files takes a path only.")


def s3_problems(storage: StorageSpec) -> Iterator[Problem]:
    if storage.backend != "s3":
        yield Problem("backend", f"The storage backend {shown(storage.backend)} is not known; accepted: files, s3.")
        return
    if storage.path is not None:
        yield Problem("path", "An S3 storage has a bucket, not a path.")
    if not is_bucket(storage.bucket) or is_reserved_bucket(storage.bucket):
        yield Problem("bucket", f"The bucket {shown(storage.bucket)} is not a valid S3 bucket name.")
    if (storage.access_key is None) != (storage.secret_key is None):
        missing = "access_key" if storage.access_key is None else "secret_key"
        yield Problem(missing, "An access key and a secret key belong together; give both or neither.")
    if storage.region:
        yield from problem_of("region", parse_printable, storage.region, what="The region", length=63)
    if storage.endpoint and not re.fullmatch(ENDPOINT, storage.endpoint):
        yield Problem("endpoint", "The endpoint is not accepted: it must be http(s)://host, without credentials.")
    if storage.domain:
        yield from problem_of("domain", parse_hostname, storage.domain)
