"""How uWSGI is configured: options of its emitter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias, get_args

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.kinds import SWITCH, choice, integer
from wagtail_multihost.spec.options import (
    OPTIONAL_SIZE,
    Options,
    option,
    text,
)

UwsgiBuild: TypeAlias = Literal["pyuwsgi", "debian"]
UWSGI_BUILDS: tuple[UwsgiBuild, ...] = get_args(UwsgiBuild)
CGROUP_FORM = re.compile(r"/[A-Za-z0-9._/{}@-]{1,200}")
CGROUP_WANTED = "be an absolute path of letters, digits, '.', '_', '/', '@', '-' and {site}, at most 201 characters"
HTTP_ADDRESS = re.compile(r"(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}):[0-9]{1,5}")


@dataclass(frozen=True, slots=True, kw_only=True)
class UwsgiOptions(Options):
    """The options of uWSGI."""

    target: ClassVar[str] = "uwsgi"

    build: UwsgiBuild = option(
        "pyuwsgi", choice(*UWSGI_BUILDS), "The wheel from PyPI, 2.0.29 or later, or Debian's packages."
    )
    http: str = option(
        "",
        text("IPv4 address and port", HTTP_ADDRESS, wanted="be such as 127.0.0.1:8000", optional=True),
        "Where uWSGI serves the sites itself, without nginx.",
        who="node",
    )
    processes: int = option(2, integer(1, 256), "Workers of each site.", per_site=True)
    threads: int = option(1, integer(1, 256), "Threads of each worker.", per_site=True)
    harakiri: int = option(
        60,
        integer(1, 86_400),
        "How long, in seconds, a request may take, and a reload waits for one.",
        per_site=True,
        front=True,
    )
    max_requests: int = option(
        5000, integer(1, 10_000_000), "After how many requests a worker is replaced.", per_site=True
    )
    max_requests_delta: int = option(
        0,
        integer(0, 1_000_000),
        "What is added to `max_requests` for each further worker, so that they are not replaced at the same time. "
        "The wheel only: Debian's 2.0.21 does not know it.",
        per_site=True,
    )
    cheaper: int = option(
        0, integer(0, 255), "How many workers are left while there is little to do; 0: all of them.", per_site=True
    )
    on_demand: bool = option(
        False, SWITCH, "Whether the site starts with its first request and stops after `idle` seconds.", per_site=True
    )
    idle: int = option(
        600,
        integer(1, 10_000_000),
        "After how many seconds without a request an `on_demand` site stops.",
        per_site=True,
    )
    memory: str = option("", OPTIONAL_SIZE, "How much address space a process of the site may have.", per_site=True)
    rss: str = option(
        "", OPTIONAL_SIZE, "Above how much resident memory a worker is replaced after its request.", per_site=True
    )
    tasks: int = option(
        0,
        integer(0, 4_194_304),
        "How many processes and threads a site may have in all, where sites have accounts of their own; 0: 256 there.",
        per_site=True,
    )
    cgroup: str = option(
        "",
        text("path, `{site}` in it", CGROUP_FORM, wanted=CGROUP_WANTED, optional=True),
        "An existing control group that a site's processes are put into, where sites have accounts of their own.",
        who="node",
    )
    stats: bool = option(
        False, SWITCH, "Whether each site has a socket of statistics, `uwsgi.stats` in its folder of temporary files."
    )
    freeze: bool = option(
        True, SWITCH, "Whether workers go on sharing what was loaded before they started with the master (`gc.freeze`)."
    )
    backlog: int = option(
        100,
        integer(1, 65_535),
        "How many connections wait at a site's socket; at most `net.core.somaxconn`. "
        "Sockets of `on_demand` sites have the platform's.",
        per_site=True,
    )

    def problems(self) -> Iterator[Problem]:
        yield from Options.problems(self)
        if self.cheaper and self.cheaper >= self.processes:
            yield Problem("cheaper", f"It must be less than processes, which is {self.processes}.")
        if self.max_requests_delta and self.build == "debian":
            yield Problem("max_requests_delta", "Debian's uWSGI does not have it (2.0.29 does): leave it out.")
