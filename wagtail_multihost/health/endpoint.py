"""The answer to each path, for middleware and wrappers alike, without any framework's requests or responses."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from wagtail_multihost.health.access import Access, Gate, HealthRequest
from wagtail_multihost.health.drain import Drain
from wagtail_multihost.health.options import HealthOptions
from wagtail_multihost.health.proof import Proves, prove_nothing
from wagtail_multihost.health.refreshing import HEADERS as REFRESH
from wagtail_multihost.health.refreshing import PAUSED
from wagtail_multihost.health.report import Report
from wagtail_multihost.health.seen import TEXT, UP, Health
from wagtail_multihost.health.status import Status

METHODS = ("GET", "HEAD")
DRAIN_METHODS = ("GET", "HEAD", "POST", "DELETE")
FORMATS = ("health", "health.json", "health.txt", "health.html", "health.rss", "metrics")

logger = logging.getLogger("wagtail_multihost.health")


class Answer(NamedTuple):
    """A response: ``status`` code, ``body``, ``content_type``, and ``headers`` in addition to those of all answers."""

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


class ReportSource(Protocol):
    """Where reports come from: see :class:`~wagtail_multihost.health.sampler.Sampler`."""

    def ask(self) -> Report | None: ...

    def wait(self, seconds: float) -> Report | None: ...

    def is_awaited(self) -> bool: ...


Writer = Callable[[Health], tuple[bytes, str]]
LIVE = Answer(200, b"pass")
FAILED = Answer(503, b"fail")


class Endpoint:
    """
    Answers the paths below ``options.prefix``. ``source`` has the reports and ``gate`` decides who sees details.
    ``service`` names the process (its site) and ``version`` returns the version of the code; both are details.
    ``prove`` shows a monitor that asks for it which site is ready, or is not.
    """

    def __init__(
        self,
        options: HealthOptions,
        source: ReportSource,
        gate: Gate,
        drain: Drain,
        *,
        sites: tuple[str, ...] = (),
        service: str = "",
        version: Callable[[], str] = str,
        prove: Proves = prove_nothing,
    ) -> None:
        self.options, self.source, self.gate, self.drain = options, source, gate, drain
        self.prefix = options.prefix
        self.sites, self.service, self.version, self.prove = sites, service, version, prove
        answers: dict[str, Callable[[HealthRequest], Answer]] = {
            "live": self.live,
            "startup": self.live,
            "ready": self.ready,
            "drain": self.answer_drain,
            **dict.fromkeys(FORMATS, self.health),
            **{f"site/{site}": self.site for site in sites},
        }
        self.routes = {f"{self.prefix}{name}{slash}": answer for name, answer in answers.items() for slash in ("", "/")}
        self.live_paths = frozenset(path for path, answer in self.routes.items() if answer == self.live)

    def answer(self, request: HealthRequest) -> Answer | None:
        """Return the answer to ``request``; None if its path is not the endpoint's."""
        route = self.routes.get(request.path)
        if route is None:
            if not request.path.startswith(f"{self.prefix}site/"):
                return None
            route = self.unknown_site
        allowed = DRAIN_METHODS if route == self.answer_drain else METHODS
        if request.method not in allowed:
            return Answer(405, b"", headers=(("Allow", ", ".join(allowed)),))
        try:
            return route(request)
        except Exception:  # the client learns that something is wrong, and never what
            logger.exception("The health endpoint cannot answer %s.", request.path)
            return FAILED

    def must_wait(self, request: HealthRequest) -> bool:
        """Return whether the answer to ``request`` must wait for a first report; a refused one starts no probes."""
        route = self.routes.get(request.path)
        if request.method not in METHODS or route not in (self.ready, self.health, self.site):
            return False
        try:
            if route != self.ready and self.gate.access(request) is Access.REFUSED:
                return False
            return self.source.is_awaited()
        except Exception:  # answer() runs into it again, and logs it
            return False

    def live(self, request: HealthRequest) -> Answer:
        return LIVE

    def ready(self, request: HealthRequest) -> Answer:
        word = self.status_word(self.report())
        status = 200 if word in UP else 503
        return Answer(status, word.encode(), headers=self.prove(request, status))

    def health(self, request: HealthRequest) -> Answer:
        return self.write_report(request, "")

    def site(self, request: HealthRequest) -> Answer:
        return self.write_report(request, request.path.removeprefix(self.prefix).split("/")[1])

    def unknown_site(self, request: HealthRequest) -> Answer:
        return REFUSED if self.gate.access(request) is Access.REFUSED else Answer(404, b"unknown site")

    def write_report(self, request: HealthRequest, site: str) -> Answer:
        access = self.gate.access(request)
        if access is Access.REFUSED:
            return REFUSED
        from wagtail_multihost.health.formats import find_form  # loads only if it is needed

        health = self.visible_health(access, site)._replace(paused=request.query == PAUSED)
        form = find_form("site" if site else request.path.removeprefix(self.prefix).rstrip("/"), request.accept)
        body, content_type = form.write(health)
        status = form.status or (200 if health.is_up or not form.tells_by_code else 503)
        refresh = REFRESH if form.refreshes and health.details and not health.paused else ()
        return Answer(status, body, content_type, (*SEEN_HEADERS, *form.headers, *refresh))

    def visible_health(self, access: Access, site: str) -> Health:
        """Return the health as ``access`` may see it."""
        report, now = self.report(), time.monotonic()
        word = self.status_word(report, site)
        if access is not Access.DETAILS:
            return Health(word, None, False, now, self.prefix)
        options = self.options
        return Health(
            word, report, True, now, self.prefix, site, self.service, self.version(), options.metrics_subjects
        )

    def answer_drain(self, request: HealthRequest) -> Answer:
        """Show, start (POST) or end (DELETE) the drain; changing it needs a token, even from the networks."""
        if request.method in METHODS:
            if self.gate.access(request) is Access.REFUSED:
                return REFUSED
            return Answer(200, b"draining" if self.drain.is_on() else b"serving")
        if not self.gate.has_token(request):
            return REFUSED
        try:
            return self.change_drain(request.method)
        except OSError:
            logger.exception("The drain file cannot be written or removed.")
            return Answer(503, b"cannot drain" if request.method == "POST" else b"cannot serve")

    def change_drain(self, method: str) -> Answer:
        if method == "POST":
            self.drain.begin()
            return Answer(200, b"draining")
        self.drain.end()
        return Answer(200, b"serving")

    def report(self) -> Report | None:
        return self.source.wait(self.options.budget / 1000)

    def status_word(self, report: Report | None, site: str = "") -> str:
        """Return the status word of the process, or of ``site``."""
        if not site and self.drain.is_on():
            return "draining"
        if report is None:
            return "starting"
        if time.monotonic() > report.fresh_until:
            return "stale"
        return str(report.sites.get(site, Status.FAIL) if site else report.status)


# A browser must neither guess another type nor show a cached page with details to somebody without a token.
SEEN_HEADERS = (("Vary", "Accept, Authorization"), ("X-Content-Type-Options", "nosniff"))
REFUSED = Answer(401, b"unauthorized", headers=(("WWW-Authenticate", 'Bearer realm="health"'),))
