"""Who may do what: grants, groups' admins, invitations, and the scopes of tokens."""

from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.utils import timezone

from wagtail_multihost.control.models.registry import NO_PERMISSIONS, ManagedSite

#: What a grant lets a group's people do with a site; each includes the ones before it.
VIEW, CHANGE, OPERATE, ADMIN = "view", "change", "operate", "admin"
ACTIONS = (VIEW, CHANGE, OPERATE, ADMIN)


class Grant(models.Model):
    """What the people of a group may do with a site."""

    site = models.ForeignKey(ManagedSite, models.CASCADE, related_name="grants")
    group = models.ForeignKey(Group, models.CASCADE, related_name="+")
    action = models.CharField(max_length=10, choices=[(action, action) for action in ACTIONS])

    class Meta:
        db_table = "control_grant"
        default_permissions = NO_PERMISSIONS
        constraints = [models.UniqueConstraint(fields=["site", "group"], name="control_grant_is_one")]

    def __str__(self) -> str:
        return f"{self.group}: {self.action} {self.site}"


class GroupAdmin(models.Model):
    """Someone who may invite people to a group, and take them out."""

    group = models.ForeignKey(Group, models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")

    class Meta:
        db_table = "control_group_admin"
        default_permissions = NO_PERMISSIONS
        constraints = [models.UniqueConstraint(fields=["group", "user"], name="control_group_admin_is_one")]

    def __str__(self) -> str:
        return f"{self.user}: {self.group}"


class Invitation(models.Model):
    """
    The wish of a group's admin that someone joins it. Its link, which is sent to the ``email``, is signed and counts
    once, until ``expires_at``; ``ended_at`` says when it was taken up or withdrawn, ``joined`` who took it up.
    """

    id = models.UUIDField(primary_key=True, default=uuid4)
    group = models.ForeignKey(Group, models.CASCADE, related_name="+")
    email = models.EmailField()
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    invited_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    joined = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    class Meta:
        db_table = "control_invitation"
        default_permissions = NO_PERMISSIONS
        ordering = ["-invited_at"]

    def __str__(self) -> str:
        return f"{self.email}: {self.group}"


class TokenScope(models.Model):
    """What a token of Wagtail's API may do here at most, within its user's rights; without a scope, nothing."""

    READ = "read"
    token = models.OneToOneField("wagtailcore.APIToken", models.CASCADE, primary_key=True, related_name="+")
    action = models.CharField(max_length=10, choices=[(action, action) for action in (READ, CHANGE, OPERATE)])
    all_sites = models.BooleanField(default=False)
    sites = models.ManyToManyField(ManagedSite, related_name="+", db_table="control_token_site")
    expires_at = models.DateTimeField()

    class Meta:
        db_table = "control_token_scope"
        default_permissions = NO_PERMISSIONS

    def __str__(self) -> str:
        return str(self.action)
