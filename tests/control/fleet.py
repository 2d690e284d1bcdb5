"""What tests of the control app begin with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import connection
from wagtail.models import Collection, Locale, Page

from wagtail_multihost.control.authority import Authority, authority_of, operator_authority
from wagtail_multihost.control.changes import Change, CreateSite, EditPlatform, Outcome
from wagtail_multihost.control.edits import merge_patch
from wagtail_multihost.control.models import Grant, Head, ManagedSite
from wagtail_multihost.control.registration import apply_changes
from wagtail_multihost.control.triggers import FIRST_ROWS

OPERATOR = operator_authority("root")
#: Parts of a platform whose sites can be on several nodes.
SHARED = {
    "name": "aviary",
    "database": {"engine": "postgresql", "host": "db.internal"},
    "cache": {"backend": "redis", "host": "redis.internal"},
    "storage": {"backend": "s3", "region": "eu-central-1"},
}


class Fleet:
    """Makes sites and people in few words."""

    def apply(self, *changes: Change, by: Authority = OPERATOR, **options: Any) -> Outcome:
        return apply_changes(by, changes, **options)

    def add(self, identifier: str, *hostnames: str, **record: Any) -> ManagedSite:
        """Make a site with the hostnames, or one named after it."""
        hosts = list(hostnames or (f"{identifier}.example.com",))
        self.apply(CreateSite(identifier, {"hostnames": hosts, **record}))
        return self.site(identifier)

    def site(self, identifier: str) -> ManagedSite:
        return ManagedSite.objects.get(identifier=identifier, retired_at=None)

    def user(self, name: str, *, superuser: bool = False, operator: bool = False, **grants: str) -> Any:
        """Make someone who may enter the admin, with a group of their own that has the ``grants`` by site."""
        model = get_user_model()
        user = model.objects.create_user(name, f"{name}@example.com", "secret-enough-1", is_superuser=superuser)
        group = Group.objects.create(name=f"people of {name}")
        group.permissions.add(Permission.objects.get(content_type__app_label="wagtailadmin", codename="access_admin"))
        user.groups.add(group)
        if operator:
            user.user_permissions.add(Permission.objects.get(codename="operate_platform"))
        for identifier, action in grants.items():
            Grant.objects.create(site=self.site(identifier), group=group, action=action)
        return model.objects.get(pk=user.pk)

    def authority(self, name: str, **grants: str) -> Authority:
        return authority_of(self.user(name, **grants))

    @property
    def revision(self) -> int:
        return Head.objects.get(pk=1).revision


def prepare_fleet(platform: Mapping[str, Any] | None = None) -> Fleet:
    """Return a fleet whose platform has a name; where tests emptied the tables, their first rows are made again."""
    if not Head.objects.exists():
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE control_head SET revision = revision; {FIRST_ROWS}")  # as the triggers want it
    if not Page.get_first_root_node():
        Locale.objects.get_or_create(language_code="en")
        Page.add_root(instance=Page(title="Root", slug="root"))
        Collection.add_root(instance=Collection(name="Root"))
    fleet = Fleet()
    fleet.apply(EditPlatform(merge_patch(platform or {"name": "aviary"})))
    return fleet


def uid_of(site: ManagedSite) -> UUID:
    return UUID(str(site.uid))
