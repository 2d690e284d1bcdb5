"""What cache a site has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.declared import declared_problems
from wagtail_multihost.spec.declared import key as declare
from wagtail_multihost.spec.frozen import Frozen, frozen
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.kinds import PORT, SECRET, SERVER_HOST, SITE_PATH, SWITCH, USERNAME, choice, integer
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.validation import raise_problems

CacheBackend: TypeAlias = Literal["locmem", "redis"]
REDIS = ("redis",)
#: What of the server's certificate is verified: the authority and the name, the authority alone, or nothing.
VERIFIED = ("full", "authority", "none")


@frozen
class CacheSpec(Frozen):
    """
    A cache: ``locmem`` (in the process, no fields) or ``redis`` with ``host`` (or the path of its unix socket),
    ``port``, database ``number``, and ``username`` and ``password`` where Redis asks for them. With ``tls``,
    ``authority`` is who signed the server's certificate, ``certificate`` and ``key`` are the client's, and ``verify``
    says how much is verified. ``timeout`` is in seconds.
    """

    backend: CacheBackend = declare(
        choice(*get_args(CacheBackend), what="cache backend"),
        "In the process, or in a Redis server.",
        unless_stated="locmem",
        selects=True,
        place=True,
    )
    host: str = declare(SERVER_HOST, "The server.", "", of=REDIS, required=True, place=True)
    port: int = declare(PORT, "The server's port.", 6379, of=REDIS, place=True)
    number: int = declare(
        integer(0, what="Redis database number"),
        "The number of the database in the server.",
        0,
        of=REDIS,
        place=True,
    )
    username: str = declare(USERNAME, "The user in the server's access list.", "", of=REDIS)
    password: Secret | None = declare(
        SECRET,
        "The user's password.",
        None,
        of=REDIS,
        invalidates=(
            "Nothing: cached entries and sessions in the cache stay. A user of Redis may have two passwords at a time.",
        ),
    )
    tls: bool = declare(SWITCH, "Whether the connection is encrypted.", False, of=REDIS)
    authority: Path | None = declare(
        SITE_PATH,
        "The certificates, PEM, of those who may have signed the server's. Nobody else is trusted then.",
        None,
        default_text="the project's, or the system's",
        of=REDIS,
        who="node",
    )
    certificate: Path | None = declare(
        SITE_PATH, "The client's certificate, PEM, where the server asks for one.", None, of=REDIS, who="node"
    )
    key: Path | None = declare(
        SITE_PATH,
        "Its key, PEM, without a password.",
        None,
        of=REDIS,
        who="node",
        invalidates=("Nothing that is stored. Open connections stay; new ones show the new certificate.",),
    )
    verify: str = declare(
        choice(*VERIFIED),
        "What of the server's certificate is verified: the authority and the name, the authority alone, or nothing.",
        "",
        default_text='the project\'s, or `"full"`',
        of=REDIS,
    )
    timeout: int | None = declare(
        integer(1, 300, unit="seconds", what="timeout"),
        "How long a connection, and then each answer, may take.",
        None,
        default_text="the project's, or `5`",
        of=REDIS,
    )

    def __post_init__(self) -> None:
        raise_problems(cache_problems(self))


def cache_problems(cache: CacheSpec) -> Iterator[Problem]:
    yield from declared_problems(cache)
    if cache.tls and cache.host.startswith("/"):
        yield Problem("tls", "A Redis server on a unix socket has no TLS.")
    stated = {name: getattr(cache, name) for name in ("authority", "certificate", "key", "verify")}
    for name, value in stated.items():
        if value and not cache.tls and cache.backend == "redis":
            yield Problem(name, "It is of TLS only: state tls = true, or write rediss:// in the place of redis://.")
    if bool(cache.certificate) != bool(cache.key):
        yield Problem("certificate", "A client's certificate and its key belong together: certificate and key.")
    if cache.verify == "none" and cache.authority:
        yield Problem("verify", f"It is none, so the authority {shown(str(cache.authority))} is asked for nothing.")
