"""What Wagtail's own parts are told about rights."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser, Group, Permission
from django.test import Client
from django.utils import timezone
from wagtail.log_actions import registry as log_registry
from wagtail.models import ModelLogEntry, ReferenceIndex
from wagtail.permissions import policy_registry

from tests.control.fleet import OPERATOR, Fleet
from wagtail_multihost.control.grants import grant_action
from wagtail_multihost.control.models import (
    Event,
    Grant,
    Hostname,
    Job,
    ManagedSite,
    Note,
    Platform,
    Webhook,
)

SITE = policy_registry.get_by_type(ManagedSite)


def names(people: Any) -> set[str]:
    return {user.username for user in people}


def test_every_table_has_a_policy_of_ours() -> None:
    models = [*apps.get_app_config("multihost_control").get_models(), get_user_model(), Group]
    assert {type(policy_registry.get_by_type(model)).__module__ for model in models} == {
        "wagtail_multihost.control.policies"
    }


def test_site_is_answered_for_by_its_grants(fleet: Fleet) -> None:
    own, foreign = fleet.add("aurora"), fleet.add("borealis")
    person = fleet.user("ada", aurora="change")
    assert SITE.user_has_permission(person, "change") and SITE.user_has_any_permission(person, {"add", "view"})
    for action, allowed in {
        "view": True,
        "change": True,
        "operate": False,
        "admin": False,
        "delete": False,
        "add": False,
        "publish": False,
    }.items():
        assert SITE.user_has_permission_for_instance(person, action, own) is allowed, action
        assert not SITE.user_has_permission_for_instance(person, action, foreign)
        assert list(SITE.instances_user_has_permission_for(person, action)) == ([own] if allowed else [])
    assert SITE.user_has_any_permission_for_instance(person, {"delete", "change"}, own)
    assert not SITE.user_has_any_permission_for_instance(person, {"delete", "operate"}, own)
    assert list(SITE.instances_user_has_any_permission_for(person, {"delete", "view"})) == [own]


def test_operators_may_all_and_nobody_else_anything(fleet: Fleet) -> None:
    own = fleet.add("aurora")
    for person in (fleet.user("olga", operator=True), fleet.user("root", superuser=True)):
        assert all(SITE.user_has_permission_for_instance(person, action, own) for action in ("view", "add", "delete"))
        assert list(SITE.instances_user_has_any_permission_for(person, {"delete"})) == [own]
    inactive = fleet.user("ina", superuser=True)
    inactive.is_active = False
    for person in (AnonymousUser(), inactive, fleet.user("stranger")):
        assert not SITE.user_has_any_permission(person, {"view", "add", "change", "delete", "operate", "admin"})
        assert not SITE.user_has_permission_for_instance(person, "view", own)
        assert not SITE.instances_user_has_any_permission_for(person, {"view"})


def test_people_with_a_right_are_named(fleet: Fleet) -> None:
    own, foreign = fleet.add("aurora"), fleet.add("borealis")
    for name, action in (("vic", "view"), ("oda", "operate")):
        fleet.user(name, aurora=action)
    fleet.user("bert", borealis="admin")
    fleet.user("olga", operator=True)
    fleet.user("root", superuser=True)
    get_user_model().objects.create_user("gone", is_active=False, is_superuser=True)
    always = {"olga", "root"}
    assert names(SITE.users_with_permission_for_instance("view", own)) == {"vic", "oda", *always}
    assert names(SITE.users_with_permission_for_instance("operate", own)) == {"oda", *always}
    assert names(SITE.users_with_any_permission_for_instance({"admin", "view"}, foreign)) == {"bert", *always}
    assert names(SITE.users_with_permission("change")) == {"oda", "bert", *always}
    assert names(SITE.users_with_permission("add")) == always
    assert names(policy_registry.get_by_type(Platform).users_with_permission("change")) == always
    assert names(policy_registry.get_by_type(Group).users_with_permission("change")) == {"root"}


def test_what_belongs_to_a_site_is_seen_with_it(fleet: Fleet) -> None:
    own, foreign = fleet.add("aurora"), fleet.add("borealis")
    person = fleet.user("ada", aurora="change")
    for site in (own, foreign):
        Note.objects.create(site=site, text=f"about {site}")
        Job.objects.create(kind="reload-site", runner="node", site=site, actor="user:1", deadline=timezone.now())
        grant_action(OPERATOR, site, Group.objects.create(name=f"friends of {site}"), "view")
    for model, field in ((Hostname, "site_id"), (Note, "site_id"), (Job, "site_id"), (Event, "uid")):
        policy = policy_registry.get_by_type(model)
        seen = policy.instances_user_has_permission_for(person, "view")
        assert {getattr(row, field) for row in seen} == {own.uid}
        assert not policy.instances_user_has_permission_for(person, "delete")
        (other,) = model.objects.filter(**{field: foreign.uid})[:1]
        assert not policy.user_has_permission_for_instance(person, "view", other)
    assert not policy_registry.get_by_type(Grant).instances_user_has_permission_for(person, "view")
    for model in (Platform, Webhook):
        assert not policy_registry.get_by_type(model).user_has_permission(person, "view")


def test_rights_are_asked_of_the_database_once(fleet: Fleet, django_assert_num_queries: Any) -> None:
    own = fleet.add("aurora")
    person = fleet.user("ada", aurora="change")
    SITE.user_has_permission(person, "view")
    with django_assert_num_queries(0):
        for action in ("view", "change", "delete"):
            SITE.user_has_permission_for_instance(person, action, own)


ACCOUNT_PAGES = ("users/", "users/new/", "users/edit/{user}/", "users/delete/{user}/", "users/history/{user}/")
GROUP_PAGES = ("groups/", "groups/new/", "groups/edit/{group}/", "groups/delete/{group}/")
BULK_PAGES = ("bulk/auth/user/delete/?id={user}", "bulk/auth/user/assign_role/?id={user}")


@pytest.mark.parametrize("page", [*ACCOUNT_PAGES, *GROUP_PAGES, *BULK_PAGES])
def test_accounts_are_for_superusers(fleet: Fleet, page: str) -> None:
    """Who has every permission over users and groups could else make themselves an operator."""
    neighbour = fleet.user("neighbour")
    person = fleet.user("ada")
    person.user_permissions.set(Permission.objects.filter(content_type__app_label="auth"))
    assert person.has_perm("auth.change_user")
    address = "/admin/" + page.format(user=neighbour.pk, group=neighbour.groups.get().pk)
    for user, allowed in ((person, False), (fleet.user("root", superuser=True), True)):
        client = Client(headers={"host": "control.localhost", "x-requested-with": "XMLHttpRequest"})
        client.force_login(user)
        sent = {"username": "neighbour", "email": "evil@example.com"}
        for method, data in (("get", None), ("post", sent)):
            answer = getattr(client, method)(address, data)
            assert (answer.status_code in (200, 302, 405)) is allowed, (method, answer.status_code)
            if not allowed:
                assert "neighbour" not in answer.text
        if not allowed:
            assert get_user_model().objects.get(pk=neighbour.pk).email == "neighbour@example.com"


def test_tables_have_no_permission_over_all_rows(fleet: Fleet) -> None:
    """So that nobody has one by mistake, and the report of all changes has those of sites for superusers alone."""
    found = Permission.objects.filter(content_type__app_label="multihost_control")
    assert [permission.codename for permission in found] == ["operate_platform"]


def test_report_of_all_changes_has_no_site(fleet: Fleet) -> None:
    site = fleet.add("aurora", "zqhost.example.net")
    person = fleet.user("ada", aurora="admin")
    person.user_permissions.set(
        Permission.objects.exclude(content_type__app_label="multihost_control").exclude(codename="access_admin")
    )
    person = get_user_model().objects.get(pk=person.pk)
    entries = ModelLogEntry.objects.filter(object_id=str(site.uid))
    assert entries.exists() and log_registry.get_logs_for_instance(site).exists()
    assert not ModelLogEntry.objects.viewable_by_user(person).filter(pk__in=entries.values("pk")).exists()
    client = Client(headers={"host": "control.localhost"})
    client.force_login(person)
    for suffix in ("", "results/", "?export=csv"):
        answer = client.get(f"/admin/reports/site-history/{suffix}")
        text = b"".join(answer.streaming_content).decode() if answer.streaming else answer.text
        assert answer.status_code == 200
        assert "aurora" not in text and str(site.uid) not in text


def test_index_of_references_has_none_of_ours(fleet: Fleet) -> None:
    """It would say of a group which sites it is used by, to those who may see the group alone."""
    site = fleet.add("aurora")
    fleet.user("ada", aurora="view")
    tracked = {model._meta.app_label for model in ReferenceIndex.tracked_models}
    assert "multihost_control" not in tracked
    assert not ReferenceIndex.objects.filter(object_id=str(site.uid)).exists()
