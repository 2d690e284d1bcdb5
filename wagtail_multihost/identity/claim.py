"""An unclaimed database belongs to the first site that migrates it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core import mail
from django.db import DEFAULT_DB_ALIAS, connections, transaction

from wagtail_multihost.exceptions import IdentityError
from wagtail_multihost.identity import wagtail_site
from wagtail_multihost.identity.deadline import deadline
from wagtail_multihost.identity.own import OwnIdentity, own_identity
from wagtail_multihost.identity.relation import require_table


def after_migrate(using: str, verbosity: int = 1, **kwargs: Any) -> None:
    """Claim an unclaimed database, and give Wagtail's first Site row the site's hostname."""
    own = own_identity()
    # Django's test runner makes mail.outbox (django.test.utils.setup_test_environment); its databases belong to no
    # site.
    if own is None or using != DEFAULT_DB_ALIAS or hasattr(mail, "outbox"):
        return
    with deadline(connections[using], "been claimed"):
        lines = list(claim(own, using))
        lines.extend(name_first_site(own, using, is_first=bool(lines)))
    if verbosity:
        stdout = kwargs.get("stdout") or sys.stdout
        for line in lines:
            stdout.write(f"{line}\n")


def claim(own: OwnIdentity, using: str) -> Iterator[str]:
    """Insert the row that says whose the database is, unless there is one or its table does not exist yet."""
    from wagtail_multihost.models import Identity  # needs Django's apps, which --help and the docs do not load

    require_table(connections[using], Identity._meta.db_table, own.site.id)
    if not has_table(Identity._meta.db_table, using):
        return
    with commit_at_end(using):
        _, is_new = Identity.objects.using(using).get_or_create(defaults=own.columns())
        Identity.objects.using(using).filter(uid=own.uid, revision__lt=own.revision, retired_at=None).update(
            revision=own.revision, digest=own.digest
        )
    if is_new:
        yield f"The database now belongs to the site {own.site.id}."


def name_first_site(own: OwnIdentity, using: str, *, is_first: bool) -> Iterator[str]:
    """
    Rewrite the Site row that Wagtail's migrations make, while it is the only one; with the first claim also the only
    row of a site that was live before, or say why not.
    """
    rows = wagtail_site.site_rows(using)
    if rows is None or not (is_first or wagtail_site.is_untouched(rows)):
        return
    plan = wagtail_site.first_plan(own, rows)
    if plan.problem:
        yield f"Wagtail's Site rows were left as they are. {plan.problem}"
        return
    with commit_at_end(using):
        wagtail_site.take_steps(plan, using)
    if plan.steps:
        wagtail_site.forget_root_paths()
    yield from plan.lines


def has_table(table: str, using: str) -> bool:
    return table in connections[using].introspection.table_names()


@contextmanager
def commit_at_end(using: str) -> Iterator[None]:
    """Run in one transaction that is committed at the end, in projects with AUTOCOMMIT False too."""
    connection = connections[using]
    with transaction.atomic(using=using):
        yield
    if not connection.autocommit and not connection.in_atomic_block:
        connection.commit()


def is_later_identity(found: Any, given: Any) -> bool:
    """Return whether the row that was found is of a later state than the one that is given."""
    if found is None:
        return False
    return bool(found.revision > given.revision or (found.retired_at and not given.retired_at))


def refuse_foreign_fixture(instance: Any, raw: bool, using: str = DEFAULT_DB_ALIAS, **kwargs: object) -> None:
    """Raise IdentityError when a fixture would give the database another site's identity, or an earlier state."""
    own = own_identity()
    if raw and own and is_later_identity(type(instance).objects.using(using).filter(pk=instance.pk).first(), instance):
        raise IdentityError(
            f"The fixture has an earlier identity of {own.site.id} than its database ({instance}): machines "
            "with an old registry could connect again. Leave it out: dumpdata --exclude wagtail_multihost"
        )
    if raw and own and (instance.uid, instance.environment) != (own.uid, own.platform.environment):
        raise IdentityError(
            f"The fixture has the identity of another site ({instance}), which would lock {own.site.id} out of its "
            "database. Leave it out: dumpdata --exclude wagtail_multihost"
        )
