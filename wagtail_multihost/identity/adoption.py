"""Take over a database that has another identity, or retire one."""

from __future__ import annotations

from typing import NamedTuple

from django.db import DEFAULT_DB_ALIAS, connections
from django.utils import timezone

from wagtail_multihost.exceptions import IdentityError
from wagtail_multihost.identity import wagtail_site
from wagtail_multihost.identity.claim import commit_at_end, has_table
from wagtail_multihost.identity.comparison import FoundIdentity, database_name, identity_differences, identity_of
from wagtail_multihost.identity.deadline import deadline
from wagtail_multihost.identity.own import OwnIdentity
from wagtail_multihost.identity.relation import require_table
from wagtail_multihost.identity.wagtail_site import SiteRowPlan

NOT_CHANGED = (
    "Not changed: pages, files, users and their passwords, sessions, API tokens, triggers and functions. A copy of "
    "another site's database still contains that site's."
)


class Adoption(NamedTuple):
    """What is to be done: the identity that was ``found`` (None: unclaimed), and the ``plan`` for Wagtail's rows."""

    own: OwnIdentity
    found: FoundIdentity | None
    plan: SiteRowPlan
    retires: bool

    @property
    def is_needed(self) -> bool:
        """Whether anything would change."""
        if self.retires:
            return self.found is None or self.found.retired_at is None
        return self.found is None or any(identity_differences(self.found, self.own)) or bool(self.plan.steps)


def prepare_adoption(own: OwnIdentity, *, retires: bool) -> Adoption:
    """Return what is to be done; raises IdentityError when the database has no table or is not the site's to retire."""
    connection = connections[DEFAULT_DB_ALIAS]
    with deadline(connection, "returned its identity and its Site rows"):
        return prepare_within_deadline(own, retires=retires)


def prepare_within_deadline(own: OwnIdentity, *, retires: bool) -> Adoption:
    from wagtail_multihost.models import Identity  # needs Django's apps, which --help and the docs do not load

    connection = connections[DEFAULT_DB_ALIAS]
    require_table(connection, Identity._meta.db_table, own.site.id)
    if not has_table(Identity._meta.db_table, DEFAULT_DB_ALIAS):
        raise IdentityError(
            f"{database_name(connection)} has no identity table. Run first: "
            f"manage.py multihost_as {own.site.id} migrate"
        )
    found = identity_of(connection)
    if retires and found and {"uid", "environment"} & set(identity_differences(found, own)):
        raise IdentityError(f"{database_name(connection)} is not {own.site.id}'s to retire. It belongs to: {found}.")
    return Adoption(own, found, SiteRowPlan() if retires else site_plan(own), retires)


def site_plan(own: OwnIdentity) -> SiteRowPlan:
    """Return the changes to Wagtail's Site rows."""
    return wagtail_site.plan_for(wagtail_site.canonical_address(own), wagtail_site.site_rows(DEFAULT_DB_ALIAS))


def describe_adoption(adoption: Adoption) -> list[str]:
    """Return the lines that say what would be done."""
    own, found, plan, retires = adoption
    found_line = str(found) if found else "none: no site has claimed it"
    lines = [f"Database:       {database_name(connections[DEFAULT_DB_ALIAS])}", f"Identity found: {found_line}"]
    if retires:
        return [*lines, f"It will be retired: no process of {own.site.id} will connect to it any more."]
    lines.append(f"New identity:   {own}")
    lines += [f"Wagtail:        {line}" for line in plan.lines or [plan.problem or "the default Site row is correct."]]
    if plan.kept:
        lines.append(f"Site rows kept: {', '.join(row.address for row in plan.kept)}")
    return [*lines, NOT_CHANGED]


def carry_out_adoption(shown: Adoption) -> None:
    """
    Do what was shown, in one transaction. Raises IdentityError when the database has changed since, and when it did not
    keep what was written.
    """
    from wagtail_multihost.models import Identity

    connection = connections[DEFAULT_DB_ALIAS]
    with deadline(connection, "stored its new identity"):
        carry_out_within_deadline(shown)
        # After the commit, at which triggers may still change rows.
        if prepare_within_deadline(shown.own, retires=shown.retires).is_needed:
            tables = f"{Identity._meta.db_table} and of Wagtail's table of sites"
            raise IdentityError(
                f"{database_name(connection)} did not keep what was written: a trigger or a rule in it changes rows. "
                f"As the owner of the database, drop those of {tables}, and run the command again."
            )


def carry_out_within_deadline(shown: Adoption) -> None:
    from wagtail_multihost.models import Identity

    with commit_at_end(DEFAULT_DB_ALIAS):
        rows = Identity.objects.using(DEFAULT_DB_ALIAS)
        rows.select_for_update().filter(pk=1).first()
        if prepare_within_deadline(shown.own, retires=shown.retires) != shown:
            raise IdentityError("The database has changed in the meantime. Nothing was written; run the command again.")
        now = timezone.now()
        values: dict[str, object] = {"retired_at": now if shown.retires else None}
        if not shown.retires or shown.found is None:
            values |= {**shown.own.columns(), "claimed_at": now}
        rows.update_or_create(pk=1, defaults=values)
        wagtail_site.take_steps(shown.plan, DEFAULT_DB_ALIAS)
