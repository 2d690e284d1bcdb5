"""application/health+json (https://datatracker.ietf.org/doc/html/draft-inadarei-api-health-check-06)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

from wagtail_multihost.health.probe import Outcome
from wagtail_multihost.health.report import ProbeResult
from wagtail_multihost.health.seen import Health

CONTENT_TYPE = "application/health+json"
#: No probe has a measurement of this name, because they are named by their unit.
SITES = "site:health"


def write(health: Health) -> tuple[bytes, str]:
    """Return the body and its content type."""
    return json.dumps(make_document(health), indent=2, allow_nan=False).encode(), CONTENT_TYPE


def make_document(health: Health) -> dict[str, object]:
    """
    Return the body. ``status`` is one of the draft's three words; if a process is not ready for another reason than a
    probe, ``output`` names it. ``ageSeconds`` and ``durationSeconds`` are not in the draft.
    """
    is_known = health.word in ("pass", "warn", "fail")
    body: dict[str, object] = {"status": health.word if is_known else "fail"}
    if not is_known:
        body["output"] = health.word
    if health.details:
        body |= {"version": "1", "releaseId": health.version}
        body |= {"serviceId": health.service} if health.service else {}
        body |= {"description": "The health of a process and of the sites that it answers for."}
        body |= {"ageSeconds": round_seconds(health.age)} if health.age is not None else {}
        body |= {"checks": list_checks(health)}
    return body


def list_checks(health: Health) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = {}
    for site, status in health.sites.items():
        found.setdefault(SITES, []).append({"componentId": site, "componentType": "system", "status": str(status)})
    for result in health.results:
        for outcome in result.outcomes:
            name = f"{result.entry.name}:{outcome.unit}" if outcome.unit else result.entry.name
            found.setdefault(name, []).append(dict(check_members(health, result, outcome)))
    return found


def check_members(health: Health, result: ProbeResult, outcome: Outcome) -> Iterator[tuple[str, object]]:
    """Yield the members of one check; those without a value are left out."""
    identity = "/".join(filter(None, (result.entry.site or health.service, result.entry.name, outcome.subject)))
    yield "componentId", identity
    yield "componentType", result.entry.probe.component
    if outcome.value is not None:
        yield "observedValue", outcome.value
        yield "observedUnit", outcome.unit
    yield "status", str(outcome.status)
    yield "time", rfc3339_time(result.time)
    yield "output", outcome.code
    yield "criticality", result.entry.probe.criticality.value
    yield "ageSeconds", round_seconds(health.age_of(result))
    yield "durationSeconds", round_seconds(result.duration)


def rfc3339_time(epoch: float) -> str:
    """Return the time in the format of RFC 3339."""
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def round_seconds(value: float) -> float:
    return round(value, 3)
