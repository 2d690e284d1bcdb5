"""The part of the health that one request may see, in the terms that all formats share."""

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
    ready. Without ``details`` there is nothing but the word: no ``report``, ``site``, ``service`` or ``version``, so
    that no format can show any. ``site`` is the only site to write about, blank for all. ``now`` is the time by the
    sampler's clock. ``subjects`` says whether metrics are labelled with the subjects of probes, and ``paused`` whether
    the page for people is not to be loaded again by itself.
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
    paused: bool = False

    @property
    def is_up(self) -> bool:
        return self.word in UP

    @property
    def age(self) -> float | None:
        """The age of the report in seconds; None without one."""
        return max(0.0, self.now - self.report.made) if self.report else None

    @property
    def sites(self) -> Mapping[str, Status]:
        """The status of each site to write about."""
        sites = self.report.sites if self.report else {}
        return {site: status for site, status in sites.items() if self.site in ("", site)}

    @property
    def results(self) -> tuple[ProbeResult, ...]:
        """
        The results to write. For one site: its own results, and only the codes of what it shares with others, because
        values and subjects could say something about those.
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
        """Return the age of a result in seconds."""
        return max(0.0, self.now - result.ended)


def make_printable(result: ProbeResult) -> ProbeResult:
    """Return ``result`` with texts and numbers that every format can write."""
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
    """Return ``result`` without values and subjects."""
    codes = dict.fromkeys(Outcome(outcome.status, outcome.code) for outcome in result.outcomes)
    return result._replace(outcomes=tuple(codes))
