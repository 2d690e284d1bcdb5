"""System checks of a control project."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os import PathLike

from django.apps import AppConfig, apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DEFAULT_DB_ALIAS, DatabaseError
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse

from wagtail_multihost.control.front_keys import find_front_problems
from wagtail_multihost.control.invitations import INVITATION

WAGTAIL_API, NAMESPACE = "wagtail.api.v3", "wagtailapi_v3"
#: Who may do one of these with users or groups can make themselves an operator, or act as one by a token.
ACTIONS = ("add", "change", "delete")


@register(Tags.urls)
def check_wagtail_api(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """E001: Wagtail's own API, for which a token is its user, without scope and without end."""
    is_mounted = NAMESPACE in namespaces(get_resolver().url_patterns)
    if not is_mounted and not apps.is_installed(WAGTAIL_API):
        return []
    return [
        Error(
            "Wagtail's own API knows neither the scope nor the end of a token: there each is its whole user.",
            hint=f"Take {WAGTAIL_API} out of INSTALLED_APPS and of the URLconf.",
            id="multihost_control.E001",
        )
    ]


@register(Tags.urls)
def check_invitation_page(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """E002: the page that invitations lead to is not there."""
    try:
        reverse(INVITATION, args=["text"])
    except NoReverseMatch:
        return [
            Error(
                "Nobody can be invited: the page that the mail leads to is not in the URLconf.",
                hint='Add path("", include("wagtail_multihost.control.urls")) to it.',
                id="multihost_control.E002",
            )
        ]
    return []


@register()
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """E003: a setting of the app that is not what it must be."""
    # Not when the app is loaded: these bring the dashboard's views, which come after the policies.
    from wagtail_multihost.control.dashboard.website import ADMIN_PATH, ADMIN_SETTING
    from wagtail_multihost.control.releases import SETTING as RELEASES
    from wagtail_multihost.control.releases import current_releases
    from wagtail_multihost.control.review import SHARE, SHARE_SETTING
    from wagtail_multihost.control.wave_plans import BAKE, BAKE_SETTING, LONGEST_BAKE, MOST_SITES, SITES, SITES_SETTING

    share, path = getattr(settings, SHARE_SETTING, SHARE), getattr(settings, ADMIN_SETTING, ADMIN_PATH)
    is_number = isinstance(share, int | float) and not isinstance(share, bool)
    messages = []
    if not (is_number and 0 <= share <= 1):
        messages.append(f"{SHARE_SETTING} is {share!r}, but it must be a number from 0 to 1, such as {SHARE}.")
    if not isinstance(path, str):
        messages.append(f"{ADMIN_SETTING} is {path!r}, but it must be a path, such as {ADMIN_PATH!r}.")
    stated = getattr(settings, RELEASES, None)
    if stated is not None and not isinstance(stated, str | PathLike):
        messages.append(f"{RELEASES} is {stated!r}, but it must be the path of a file or a folder.")
    else:
        messages += [f"{RELEASES}: {problem.where}: {problem.message}" for problem in current_releases().problems]
    for name, default, most in ((SITES_SETTING, SITES, MOST_SITES), (BAKE_SETTING, BAKE, LONGEST_BAKE)):
        value = getattr(settings, name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
            messages.append(f"{name} is {value!r}, but it must be a whole number from 0 to {most}, such as {default}.")
    return [Error(message, id="multihost_control.E003") for message in messages]


def namespaces(patterns: Sequence[URLPattern | URLResolver]) -> Iterator[str | None]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield pattern.namespace
            yield from namespaces(pattern.url_patterns)


@register(Tags.database)
def check_account_permissions(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: object
) -> list[CheckMessage]:
    """W001: a permission over accounts that someone other than a superuser has."""
    if DEFAULT_DB_ALIAS not in (databases or ()):
        return []
    try:
        held = sorted(account_permission_holders())
    except DatabaseError:
        return []  # it cannot be asked now
    if not held:
        return []
    return [
        Warning(
            f"Permissions over users or groups are for superusers alone, but these have some: {', '.join(held)}.",
            hint="Take them away. People look after their own groups on the page People, without such permissions.",
            id="multihost_control.W001",
        )
    ]


@register(Tags.database)
def check_front_keys(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: object
) -> list[CheckMessage]:
    """W002: the database gives front servers other keys than are declared for them."""
    if DEFAULT_DB_ALIAS not in (databases or ()):
        return []
    try:
        problems = list(find_front_problems())
    except DatabaseError:
        return []  # it cannot be asked now
    # No error, which would keep the migrations from running.
    hint = "Run the migrations of this version: manage.py migrate. If all have been run, report it as a fault."
    return [Warning(problem, hint=hint, id="multihost_control.W002") for problem in problems]


def account_permission_holders() -> Iterator[str]:
    """Yield the groups, and the users who are no superusers, that hold a permission over accounts."""
    user_model = get_user_model()
    models = {(model._meta.app_label, model._meta.model_name) for model in (user_model, Group)}
    permissions = [
        permission.pk
        for permission in Permission.objects.select_related("content_type").filter(
            codename__in=[f"{action}_{name}" for action in ACTIONS for _, name in models]
        )
        if (permission.content_type.app_label, permission.content_type.model) in models
    ]
    for group in Group.objects.filter(permissions__in=permissions).distinct():
        yield f"the group {group.name!r}"
    users = user_model._default_manager.filter(user_permissions__in=permissions, is_superuser=False).distinct()
    for user in users:
        yield f"the user {user.get_username()!r}"
