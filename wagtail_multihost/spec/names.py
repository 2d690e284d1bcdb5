"""
The names that a site has in servers it shares with other sites.

They are prefix-free by construction: a slug has no underscore, no dot and no double hyphen, so these
separate. Names that would be too long keep their start and end in ten hex digits of their SHA-256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.declared import declared_problems, key
from wagtail_multihost.spec.frozen import Frozen, frozen
from wagtail_multihost.spec.identifiers import ALPHANUMERIC, LDH, WORD, is_made_of, shown
from wagtail_multihost.spec.kinds import Kind
from wagtail_multihost.spec.type_words import STRING
from wagtail_multihost.spec.validation import raise_problems

if TYPE_CHECKING:
    from uuid import UUID

# Postgres cuts identifiers at 63 bytes without an error; 54 leave room for "test_" and a clone number.
DATABASE_LENGTH = 54
ROLE_LENGTH = 63
BUCKET_LENGTH = 63
KEY_PREFIX_LENGTH = 80
MARK_LENGTH = 8  # hex digits of a uid
# Reserved by S3: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BUCKET_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
BUCKET_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")

SOCKET_SUFFIX = ".sock"


def name_kind(is_accepted: Callable[[str], bool], accepted: str) -> Kind:
    """Return the kind of the names that a rule takes, which ``accepted`` says in words."""

    def check(value: str) -> str:
        if not isinstance(value, str) or not is_accepted(value):
            raise ValueError(f"The name {shown(value)} is not accepted: it must be {accepted}.")
        return value

    return Kind(STRING, str, check)


def is_index_prefix(name: str) -> bool:
    return name.endswith("_") and is_made_of(name[:-1], ALPHANUMERIC, "_-", 99)


def is_socket(name: str) -> bool:
    return name.endswith(SOCKET_SUFFIX) and is_made_of(name[: -len(SOCKET_SUFFIX)], ALPHANUMERIC, "-", 60)


def own_name(meaning: str, is_accepted: Callable[[str], bool], accepted: str, *, place: bool = False) -> Any:
    """Declare a name of a site, which is derived where none is pinned."""
    return key(name_kind(is_accepted, accepted), meaning, default_text="derived", required=True, own=True, place=place)


@frozen
class Names(Frozen):
    """
    A site's names: Postgres ``database`` and ``role``, S3 ``bucket``, cache ``key_prefix``, search
    ``index_prefix`` and the file name of its ``socket``. Raises ConfigurationError when one is not usable.
    """

    database: str = own_name(
        "The PostgreSQL database.",
        lambda name: is_made_of(name, WORD, "-", DATABASE_LENGTH),
        f"1 to {DATABASE_LENGTH} letters A-Z and a-z, digits, '_' and '-', the first no '-'",
    )
    role: str = own_name(
        "The PostgreSQL role.",
        lambda name: is_made_of(name, WORD, "-", ROLE_LENGTH),
        f"1 to {ROLE_LENGTH} letters A-Z and a-z, digits, '_' and '-', the first no '-'",
    )
    bucket: str = own_name(
        "The S3 bucket.",
        lambda name: is_bucket(name) and "." not in name,
        f"3 to {BUCKET_LENGTH} letters a-z, digits and '-', with no '-' at either end",
    )
    key_prefix: str = own_name(
        "The prefix of cache keys.",
        lambda name: is_made_of(name, ALPHANUMERIC, ".-", KEY_PREFIX_LENGTH),
        f"1 to {KEY_PREFIX_LENGTH} letters a-z, digits, '.' and '-', the first a letter or a digit",
        place=True,
    )
    index_prefix: str = own_name(
        "The prefix of search indexes.",
        is_index_prefix,
        "at most 99 letters a-z, digits, '_' and '-', the first a letter or a digit, and then '_'",
        place=True,
    )
    socket: str = own_name(
        "The file name of the unix socket.",
        is_socket,
        f"1 to 60 letters a-z, digits and '-', the first no '-', and then '{SOCKET_SUFFIX}'",
    )

    def __post_init__(self) -> None:
        raise_problems(name_problems(self))


def name_problems(names: Names) -> Iterator[Problem]:
    yield from declared_problems(names)
    if isinstance(names.bucket, str) and is_bucket(names.bucket) and is_reserved_bucket(names.bucket):
        yield Problem("bucket", f"The name {shown(names.bucket)} is not accepted: S3 reserves its start or its end.")


def is_bucket(name: str) -> bool:
    """Return whether S3 accepts ``name`` as that of a bucket, reserved ones included."""
    ends = {name[:1], name[-1:]}
    is_spelled = 3 <= len(name) <= BUCKET_LENGTH and LDH.union(".").issuperset(name) and ALPHANUMERIC.issuperset(ends)
    return is_spelled and ".." not in name and ".-" not in name


def is_reserved_bucket(name: str) -> bool:
    return name.startswith(BUCKET_PREFIXES) or name.endswith(BUCKET_SUFFIXES)


def derive_names(platform: str, site: str) -> Names:
    """Return the names of the site id ``site`` on the platform named ``platform``."""
    identifier = shorten(f"{platform}__{site}".replace("-", "_"), DATABASE_LENGTH, "_")
    bucket = shorten(f"{platform}--{site}", BUCKET_LENGTH, "-")
    return Names(
        database=identifier,
        role=identifier,
        bucket=shorten_by_hash(bucket, BUCKET_LENGTH, "-") if bucket.endswith(BUCKET_SUFFIXES) else bucket,
        key_prefix=f"{platform}.{site}",
        index_prefix=f"{platform}_{site}_",
        socket=f"{site}.sock",
    )


def successor_names(platform: str, site: str, uid: UUID) -> Names:
    """
    Return names for the holder ``uid`` of a site id whose derived names belong to another. No id has two hyphens in a
    row, so no other site has these names, and none of their prefixes is in the range of another site's.
    """
    derived, mark = derive_names(platform, site), uid.hex[:MARK_LENGTH]
    identifier = f"{shorten(derived.database, DATABASE_LENGTH - MARK_LENGTH - 2, '_')}__{mark}"
    return Names(
        database=identifier,
        role=identifier,
        bucket=f"{shorten(derived.bucket, BUCKET_LENGTH - MARK_LENGTH - 2, '-')}--{mark}",
        key_prefix=f"{derived.key_prefix}--{mark}",
        index_prefix=f"{derived.index_prefix.removesuffix('_')}--{mark}_",
        socket=f"{derived.socket.removesuffix(SOCKET_SUFFIX)}--{mark}{SOCKET_SUFFIX}",
    )


def shorten(name: str, length: int, separator: str) -> str:
    return name if len(name) <= length else shorten_by_hash(name, length, separator)


def shorten_by_hash(name: str, length: int, separator: str) -> str:
    digest = hashlib.sha256(name.encode()).hexdigest()[:10]
    return f"{name[: length - 11].rstrip(separator)}{separator}{digest}"
