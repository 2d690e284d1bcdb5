"""What cache a site has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias, get_args

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.declared import declared_problems, key
from wagtail_multihost.spec.frozen import Frozen, frozen
from wagtail_multihost.spec.kinds import PORT, SECRET, SERVER_HOST, SWITCH, USERNAME, choice, integer
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.validation import raise_problems

CacheBackend: TypeAlias = Literal["locmem", "redis"]
REDIS = ("redis",)


@frozen
class CacheSpec(Frozen):
    """
    A cache: ``locmem`` (in the process, no fields) or ``redis`` with ``host`` (or the path of its unix
    socket), ``port``, database ``number``, and ``username`` and ``password`` where Redis asks for them.
    """

    backend: CacheBackend = key(
        choice(*get_args(CacheBackend), what="cache backend"),
        "In the process, or in a Redis server.",
        unless_stated="locmem",
        selects=True,
        place=True,
    )
    host: str = key(SERVER_HOST, "The server.", "", of=REDIS, required=True, place=True)
    port: int = key(PORT, "The server's port.", 6379, of=REDIS, place=True)
    number: int = key(
        integer(0, what="Redis database number"),
        "The number of the database in the server.",
        0,
        of=REDIS,
        place=True,
    )
    username: str = key(USERNAME, "The user in the server's access list.", "", of=REDIS)
    password: Secret | None = key(
        SECRET,
        "The user's password.",
        None,
        of=REDIS,
        invalidates=(
            "Nothing: cached entries and sessions in the cache stay. A user of Redis may have two passwords at a time.",
        ),
    )
    tls: bool = key(SWITCH, "Whether the connection is encrypted.", False, of=REDIS)

    def __post_init__(self) -> None:
        raise_problems(cache_problems(self))


def cache_problems(cache: CacheSpec) -> Iterator[Problem]:
    yield from declared_problems(cache)
    if cache.tls and cache.host.startswith("/"):
        yield Problem("tls", "A Redis server on a unix socket has no TLS.")
