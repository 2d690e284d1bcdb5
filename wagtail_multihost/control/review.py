"""Whether what is drafted may be: rights, the rules of records, and what only one site may have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import ClashError, NotAllowedError, UnconfirmedError
from wagtail_multihost.control.claims import KEPT, Clash, Row, find_clashes, rows_of_names, rows_of_site
from wagtail_multihost.control.declared_keys import PINS, Table, who_may_change
from wagtail_multihost.control.differences import Difference
from wagtail_multihost.control.drafts import NEEDS_CHANGE, OPERATORS, SUSPENDED, Draft
from wagtail_multihost.control.edits import normalize_hostname
from wagtail_multihost.control.models import CHANGE, OPERATE, VIEW, HeldName, ManagedSite, Platform, Verification
from wagtail_multihost.control.ownership import proof_is_valid
from wagtail_multihost.control.placing.rules import replica_problems, unknown_group_problems
from wagtail_multihost.control.records import (
    ControlSource,
    read_platform_record,
    read_site_record,
    refused_problems,
)
from wagtail_multihost.control.texts import REFUSED, TOO_LONG, is_too_long, unkept_texts
from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.registry.claims import UNSHOWN
from wagtail_multihost.registry.watch import Watch, watch_nothing
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.site import SiteSpec

#: What who operates a site may change of it, beside what its people may.
OPERATED = frozenset({"enabled", "state"})
HOSTS = frozenset({"hostnames", "aliases"})
OF_SUSPENSION = "Only an operator of the platform may suspend the site, or end that."
UNPROVEN = "It is not proven that {hosts} belongs to the people of this site: prove it first."
NEVER = "It never changes."
#: The share of the enabled sites that may stop at once without being confirmed, and a number that always may.
SHARE_SETTING, SHARE, ALWAYS = "MULTIHOST_CONTROL_CONFIRM_SHARE", 0.1, 1


class Reviewed(NamedTuple):
    """A draft that may be written, with the claims of its site; None where they stay as they are."""

    draft: Draft
    rows: tuple[Row, ...] | None


def review_drafts(
    authority: Authority, drafts: Sequence[Draft], confirmed: int | None, watch: Watch = watch_nothing
) -> list[Reviewed]:
    """
    Return the drafts with their claims; those of every other site too where the platform changes what they are.
    Raises ConfigurationError with all problems, or that class's NotAllowedError, and UnconfirmedError.
    """
    if problems := [problem for draft in drafts for problem in text_problems(draft)]:
        raise ConfigurationError(problems)
    if problems := [problem for draft in drafts for problem in right_problems(authority, draft)]:
        raise NotAllowedError(problems)
    problems = [problem for draft in drafts for problem in (*pin_problems(draft), *record_problems(draft))]
    problems += unknown_group_problems((draft.identifier, draft.before, draft.after) for draft in drafts if draft.row)
    if problems:
        raise ConfigurationError(problems)
    refuse_unconfirmed(authority, drafts, confirmed)
    specs = read_drafts(drafts, watch)
    claimed = {uid: rows_of_site(spec) for uid, spec in specs.items()}
    claimed |= {uid: rows_of_names(uid, names) for uid, names in names_of_removed(drafts)}
    rows = [row for found in claimed.values() for row in found]
    identifiers = {draft.uid: draft.identifier for draft in drafts if draft.uid}
    clashes = find_clashes(rows, list(claimed))
    if clashes:
        known = {**{uid: spec.id for uid, spec in specs.items()}, **identifiers}
        raise ClashError(clash_problems(authority, clashes, known))
    reviewed = [Reviewed(draft, claimed.pop(draft.uid, None) if draft.uid else None) for draft in drafts]
    rest = [Reviewed(Draft(ManagedSite(uid=uid), {}, {}), found) for uid, found in claimed.items()]
    return [*(kept_claims(one) if one.draft.is_retired and not one.draft.is_new else one for one in reviewed), *rest]


def names_of_removed(drafts: Iterable[Draft]) -> Iterator[tuple[UUID, Table]]:
    """Yield the uid and the names of each site that was removed before it is written down."""
    for draft in drafts:
        if draft.uid is not None and draft.is_new and draft.is_retired:
            yield draft.uid, draft.after["names"]


def text_problems(draft: Draft) -> Iterator[Problem]:
    """Yield a problem for each text that no database keeps."""
    path = ("sites", draft.identifier) if draft.row else ("platform",)
    for place in unkept_texts(draft.after):
        yield Problem(ControlSource().label((*path, *place)), REFUSED, draft.identifier)


def right_problems(authority: Authority, draft: Draft) -> Iterator[Problem]:
    """Yield a problem for each key that may not be changed by who asks."""
    row = draft.row
    if row is None or draft.is_new or draft.is_retired:
        if not (authority.may_operate if row is None or draft.is_new else authority.may_operate_on(row.uid)):
            yield Problem(label_of(draft), OPERATORS, draft.identifier)
        return
    unproven = [] if authority.may_operate_on(row.uid) else unproven_hosts(draft)
    for difference in draft.differences:
        if why := refusal_of_right(authority, row.uid, difference, unproven):
            yield Problem(label_of(draft, difference), why, draft.identifier)


def refusal_of_right(authority: Authority, uid: UUID, difference: Difference, unproven: Sequence[str]) -> str:
    """Return why someone may not change a key of the site ``uid``; blank if they may."""
    if authority.may_operate_on(uid):
        return ""
    first = difference.path[0]
    if first in OPERATED:
        if is_suspension(difference):
            return OF_SUSPENSION
        return "" if authority.may(OPERATE, uid) else "It needs the right to operate the site."
    if who_may_change(difference.path, of_platform=False) != "site":
        return OPERATORS
    if not authority.may(CHANGE, uid):
        return NEEDS_CHANGE
    return UNPROVEN.format(hosts=", ".join(map(shown, unproven))) if first in HOSTS and unproven else ""


def is_suspension(difference: Difference) -> bool:
    """Return whether a difference suspends a site, or ends that."""
    return difference.path == ("state",) and SUSPENDED in (difference.before, difference.after)


def unproven_hosts(draft: Draft) -> list[str]:
    """Return the hostnames that the site gets and that nobody has proven to be its people's."""
    added = hosts_in(draft.after) - hosts_in(draft.before)
    if not added:
        return []
    asked = Verification.objects.filter(site=draft.uid, name__in=added)
    return sorted(added - {one.name for one in asked if proof_is_valid(one.proven_at)})


def hosts_in(table: Table) -> set[str]:
    """Return the hostnames that a record states, those that are none left as they are."""
    stated = (host for key in HOSTS if isinstance(table.get(key), list) for host in table[key])
    return {normalize_hostname(str(host)) for host in stated}


def pin_problems(draft: Draft) -> Iterator[Problem]:
    """Yield a problem for each pin that would change."""
    if draft.row is None or draft.is_new:
        return
    for key in PINS:
        if draft.before.get(key) != draft.after.get(key):
            yield Problem(f"{label_of(draft)}: {key}", NEVER, draft.identifier)


def record_problems(draft: Draft) -> Iterable[Problem]:
    if draft.is_retired:
        return ()
    if is_too_long(draft.after):
        return (Problem(label_of(draft), TOO_LONG, draft.identifier),)
    return refused_problems(draft.after, draft.identifier)


def label_of(draft: Draft, difference: Difference | None = None) -> str:
    path = ("sites", draft.identifier) if draft.row else ("platform",)
    return ControlSource().label((*path, *(difference.path if difference else ())))


def refuse_unconfirmed(authority: Authority, drafts: Iterable[Draft], confirmed: int | None) -> None:
    """Raise UnconfirmedError if so many sites stop at once that it may be a mistake."""
    count = sum(draft.stops for draft in drafts)
    if count != confirmed and must_be_confirmed(count):
        raise UnconfirmedError(count, enabled_sites().count() if authority.sees_all else None)


def must_be_confirmed(count: int) -> bool:
    """Return whether ``count`` sites are so many that it must be confirmed that they stop at once."""
    return count > ALWAYS and count > enabled_sites().count() * getattr(settings, SHARE_SETTING, SHARE)


def enabled_sites() -> QuerySet[ManagedSite]:
    return ManagedSite.objects.filter(retired_at=None, enabled=True)


def read_drafts(drafts: Sequence[Draft], watch: Watch = watch_nothing) -> dict[UUID, SiteSpec]:
    """
    Return the specs of the sites whose record changes, by uid, and of all others if the platform's does. Raises
    ConfigurationError with all problems.
    """
    own = next((draft for draft in drafts if draft.row is None), None)
    platform = read_platform_record(own.after if own else Platform.objects.get(pk=1).record)
    problems = [*platform.problems]
    tables = {draft.uid: (draft.identifier, draft.after) for draft in drafts if draft.uid and not draft.is_retired}
    if own is not None:
        retired = [draft.uid for draft in drafts if draft.is_retired]
        others = ManagedSite.objects.filter(retired_at=None).exclude(uid__in=[*tables, *retired])
        tables.update({row.uid: (row.identifier, row.record) for row in others.iterator(2000)})
    specs = {}
    for uid, (identifier, table) in watch(len(tables), "sites")(tables.items()):
        spec, found = read_site_record(identifier, table, platform)
        problems += found
        if spec is not None:
            problems += replica_problems(spec)
            specs[uid] = spec
    if problems:
        raise ConfigurationError(dict.fromkeys(problems))
    return specs


def kept_claims(reviewed: Reviewed) -> Reviewed:
    """Return a retired site's draft with the claims that it keeps: those to which data may still belong."""
    held = HeldName.objects.filter(site=reviewed.draft.uid, what__in=KEPT)
    rows = tuple(Row(row.what, row.name, row.site_id, row.key) for row in held)
    return reviewed._replace(rows=rows)


def clash_problems(authority: Authority, clashes: Iterable[Clash], identifiers: Mapping[UUID, str]) -> list[Problem]:
    """Return a problem for each clash, which names the owner only to those who may see it."""
    clashes = list(clashes)
    stored = ManagedSite.objects.filter(uid__in={clash.owner for clash in clashes}).values_list("uid", "identifier")
    owners = {**dict(stored), **identifiers}
    found = (clash_problem(authority, one, identifiers[one.row.site], owners.get(one.owner, "")) for one in clashes)
    return list(dict.fromkeys(found))


def clash_problem(authority: Authority, clash: Clash, site: str, owner: str) -> Problem:
    said = "" if clash.name.startswith(UNSHOWN) else f" {shown(clash.name)}"
    sees = authority.may(VIEW, clash.owner)
    whose = f"the site {owner}" if sees and owner else "another site"
    message = f"The {clash.what}{said} belongs to {whose}; each site must have its own."
    where = ControlSource().label(("sites", site, clash.row.key))
    return Problem(where, message, site, owner if sees else "")
