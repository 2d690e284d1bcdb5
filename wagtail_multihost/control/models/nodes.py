"""
Machines that serve sites: which there are, what is placed on them, and what they say of themselves.

A node's row and its placements are part of the registry, which :mod:`wagtail_multihost.control.registration` and the
functions of :mod:`wagtail_multihost.nodeapi` alone write. Who a node is, what it reports and what is sealed for it, the
web process can read at most.
"""

from __future__ import annotations

from uuid import uuid4

from django.db import models
from django.utils import timezone

from wagtail_multihost.control.models.registry import BYTES, NO_PERMISSIONS, ManagedSite
from wagtail_multihost.nodeapi.node_states import ALL, HOLDS, JOINING, STATES
from wagtail_multihost.spec.platform import NODE_LENGTH


class NodeGroup(models.Model):
    """
    Nodes that share a placement: each ``holds`` all sites, those that are placed on it, or none as a front server,
    which passes requests on to the others. Of placed sites there are ``replicas`` each.
    """

    id = models.CharField(max_length=NODE_LENGTH, primary_key=True, db_collation=BYTES)
    holds = models.CharField(max_length=10, choices=[(held, held) for held in HOLDS], default=ALL)
    replicas = models.PositiveSmallIntegerField(default=2)

    class Meta:
        db_table = "control_node_group"
        default_permissions = NO_PERMISSIONS
        ordering = ["id"]

    def __str__(self) -> str:
        return str(self.id)


class Node(models.Model):
    """
    A machine or a container that serves sites. ``address`` is where the front servers ask it; blank if clients do.
    ``revision`` is that of the last change of this row. An ``is_transient`` one is forgotten when it has left.
    """

    id = models.CharField(max_length=NODE_LENGTH, primary_key=True, db_collation=BYTES)
    group = models.ForeignKey(NodeGroup, models.PROTECT, related_name="nodes")
    address = models.CharField(max_length=270, blank=True, default="")
    zone = models.CharField(max_length=NODE_LENGTH, blank=True, default="", db_collation=BYTES)
    weight = models.PositiveSmallIntegerField(default=100)
    state = models.CharField(max_length=10, choices=[(state, state) for state in STATES], default=JOINING)
    is_transient = models.BooleanField(default=False)
    revision = models.BigIntegerField()
    joined_at = models.DateTimeField()

    class Meta:
        db_table = "control_node"
        default_permissions = NO_PERMISSIONS
        ordering = ["id"]

    def __str__(self) -> str:
        return str(self.id)


class NodeIdentity(models.Model):
    """
    Who a node is: its ``role`` in the database, and the key that secrets are sealed to. A key counts once the operator
    process has seen the ``proof`` of a group's token, or a person has confirmed its ``fingerprint`` there.
    """

    node = models.OneToOneField(Node, models.CASCADE, primary_key=True, related_name="identity")
    role = models.CharField(max_length=63, unique=True)
    public_key = models.BinaryField(null=True)
    fingerprint = models.CharField(max_length=64, blank=True, default="")
    proof = models.BinaryField(null=True)
    token = models.UUIDField(null=True)
    confirmed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "control_node_identity"
        default_permissions = NO_PERMISSIONS

    def __str__(self) -> str:
        return str(self.role)


class GroupToken(models.Model):
    """A token by which nodes may join a group until ``expires_at``; only a digest of it is kept."""

    id = models.UUIDField(primary_key=True, default=uuid4)
    group = models.ForeignKey(NodeGroup, models.CASCADE, related_name="+")
    digest = models.BinaryField()
    expires_at = models.DateTimeField()
    minted_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "control_group_token"
        default_permissions = NO_PERMISSIONS

    def __str__(self) -> str:
        return str(self.id)


class Placement(models.Model):
    """
    A site on a node of a group that holds placed ones. ``is_serving`` once the node has said that it serves the site;
    ``is_gone`` tells the node to remove its files, and stays until it has. ``revision`` is that of the last change.
    """

    pk = models.CompositePrimaryKey("node", "site")
    node = models.ForeignKey(Node, models.CASCADE, related_name="placements")
    site = models.ForeignKey(ManagedSite, models.CASCADE, related_name="placements")
    is_serving = models.BooleanField(default=False)
    is_gone = models.BooleanField(default=False)
    revision = models.BigIntegerField()

    class Meta:
        db_table = "control_placement"
        default_permissions = NO_PERMISSIONS

    def __str__(self) -> str:
        return f"{self.site} on {self.node}"


class Report(models.Model):
    """
    What a node said last: the revision that it has ``applied``, its ``conditions`` (type, status, reason, message,
    since, revision) and why it does not serve some ``sites``. ``boot`` is another one after each start; one that speaks
    again after another has spoken belongs to a second node under the same id.
    """

    node = models.OneToOneField(Node, models.CASCADE, primary_key=True, related_name="report")
    applied = models.BigIntegerField(default=0)
    seen_at = models.DateTimeField()
    boot = models.UUIDField()
    other_boot = models.UUIDField(null=True)
    duplicate_at = models.DateTimeField(null=True)
    version = models.CharField(max_length=40, blank=True, default="")
    conditions = models.JSONField(default=list)
    sites = models.JSONField(default=dict)

    class Meta:
        db_table = "control_report"
        default_permissions = NO_PERMISSIONS

    def __str__(self) -> str:
        return f"{self.node} at {self.applied}"


class Hold(models.Model):
    """
    Someone's wish that nothing is applied, healed or moved until ``until``: of one ``site``, on one ``node``, or, with
    neither, anywhere.
    """

    id = models.UUIDField(primary_key=True, default=uuid4)
    site = models.ForeignKey(ManagedSite, models.CASCADE, null=True, related_name="holds")
    node = models.ForeignKey(Node, models.CASCADE, null=True, related_name="holds")
    reason = models.CharField(max_length=500)
    actor = models.CharField(max_length=80)
    since = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField()

    class Meta:
        db_table = "control_hold"
        default_permissions = NO_PERMISSIONS
        ordering = ["until"]

    def __str__(self) -> str:
        return f"{self.site or self.node or 'everything'} until {self.until}"


class Wave(models.Model):
    """
    A change of many sites, or of the platform, that nodes get one ``stage`` after the other. Until it is among the
    ``admitted`` ones, a node is given the former records. ``stage_revision`` is the revision at which the stage began.
    """

    id = models.UUIDField(primary_key=True, default=uuid4)
    revision = models.BigIntegerField()
    stage = models.PositiveSmallIntegerField(default=0)
    stage_revision = models.BigIntegerField()
    stage_at = models.DateTimeField()
    admitted = models.JSONField(default=list)
    bake_seconds = models.PositiveIntegerField()
    state = models.CharField(max_length=10)
    reason = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        db_table = "control_wave"
        default_permissions = NO_PERMISSIONS
        ordering = ["-revision"]

    def __str__(self) -> str:
        return f"Wave of {self.revision}"


class WaveItem(models.Model):
    """
    The former record of a site (None: the platform), which nodes are given whose turn in the wave has not come. It is
    not current any more once the record was changed by itself.
    """

    wave = models.ForeignKey(Wave, models.CASCADE, related_name="items")
    site = models.ForeignKey(ManagedSite, models.CASCADE, null=True, related_name="+")
    former = models.JSONField()
    is_current = models.BooleanField(default=True)

    class Meta:
        db_table = "control_wave_item"
        default_permissions = NO_PERMISSIONS
        constraints = [models.UniqueConstraint(fields=["wave", "site"], name="control_wave_item_is_one")]

    def __str__(self) -> str:
        return f"{self.site or 'The platform'} in {self.wave}"


class Plan(models.Model):
    """Moves of sites between nodes that someone has agreed to, carried out one step after the other."""

    id = models.UUIDField(primary_key=True, default=uuid4)
    made_at = models.DateTimeField(default=timezone.now)
    actor = models.CharField(max_length=80)
    reason = models.CharField(max_length=500, blank=True, default="")
    based_on = models.BigIntegerField()
    steps = models.JSONField(default=list)
    most_at_once = models.PositiveIntegerField(default=10)
    state = models.CharField(max_length=10)

    class Meta:
        db_table = "control_plan"
        default_permissions = NO_PERMISSIONS
        ordering = ["-made_at"]

    def __str__(self) -> str:
        return f"Plan of {self.made_at}"


class SealedSecret(models.Model):
    """
    A secret of a site, sealed to one key: that of the ``node``, or without one the recovery key. ``field`` is the path
    of its key in the record; ``serial`` rises with each one that is made.
    """

    site = models.ForeignKey(ManagedSite, models.CASCADE, related_name="+")
    field = models.CharField(max_length=100)
    version = models.PositiveIntegerField()
    node = models.ForeignKey(Node, models.CASCADE, null=True, related_name="+")
    fingerprint = models.CharField(max_length=64)
    sealed = models.BinaryField()
    serial = models.BigIntegerField(db_index=True)
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "control_sealed_secret"
        default_permissions = NO_PERMISSIONS
        constraints = [
            models.UniqueConstraint(fields=["site", "field", "version", "node"], name="control_sealed_is_one"),
            models.UniqueConstraint(
                fields=["site", "field", "version"], condition=models.Q(node=None), name="control_recovery_is_one"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.field} of {self.site} for {self.node or 'recovery'}"
