"""What is answered to which path, for middleware and wrappers alike: no framework's request or response is needed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from wagtail_multihost.health.access import Access, Gate, Question
from wagtail_multihost.health.drain import Drain
from wagtail_multihost.health.options import HealthOptions
from wagtail_multihost.health.report import Report
from wagtail_multihost.health.status import Status

METHODS = ("GET", "HEAD")
DRAIN_METHODS = ("GET", "HEAD", "POST", "DELETE")
TEXT = "text/plain; charset=utf-8"
FORMATS = ("health", "health.json", "health.txt", "health.html", "health.rss", "metrics")


class Answer(NamedTuple):
    """A response: ``status`` code, ``body``, ``content_type``, and ``headers`` besides those that all answers have."""

    status: int
    body: bytes
    content_type: str = TEXT
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def all_headers(self) -> list[tuple[str, str]]:
        return [
            ("Content-Type", self.content_type),
            ("Cache-Control", "no-store"),
            ("Content-Length", str(len(self.body))),
            *self.headers,
        ]


class Health(NamedTuple):
    """
    What a format writes. ``word`` is ``pass``, ``warn``, ``fail``, or the reason for not being ready: ``draining``,
    ``starting``, ``stale``. Without ``details`` nothing but the word may be shown. ``site`` is the only site to write
    about, blank for all. ``now`` is a reading of the sampler's clock.
    """

    word: str
    report: Report | None
    details: bool
    now: float
    prefix: str
    site: str = ""
    service: str = ""
    version: str = ""

    @property
    def is_up(self) -> bool:
        return self.word in UP


class Source(Protocol):
    """What reports come from: see :class:`~wagtail_multihost.health.sampler.Sampler`."""

    def ask(self) -> Report | None: ...

    def wait(self, seconds: float) -> Report | None: ...


UP = frozenset({"pass", "warn"})
Writer = Callable[[Health], tuple[bytes, str]]
LIVE = Answer(200, b"pass")


class Endpoint:
    """
    Answers the paths below ``options.prefix``. ``source`` has the reports, ``gate`` decides who sees details,
    ``service`` names the process (its site) and ``version`` the code, both for who may see details.
    """

    def __init__(
        self,
        options: HealthOptions,
        source: Source,
        gate: Gate,
        drain: Drain,
        *,
        sites: tuple[str, ...] = (),
        service: str = "",
        version: str = "",
    ) -> None:
        self.options, self.source, self.gate, self.drain = options, source, gate, drain
        self.prefix = options.prefix
        self.sites, self.service, self.version = sites, service, version
        answers: dict[str, Callable[[Question], Answer]] = {
            "live": self.live,
            "startup": self.live,
            "ready": self.ready,
            "drain": self.draining,
            **dict.fromkeys(FORMATS, self.health),
            **{f"site/{site}": self.site for site in sites},
        }
        self.routes = {f"{self.prefix}{name}{slash}": answer for name, answer in answers.items() for slash in ("", "/")}

    def answer(self, question: Question) -> Answer | None:
        """Return the answer to ``question``, None for a path that is not the endpoint's."""
        route = self.routes.get(question.path)
        if route is None:
            return self.unknown_site(question)
        allowed = DRAIN_METHODS if route == self.draining else METHODS
        if question.method not in allowed:
            return Answer(405, b"", headers=(("Allow", ", ".join(allowed)),))
        return route(question)

    def waits(self, path: str) -> bool:
        """Return whether the answer to ``path`` has to wait for a first report."""
        name = path.removeprefix(self.prefix).rstrip("/")
        return (name == "ready" or name in FORMATS or name.startswith("site/")) and self.source.ask() is None

    def live(self, question: Question) -> Answer:
        return LIVE

    def ready(self, question: Question) -> Answer:
        word = self.word(self.report())
        return Answer(200 if word in UP else 503, word.encode())

    def health(self, question: Question) -> Answer:
        return self.written(question, "")

    def site(self, question: Question) -> Answer:
        return self.written(question, question.path.removeprefix(self.prefix).split("/")[1])

    def unknown_site(self, question: Question) -> Answer | None:
        if not question.path.startswith(f"{self.prefix}site/"):
            return None
        if question.method not in METHODS:
            return Answer(405, b"", headers=(("Allow", ", ".join(METHODS)),))
        return Answer(404, b"unknown site")

    def written(self, question: Question, site: str) -> Answer:
        access = self.gate.access(question)
        if access is Access.REFUSED:
            return REFUSED
        from wagtail_multihost.health.formats import writer_of  # loads only for who asks for details

        report = self.report()
        health = Health(
            word=self.word(report, site),
            report=report,
            details=access is Access.DETAILS,
            now=time.monotonic(),
            prefix=self.prefix,
            site=site,
            service=self.service,
            version=self.version,
        )
        name = "health" if site else question.path.removeprefix(self.prefix).rstrip("/")
        body, content_type = writer_of(name, question.accept)(health)
        return Answer(200 if health.is_up else 503, body, content_type, (("Vary", "Accept, Authorization"),))

    def draining(self, question: Question) -> Answer:
        """Show, begin (POST) or end (DELETE) the drain; to change it a token is needed, wherever one asks from."""
        if question.method in METHODS:
            return Answer(200, b"draining" if self.drain.is_on() else b"serving")
        if not question.authorization or self.gate.access(question) is not Access.DETAILS:
            return REFUSED
        if question.method == "POST":
            self.drain.begin()
            return Answer(200, b"draining")
        self.drain.end()
        return Answer(200, b"serving")

    def report(self) -> Report | None:
        return self.source.wait(self.options.budget / 1000)

    def word(self, report: Report | None, site: str = "") -> str:
        """Return the status word of the process, or of ``site``."""
        if not site and self.drain.is_on():
            return "draining"
        if report is None:
            return "starting"
        if time.monotonic() > report.fresh_until:
            return "stale"
        return str(report.sites.get(site, Status.FAIL) if site else report.status)


REFUSED = Answer(401, b"unauthorized", headers=(("WWW-Authenticate", 'Bearer realm="health"'),))
