"""
The names that a site has in servers it shares with other sites.

They are prefix-free by construction: a slug has no underscore, no dot and no double hyphen, so these
separate. Names that would be too long keep their start and end in ten hex digits of their SHA-256.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.spec.identifiers import shown

# Postgres cuts identifiers at 63 bytes without an error; 54 leave room for "test_" and a clone number.
DATABASE_LENGTH = 54
BUCKET_LENGTH = 63
KEY_PREFIX_LENGTH = 80
# Reserved by S3: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BUCKET_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
BUCKET_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")

PATTERNS = {
    "database": re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,53}"),
    "role": re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,62}"),
    "bucket": re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]"),
    "key_prefix": re.compile(r"[a-z0-9][a-z0-9.-]{0,79}"),
    "index_prefix": re.compile(r"[a-z0-9][a-z0-9_-]{0,98}_"),
    "socket": re.compile(r"[a-z0-9][a-z0-9-]{0,59}\.sock"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """
    A site's names: Postgres ``database`` and ``role``, S3 ``bucket``, cache ``key_prefix``, search
    ``index_prefix`` and the file name of its ``socket``. Raises ConfigurationError when one is not usable.
    """

    database: str
    role: str
    bucket: str
    key_prefix: str
    index_prefix: str
    socket: str

    def __post_init__(self) -> None:
        problems = [Problem(key, message) for key, message in invalid_names(self)]
        if problems:
            raise ConfigurationError(problems)


def invalid_names(names: Names) -> Iterator[tuple[str, str]]:
    for key, pattern in PATTERNS.items():
        value = getattr(names, key)
        if not isinstance(value, str) or not pattern.fullmatch(value):
            yield key, f"The name {shown(value)} is not accepted: it must match {pattern.pattern}."
        elif key == "bucket" and is_reserved_bucket(value):
            yield key, f"The name {shown(value)} is not accepted: S3 reserves its start or its end."


def is_reserved_bucket(name: str) -> bool:
    return name.startswith(BUCKET_PREFIXES) or name.endswith(BUCKET_SUFFIXES)


def derive_names(platform: str, site: str) -> Names:
    """Return the names of the site id ``site`` on the platform named ``platform``."""
    identifier = shortened(f"{platform}__{site}".replace("-", "_"), DATABASE_LENGTH, "_")
    bucket = shortened(f"{platform}--{site}", BUCKET_LENGTH, "-")
    return Names(
        database=identifier,
        role=identifier,
        bucket=hashed(bucket, BUCKET_LENGTH, "-") if bucket.endswith(BUCKET_SUFFIXES) else bucket,
        key_prefix=f"{platform}.{site}",
        index_prefix=f"{platform}_{site}_",
        socket=f"{site}.sock",
    )


def shortened(name: str, length: int, separator: str) -> str:
    return name if len(name) <= length else hashed(name, length, separator)


def hashed(name: str, length: int, separator: str) -> str:
    digest = hashlib.sha256(name.encode()).hexdigest()[:10]
    return f"{name[: length - 11].rstrip(separator)}{separator}{digest}"
