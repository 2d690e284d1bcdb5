"""What cache a site has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.frozen import Frozen, frozen
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.validation import parse_port, parse_printable, parse_server_host, problem_of, refuse

CacheBackend: TypeAlias = Literal["locmem", "redis"]


@frozen
class CacheSpec(Frozen):
    """
    A cache: ``locmem`` (in the process, no fields) or ``redis`` with ``host`` (or the path of its unix
    socket), ``port``, database ``number``, and ``username`` and ``password`` where Redis asks for them.
    """

    backend: CacheBackend
    host: str = ""
    port: int = 6379
    number: int = 0
    username: str = ""
    password: Secret | None = None
    tls: bool = False

    def __post_init__(self) -> None:
        refuse(cache_problems(self))


def cache_problems(cache: CacheSpec) -> Iterator[Problem]:
    if cache.backend == "locmem":
        for key in ("host", "username", "password", "tls", "number"):
            if getattr(cache, key):
                yield Problem(key, "A locmem cache takes no other key.")
        return
    if cache.backend != "redis":
        yield Problem("backend", f"The cache backend {shown(cache.backend)} is not known; accepted: locmem, redis.")
        return
    yield from problem_of("host", parse_server_host, cache.host)
    yield from problem_of("port", parse_port, cache.port)
    if cache.number < 0:
        yield Problem("number", f"The Redis database number {cache.number} is not accepted: it must be 0 or more.")
    if cache.username:
        yield from problem_of("username", parse_printable, cache.username, what="The username")
    if cache.tls and cache.host.startswith("/"):
        yield Problem("tls", "A Redis server on a unix socket has no TLS.")
