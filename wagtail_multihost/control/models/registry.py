"""
The registry's own tables, and what is said about sites. Only :mod:`wagtail_multihost.control.registration` writes those
that nodes read: a trigger refuses any other writer.
"""

from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from wagtail_multihost.nodeapi.courier_v1 import WORKER_LENGTH
from wagtail_multihost.registry.record import PLATFORM
from wagtail_multihost.spec.identifiers import HOSTNAME_LENGTH, SITE_ID_LENGTH
from wagtail_multihost.spec.proofs import KEY_BYTES
from wagtail_multihost.spec.site import STATES

HOSTNAME, ALIAS = "hostname", "alias"
#: So that every comparison is by bytes, as an index of prefixes needs.
BYTES = "C"
#: Django's permissions are over all rows of a table at once: nobody gets one by mistake if there is none.
NO_PERMISSIONS: tuple[str, ...] = ()
NOTE_LENGTH = 4000


class Head(models.Model):
    """
    The one row that every change locks first. ``revision`` is that of the last change; ``oldest`` that of the first
    event that is still kept. A restored database gets another ``incarnation``.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    incarnation = models.UUIDField(default=uuid4)
    revision = models.BigIntegerField(default=0)
    oldest = models.BigIntegerField(default=1)

    class Meta:
        db_table = "control_head"
        default_permissions = NO_PERMISSIONS
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="control_head_is_one")]

    def __str__(self) -> str:
        return f"Revision {self.revision}"


class Platform(models.Model):
    """What all sites share: the ``record`` is the table ``[platform]`` of a registry file, without the node's keys."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    record = models.JSONField(default=dict)
    generation = models.BigIntegerField(default=0)
    revision = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        db_table = "control_platform"
        default_permissions = NO_PERMISSIONS
        permissions = [("operate_platform", "Can operate the platform and all of its sites")]
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="control_platform_is_one")]

    def __str__(self) -> str:
        return str(self.record.get("name", PLATFORM))


class ManagedSite(models.Model):
    """
    A site of the fleet. The ``record`` is its table of a registry file, with its uid and all its names, and without
    the node's keys; ``enabled``, ``state`` and ``labels`` repeat what it says, for queries. ``generation`` counts its
    changes, and ``revision`` is that of the last one. A retired one stays as a tombstone: its uid and its names are
    never given to another. Of one that ``is_imported`` nodes elsewhere have had a key, which is not made anew.
    ``probe_key`` is the public part of the key by which it proves to monitors who it is, as the operator process says.
    """

    uid = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    # Django keeps the name "id" for primary keys (models.E004).
    identifier = models.CharField(max_length=SITE_ID_LENGTH, db_column="id", db_collation=BYTES, verbose_name="id")
    enabled = models.BooleanField(default=True)
    state = models.CharField(max_length=20, choices=[(state, state) for state in STATES], default=STATES[0])
    generation = models.BigIntegerField(default=1)
    revision = models.BigIntegerField(default=0, db_default=0, db_index=True)
    record = models.JSONField(default=dict)
    labels = models.JSONField(default=dict)
    is_imported = models.BooleanField(default=False, db_default=False, editable=False)
    created = models.DateTimeField()
    retired_at = models.DateTimeField(null=True)
    removed_revision = models.BigIntegerField(null=True)
    probe_key = models.BinaryField(max_length=KEY_BYTES, null=True, editable=False)

    class Meta:
        db_table = "control_site"
        default_permissions = NO_PERMISSIONS
        verbose_name = "site"
        ordering = ["identifier"]
        constraints = [
            models.UniqueConstraint(
                fields=["identifier"], condition=models.Q(retired_at=None), name="control_site_id_is_free"
            )
        ]

    def __str__(self) -> str:
        return str(self.identifier)


class Hostname(models.Model):
    """
    A name that a site answers to. It is written with the site's record, never alone. One of each site ``is_canonical``:
    the other hostnames redirect to it.
    """

    name = models.CharField(max_length=HOSTNAME_LENGTH, primary_key=True, db_collation=BYTES)
    site = models.ForeignKey(ManagedSite, models.CASCADE, related_name="hostnames")
    role = models.CharField(max_length=10, choices=[(role, role) for role in (HOSTNAME, ALIAS)])
    is_canonical = models.BooleanField(default=False, db_default=False)
    added_at = models.DateTimeField(db_default=Now(), editable=False)
    verified_at = models.DateTimeField(null=True)
    problem = models.TextField(blank=True, default="")

    class Meta:
        db_table = "control_hostname"
        default_permissions = NO_PERMISSIONS
        ordering = ["name"]

    def __str__(self) -> str:
        return str(self.name)


class HeldName(models.Model):
    """
    Something that only one site may have: a kind of thing, its name, and the key of the record that says it. It is a
    row of the table of claims.
    """

    pk = models.CompositePrimaryKey("what", "name")
    what = models.TextField(db_collation=BYTES)
    name = models.TextField(db_collation=BYTES)
    site = models.ForeignKey(ManagedSite, models.CASCADE, related_name="+")
    key = models.TextField()

    class Meta:
        db_table = "control_claim"
        default_permissions = NO_PERMISSIONS

    def __str__(self) -> str:
        return f"{self.what} {self.name}"


class Event(models.Model):
    """A change. Revisions have no gaps, so that who has read up to one knows whether anything was missed."""

    revision = models.BigIntegerField(primary_key=True)
    type = models.CharField(max_length=40)
    at = models.DateTimeField()
    site = models.CharField(max_length=SITE_ID_LENGTH, blank=True, default="", db_collation=BYTES)
    uid = models.UUIDField(null=True, db_index=True)
    generation = models.BigIntegerField(null=True)
    actor = models.CharField(max_length=80)
    request = models.UUIDField()
    metadata = models.JSONField(default=dict)

    class Meta:
        db_table = "control_event"
        default_permissions = NO_PERMISSIONS
        ordering = ["-revision"]

    def __str__(self) -> str:
        return f"{self.revision} {self.type}"


class FormerRecord(models.Model):
    """The record that a site (None: the platform) had from a revision on, so that it can be applied again."""

    site = models.ForeignKey(ManagedSite, models.CASCADE, null=True, related_name="former_records")
    generation = models.BigIntegerField()
    revision = models.BigIntegerField(unique=True)
    record = models.JSONField()

    class Meta:
        db_table = "control_record"
        default_permissions = NO_PERMISSIONS
        ordering = ["-revision"]

    def __str__(self) -> str:
        return f"Revision {self.revision}"


class Note(models.Model):
    """What someone wrote about a site."""

    site = models.ForeignKey(ManagedSite, models.CASCADE, related_name="notes")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    text = models.TextField(max_length=NOTE_LENGTH)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "control_note"
        default_permissions = NO_PERMISSIONS
        ordering = ["-at"]

    def __str__(self) -> str:
        return str(self.text)[:60]


class Verification(models.Model):
    """
    The wish of a site's people to have a hostname, and its proof: ``secret`` must be published under the name. The
    courier looks where ``wanted_at`` is stated.
    """

    id = models.UUIDField(primary_key=True, default=uuid4)
    name = models.CharField(max_length=HOSTNAME_LENGTH, db_collation=BYTES)
    site = models.ForeignKey(ManagedSite, models.CASCADE, related_name="verifications")
    secret = models.CharField(max_length=100)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    requested_at = models.DateTimeField(auto_now_add=True)
    wanted_at = models.DateTimeField(null=True, db_index=True)
    checked_at = models.DateTimeField(null=True)
    proven_at = models.DateTimeField(null=True)
    method = models.CharField(max_length=10, blank=True, default="")
    problem = models.TextField(blank=True, default="")
    # The courier's own: which of them has taken the check, until when, and the ``wanted_at`` that it answers.
    lease = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    lease_holder = models.CharField(max_length=WORKER_LENGTH, blank=True, default="", editable=False)
    lease_wish = models.DateTimeField(null=True, editable=False)

    class Meta:
        db_table = "control_verification"
        default_permissions = NO_PERMISSIONS
        constraints = [models.UniqueConstraint(fields=["site", "name"], name="control_verification_is_one")]

    def __str__(self) -> str:
        return str(self.name)
