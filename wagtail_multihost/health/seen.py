"""What one request may see of the health, in the terms that all formats share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from wagtail_multihost.health.probe import Outcome
from wagtail_multihost.health.report import ProbeResult, Report
from wagtail_multihost.health.status import Status

TEXT = "text/plain; charset=utf-8"
WORDS = ("pass", "warn", "fail", "draining", "starting", "stale")
UP = frozenset({"pass", "warn"})
LABEL_LENGTH = 253


class Health(NamedTuple):
    """
    What a format writes. ``word`` is one of :data:`WORDS`: ``pass``, ``warn``, ``fail``, or the reason for not being
    ready. Who may not see ``details`` is written nothing but the word: there is no ``report``, ``site``, ``service`` or
    ``version`` then, so that no format can show any. ``site`` is the only site to write about, blank for all. ``now``
    is a reading of the sampler's clock. ``subjects`` is whether metrics are labelled with what probes look at.
    """

    word: str
    report: Report | None
    details: bool
    now: float
    prefix: str
    site: str = ""
    service: str = ""
    version: str = ""
    subjects: bool = False

    @property
    def is_up(self) -> bool:
        return self.word in UP

    @property
    def age(self) -> float | None:
        """How old the report is, in seconds; None without one."""
        return max(0.0, self.now - self.report.made) if self.report else None

    @property
    def sites(self) -> Mapping[str, Status]:
        """The status of each site to write about."""
        sites = self.report.sites if self.report else {}
        return {site: status for site, status in sites.items() if self.site in ("", site)}

    @property
    def results(self) -> tuple[ProbeResult, ...]:
        """
        What to write. About one site: its own results, and of what it shares with others only the codes, which say
        nothing about them.
        """
        results = self.report.results if self.report else ()
        if not self.site:
            return tuple(map(make_printable, results))
        return tuple(
            make_printable(result) if result.entry.site else without_details(make_printable(result))
            for result in results
            if result.entry.site in ("", self.site)
        )

    def age_of(self, result: ProbeResult) -> float:
        """Return how long ago a result was found, in seconds."""
        return max(0.0, self.now - result.ended)


def make_printable(result: ProbeResult) -> ProbeResult:
    """Return ``result`` with texts that cannot break any format, and numbers that all of them have."""
    return result._replace(outcomes=tuple(map(clean_outcome, result.outcomes)))


def clean_outcome(outcome: Outcome) -> Outcome:
    status, code, value, unit, subject = outcome
    known = finite_number(value)
    return Outcome(
        status, clean_label(code), known, clean_label(unit) if known is not None else "", clean_label(subject)
    )


def finite_number(value: object) -> float | None:
    try:
        found = float(value) if isinstance(value, int | float) else math.nan
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def clean_label(text: object) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in str(text)[:LABEL_LENGTH])


def without_details(result: ProbeResult) -> ProbeResult:
    """Return ``result`` without what was observed, and on what."""
    codes = dict.fromkeys(Outcome(outcome.status, outcome.code) for outcome in result.outcomes)
    return result._replace(outcomes=tuple(codes))
