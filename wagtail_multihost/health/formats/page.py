"""A page for people in the style of Wagtail's admin: one file without scripts, which loads nothing else."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from django.template import Context, Engine

from wagtail_multihost.health.formats.meanings import meaning_of_code, meaning_of_word
from wagtail_multihost.health.formats.quantities import format_duration, format_quantity
from wagtail_multihost.health.refreshing import PAUSED, SECONDS
from wagtail_multihost.health.report import ProbeResult
from wagtail_multihost.health.seen import Health
from wagtail_multihost.health.status import Criticality, Status

CONTENT_TYPE = "text/html; charset=utf-8"
FOLDER = Path(__file__).resolve().parents[1] / "templates"
TEMPLATE = "wagtail_multihost/health/page.html"
STYLE = (FOLDER / "wagtail_multihost/health/page.css").read_text(encoding="utf-8")
STYLE_HASH = b64encode(sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = (("Content-Security-Policy", POLICY), ("Referrer-Policy", "no-referrer"), ("X-Frame-Options", "DENY"))
#: Independent of the project's template engines, loaders and directories, and, as all values are text, its settings.
ENGINE = Engine(dirs=[str(FOLDER)])
#: The look of each word.
TONES = {"pass": "pass", "warn": "warn", "fail": "fail", "draining": "warn", "starting": "warn", "stale": "fail"}

#: Why a failure may not affect the whole.
WEIGHTS = {
    Criticality.DEGRADED: "For the whole, it is a warning at most.",
    Criticality.INFORMATIVE: "For the whole, it does not count.",
}
#: Up to this number, all sites are shown in full.
MANY_SITES = 10


class OutcomeRow(NamedTuple):
    """An outcome of a probe."""

    name: str
    subject: str
    status: str
    code: str
    meaning: str
    weight: str
    observed: str
    age: str
    took: str


class Group(NamedTuple):
    """A site, or what all sites share. ``id`` is the anchor of its heading."""

    id: str
    title: str
    status: str
    rows: tuple[OutcomeRow, ...]


def write(health: Health) -> tuple[bytes, str]:
    """Return the body and its content type."""
    quiet = quiet_sites(health)
    context = Context(
        {
            "word": health.word,
            "tone": TONES[health.word],
            "meaning": meaning_of_word(health.word),
            "details": health.details,
            "subject": health.site or health.service,
            "version": health.version,
            "age": "" if health.age is None else format_duration(health.age),
            "made": utc_time(health.report.time) if health.report else "",
            "groups": make_groups(health, quiet),
            "quiet": quiet,
            "more": f"{len(quiet)} more sites",
            "style": STYLE,
            "paused": health.paused,
            "pause": PAUSED,
            "seconds": str(SECONDS),
        }
    )
    return ENGINE.get_template(TEMPLATE).render(context).encode(), CONTENT_TYPE


def quiet_sites(health: Health) -> list[str]:
    """Return the sites of which only the names are shown: if there are many, those without problems."""
    if len(health.sites) <= MANY_SITES:
        return []
    loud = {result.entry.site for result in health.results if result.status}
    return sorted(site for site, status in health.sites.items() if not status and site not in loud)


def make_groups(health: Health, quiet: Collection[str]) -> list[Group]:
    """Return a group for what all sites share, then the sites, the worst first."""
    hidden = frozenset(quiet)
    by_site: dict[str, list[ProbeResult]] = {}
    for result in health.results:
        by_site.setdefault(result.entry.site, []).append(result)
    shared = by_site.get("", [])
    status = max((result.weight for result in shared), default=Status.PASS)
    found = [Group("shared", "Shared by all sites", str(status), make_rows(health, shared))] if shared else []
    for site, status in sorted(health.sites.items(), key=lambda item: (-item[1], item[0])):
        if site not in hidden:
            found.append(Group(f"site-{len(found)}", site, str(status), make_rows(health, by_site.get(site, []))))
    return found


def make_rows(health: Health, results: Iterable[ProbeResult]) -> tuple[OutcomeRow, ...]:
    """Return a row for each outcome, the worst first."""
    pairs = [(result, outcome) for result in results for outcome in result.outcomes]
    return tuple(
        OutcomeRow(
            name=result.entry.name,
            subject=outcome.subject,
            status=str(outcome.status),
            code=outcome.code,
            meaning=meaning_of_code(result.entry.probe, outcome.code),
            weight=WEIGHTS.get(result.entry.probe.criticality, "") if outcome.status else "",
            observed=format_quantity(outcome.value, outcome.unit),
            age=format_duration(health.age_of(result)),
            took=format_duration(result.duration),
        )
        for result, outcome in sorted(pairs, key=lambda pair: -pair[1].status)
    )


def utc_time(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
