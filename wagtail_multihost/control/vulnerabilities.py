"""Taking over what an audit of packages has found: the JSON that pip-audit prints."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from django.db import transaction

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.models import Vulnerability
from wagtail_multihost.control.models.inventory import ADVISORY_LENGTH, SUMMARY_LENGTH
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.nodeapi.version_file import is_name, is_version, normalize_name
from wagtail_multihost.spec.printing import one_line

MOST_BYTES = 50_000_000
MOST_TEXTS = 20
NOT_ALLOWED = "Only an operator of the platform can take over what is known of vulnerabilities."
NO_AUDIT = "It is not what pip-audit prints with --format json: a list of dependencies."
Pair = tuple[str, str]


class Audit(NamedTuple):
    """What was ``audited``, and what was ``found``; so many dependencies were ``skipped``, or had no such form."""

    audited: frozenset[Pair]
    found: tuple[Vulnerability, ...]
    skipped: int


def parse_audit(data: bytes, where: str) -> Audit:
    """Return what an audit says; raises ConfigurationError for what is none."""
    try:
        document: Any = json.loads(data)
    except (ValueError, RecursionError):
        raise ConfigurationError.because(NO_AUDIT, where=where) from None
    # Before 2.5 it printed the list alone.
    rows = document.get("dependencies") if isinstance(document, Mapping) else document
    if not isinstance(rows, list):
        raise ConfigurationError.because(NO_AUDIT, where=where)
    audited: set[Pair] = set()
    found: dict[tuple[str, str, str], Vulnerability] = {}
    skipped = 0
    for row in rows:
        pair = pair_of(row)
        if pair is None:
            skipped += 1
            continue
        audited.add(pair)
        stated = row.get("vulns")
        for one in stated if isinstance(stated, list) else ():
            if isinstance(one, Mapping) and (advisory := text_of(one.get("id"), ADVISORY_LENGTH)):
                found[(*pair, advisory)] = make_row(pair, advisory, one)
    return Audit(frozenset(audited), tuple(found.values()), skipped)


def pair_of(row: object) -> Pair | None:
    if not isinstance(row, Mapping) or not isinstance(row.get("name"), str):
        return None
    name, version = normalize_name(row["name"]), row.get("version")
    return (name, str(version)) if is_name(name) and is_version(version) else None


def make_row(pair: Pair, advisory: str, stated: Mapping[str, Any]) -> Vulnerability:
    package, version = pair
    return Vulnerability(
        package=package,
        version=version,
        advisory=advisory,
        aliases=texts_of(stated.get("aliases"), ADVISORY_LENGTH),
        fixed_in=[text for text in texts_of(stated.get("fix_versions"), ADVISORY_LENGTH) if is_version(text)],
        summary=text_of(stated.get("description"), SUMMARY_LENGTH),
    )


def texts_of(stated: object, length: int) -> list[str]:
    texts = stated[:MOST_TEXTS] if isinstance(stated, list) else []
    return [text for one in texts if (text := text_of(one, length))]


def text_of(stated: object, length: int) -> str:
    return one_line(stated[:length])[:length] if isinstance(stated, str) else ""


def save_audits(authority: Authority, audits: Iterable[Audit]) -> None:
    """
    Keep what audits have found. Of what they have audited, nothing else is known afterwards; of the rest, what was
    known before.
    """
    if not authority.may_operate:
        raise ConfigurationError.because(NOT_ALLOWED)
    with transaction.atomic():
        for audit in audits:
            known = Vulnerability.objects.filter(package__in={package for package, _ in audit.audited})
            former = [row.pk for row in known if (row.package, row.version) in audit.audited]
            Vulnerability.objects.filter(pk__in=former).delete()
            Vulnerability.objects.bulk_create(audit.found, batch_size=500)
