"""How the servers in front of the sites are set up: options of the emitters, with the defaults of Debian."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.validation import parse_path, parse_template, problem_of, refuse

UwsgiBuild: TypeAlias = Literal["pyuwsgi", "debian"]
UWSGI_BUILDS: tuple[UwsgiBuild, ...] = ("pyuwsgi", "debian")

LISTEN = re.compile(r"(?:(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|\[[0-9A-Fa-f:]+\]|\*):)?[0-9]{1,5}|unix:/[A-Za-z0-9._/@+-]+")
HTTP_ADDRESS = re.compile(r"(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}):[0-9]{1,5}")
SIZE = re.compile(r"[0-9]{1,6}[kmg]?")
USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
CERTIFICATE_FIELDS = frozenset({"hostname", "site"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSpec:
    """
    Where the front server finds certificates: the paths of ``certificate`` (the chain, PEM) and ``key``.
    ``{hostname}`` and ``{site}`` stand for a name's own.
    """

    certificate: str
    key: str

    def __post_init__(self) -> None:
        refuse(tls_problems(self))


def tls_problems(tls: TlsSpec) -> Iterator[Problem]:
    for key in ("certificate", "key"):
        value = getattr(tls, key)
        yield from problem_of(key, parse_template, value, fields=CERTIFICATE_FIELDS)
        yield from problem_of(key, lambda text: str(parse_path(Path(text))), value)


@dataclass(frozen=True, slots=True, kw_only=True)
class NginxOptions:
    """
    ``http`` and ``https``: addresses to listen on, in nginx's own form. ``user``: who runs the workers,
    when nginx is started by root. ``pid`` file, ``logs`` folder, ``temp`` folder for request bodies,
    ``mime_types`` file; ``body_size``: the largest request body, in bytes or with k, m or g.
    """

    http: tuple[str, ...] = ("80", "[::]:80")
    https: tuple[str, ...] = ("443", "[::]:443")
    user: str = "www-data"
    pid: Path = Path("/run/nginx.pid")
    logs: Path = Path("/var/log/nginx")
    temp: Path = Path("/var/lib/nginx")
    mime_types: Path = Path("/etc/nginx/mime.types")
    body_size: str = "20m"

    def __post_init__(self) -> None:
        refuse(nginx_problems(self))


def nginx_problems(options: NginxOptions) -> Iterator[Problem]:
    for key in ("http", "https"):
        for address in getattr(options, key):
            if not LISTEN.fullmatch(address):
                yield Problem(key, f"The address {shown(address)} is not accepted: write 80, 127.0.0.1:80 or [::]:80.")
    if not options.http:
        yield Problem("http", "At least one address is needed.")
    for key in ("pid", "logs", "temp", "mime_types"):
        yield from problem_of(key, parse_path, getattr(options, key))
    yield from matching("user", options.user, USER)
    yield from matching("body_size", options.body_size, SIZE)


@dataclass(frozen=True, slots=True, kw_only=True)
class UwsgiOptions:
    """
    ``build``: ``pyuwsgi`` (the wheel from PyPI) or ``debian``. ``processes`` and ``threads`` of a site,
    ``harakiri`` (seconds that a request may take), ``max_requests`` after which a worker is replaced.
    ``http``: an address (127.0.0.1:8000) at which uWSGI serves the sites itself, without nginx.
    """

    build: UwsgiBuild = "pyuwsgi"
    processes: int = 2
    threads: int = 1
    harakiri: int = 60
    max_requests: int = 5000
    http: str = ""

    def __post_init__(self) -> None:
        refuse(uwsgi_problems(self))


def uwsgi_problems(options: UwsgiOptions) -> Iterator[Problem]:
    if options.build not in UWSGI_BUILDS:
        yield Problem("build", f"The build {shown(options.build)} is not known; accepted: {', '.join(UWSGI_BUILDS)}.")
    for key, most in (("processes", 256), ("threads", 256), ("harakiri", 86_400), ("max_requests", 10_000_000)):
        if not 1 <= getattr(options, key) <= most:
            yield Problem(key, f"The number {getattr(options, key)} is not accepted: it must be 1 to {most}.")
    if options.http:
        yield from matching("http", options.http, HTTP_ADDRESS)


def matching(key: str, value: str, pattern: re.Pattern[str]) -> Iterator[Problem]:
    if not pattern.fullmatch(value):
        yield Problem(key, f"The value {shown(value)} is not accepted: it must match {pattern.pattern}.")
