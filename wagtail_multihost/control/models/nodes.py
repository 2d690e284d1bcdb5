"""
Machines that serve sites: which there are, what is placed on them, and what they say of themselves.

A node's row and its placements are part of the registry, which :mod:`wagtail_multihost.control.registration` and the
functions of :mod:`wagtail_multihost.nodeapi` alone write. Who a node is, what it reports and what is sealed for it, the
web process can read at most.
"""

from __future__ import annotations

from typing import NoReturn, TypeVar
from uuid import uuid4

from django.db import NotSupportedError, models
from django.utils import timezone

from wagtail_multihost.control.models.registry import BYTES, NO_PERMISSIONS, ManagedSite
from wagtail_multihost.nodeapi.node_states import (
    ALL,
    HOLDS,
    JOINING,
    MOVE_STATES,
    MOVE_WAITING,
    PLAN_KINDS,
    PLAN_PROPOSED,
    PLAN_STATES,
    STATES,
)
from wagtail_multihost.spec.identifiers import NODE_LENGTH

REMOVED_BY = (
    "Nodes and their groups are removed by remove_node and remove_group of wagtail_multihost.control.nodes: what hangs "
    "on them is not for the web process to touch."
)


Row = TypeVar("Row", bound=models.Model, covariant=True)


class RemovedByFunctions(models.QuerySet[Row]):
    """Rows that functions in the database remove, with all that hangs on them."""

    def delete(self) -> NoReturn:
        raise NotSupportedError(REMOVED_BY)


class NodeGroup(models.Model):
    """
    Nodes that share a placement: each ``holds`` all sites, those that are placed on it, or none as a front server,
    which passes requests on to the others. Of placed sites there are ``replicas`` each; those that name no group are
    placed in the ``is_default`` one.
    """

    id = models.CharField(max_length=NODE_LENGTH, primary_key=True, db_collation=BYTES)
    holds = models.CharField(max_length=10, choices=[(held, held) for held in HOLDS], default=ALL)
    replicas = models.PositiveSmallIntegerField(default=2)
    is_default = models.BooleanField(default=False)
    revision = models.BigIntegerField(default=0)

    objects = RemovedByFunctions["NodeGroup"].as_manager()

    class Meta:
        db_table = "control_node_group"
        default_permissions = NO_PERMISSIONS
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"], condition=models.Q(is_default=True), name="control_default_group_is_one"
            )
        ]

    def __str__(self) -> str:
        return str(self.id)

    def delete(self, *args: object, **kwargs: object) -> NoReturn:
        raise NotSupportedError(REMOVED_BY)


class Node(models.Model):
    """
    A machine or a container that serves sites. ``address`` is where the front servers ask it; blank if clients do.
    One that ``has_left`` went by itself, and may come back so; where a person or a plan has put a node, it stays.
    ``revision`` is that of the last change of this row. An ``is_transient`` one is forgotten when it has left.
    """

    id = models.CharField(max_length=NODE_LENGTH, primary_key=True, db_collation=BYTES)
    group = models.ForeignKey(NodeGroup, models.PROTECT, related_name="nodes")
    address = models.CharField(max_length=270, blank=True, default="")
    zone = models.CharField(max_length=NODE_LENGTH, blank=True, default="", db_collation=BYTES)
    weight = models.PositiveSmallIntegerField(default=100)
    state = models.CharField(max_length=10, choices=[(state, state) for state in STATES], default=JOINING)
    has_left = models.BooleanField(default=False)
    is_transient = models.BooleanField(default=False)
    revision = models.BigIntegerField()
    joined_at = models.DateTimeField()

    objects = RemovedByFunctions["Node"].as_manager()

    class Meta:
        db_table = "control_node"
        default_permissions = NO_PERMISSIONS
        ordering = ["id"]

    def __str__(self) -> str:
        return str(self.id)

    def delete(self, *args: object, **kwargs: object) -> NoReturn:
        raise NotSupportedError(REMOVED_BY)


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
    """A token by which ``joins_left`` more nodes may join a group until ``expires_at``; only a digest of it is kept."""

    id = models.UUIDField(primary_key=True, default=uuid4)
    group = models.ForeignKey(NodeGroup, models.CASCADE, related_name="+")
    digest = models.BinaryField()
    expires_at = models.DateTimeField()
    joins_left = models.PositiveIntegerField()
    minted_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "control_group_token"
        default_permissions = NO_PERMISSIONS

    def __str__(self) -> str:
        return str(self.id)


class Placement(models.Model):
    """
    A site on a node of a group that holds placed ones. ``is_serving`` once the node has said that it serves the site;
    ``is_leaving`` while it still does, but is to be asked no longer; ``is_gone`` tells the node to remove its files,
    and stays until it has. ``revision`` is that of the last change for the node, ``front_revision`` for front servers.
    """

    pk = models.CompositePrimaryKey("node", "site")
    node = models.ForeignKey(Node, models.CASCADE, related_name="placements")
    site = models.ForeignKey(ManagedSite, models.CASCADE, related_name="placements")
    is_serving = models.BooleanField(default=False)
    is_leaving = models.BooleanField(default=False)
    is_gone = models.BooleanField(default=False)
    revision = models.BigIntegerField()
    front_revision = models.BigIntegerField(default=0, db_default=0)

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
    neither, anywhere. One that ``is_of_operator`` is ended by an operator of the platform alone.
    """

    id = models.UUIDField(primary_key=True, default=uuid4)
    site = models.ForeignKey(ManagedSite, models.CASCADE, null=True, related_name="holds")
    node = models.ForeignKey(Node, models.CASCADE, null=True, related_name="holds")
    reason = models.CharField(max_length=500)
    actor = models.CharField(max_length=80)
    is_of_operator = models.BooleanField(default=True)
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
    A change of many sites, or of the platform, that nodes get one ``stage`` after the other. ``admitted`` has the nodes
    whose turn has come, each with the revision at which it came; until then, a node is given the former records.
    ``baseline`` is what was wrong with them when the stage began, which is not the change's fault. ``settled_at`` is
    when all of them had applied it, and the stage lasts ``bake_seconds`` from then on.
    """

    id = models.UUIDField(primary_key=True, default=uuid4)
    revision = models.BigIntegerField()
    stage = models.PositiveSmallIntegerField(default=0)
    stage_revision = models.BigIntegerField()
    stage_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    admitted = models.JSONField(default=dict)
    baseline = models.JSONField(default=dict)
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
    The ``former`` record of a site (None: the platform), which nodes are given whose turn in the wave has not come.
    ``revision`` is that of the change. It is not current any more once the record was changed by itself.
    """

    wave = models.ForeignKey(Wave, models.CASCADE, related_name="items")
    site = models.ForeignKey(ManagedSite, models.CASCADE, null=True, related_name="+")
    revision = models.BigIntegerField()
    former = models.JSONField()
    is_current = models.BooleanField(default=True)

    class Meta:
        db_table = "control_wave_item"
        default_permissions = NO_PERMISSIONS
        constraints = [models.UniqueConstraint(fields=["wave", "site"], name="control_wave_item_is_one")]

    def __str__(self) -> str:
        return f"{self.site or 'The platform'} in {self.wave}"


class Plan(models.Model):
    """
    Moves of sites between nodes, of a ``kind``, that someone has agreed to. They are carried out one step after the
    other, ``most_at_once`` moves at a time. ``node`` is the one that a plan drains, ``problem`` why a plan has stopped,
    and ``left`` what it cannot move, with the reasons. It holds for the nodes and placements of ``based_on``.
    """

    id = models.UUIDField(primary_key=True, default=uuid4)
    kind = models.CharField(max_length=10, choices=[(kind, kind) for kind in PLAN_KINDS])
    node = models.CharField(max_length=NODE_LENGTH, blank=True, default="", db_collation=BYTES)
    made_at = models.DateTimeField(default=timezone.now)
    actor = models.CharField(max_length=80)
    reason = models.CharField(max_length=500, blank=True, default="")
    based_on = models.BigIntegerField()
    most_at_once = models.PositiveIntegerField(default=10)
    left = models.JSONField(default=list)
    state = models.CharField(max_length=10, choices=[(state, state) for state in PLAN_STATES], default=PLAN_PROPOSED)
    problem = models.CharField(max_length=500, blank=True, default="")
    applied_at = models.DateTimeField(null=True)
    applied_by = models.CharField(max_length=80, blank=True, default="")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "control_plan"
        default_permissions = NO_PERMISSIONS
        ordering = ["-made_at"]

    def __str__(self) -> str:
        return f"{self.kind} of {self.made_at}"


class Move(models.Model):
    """
    One move of a plan, in its ``place``: of a site from the ``source`` to the ``target``, either of which may be blank.
    ``revision`` is that of the last step, which was taken ``at`` a time.
    """

    plan = models.ForeignKey(Plan, models.CASCADE, related_name="moves")
    place = models.PositiveIntegerField()
    site = models.ForeignKey(ManagedSite, models.CASCADE, related_name="+")
    source = models.CharField(max_length=NODE_LENGTH, blank=True, default="", db_collation=BYTES)
    target = models.CharField(max_length=NODE_LENGTH, blank=True, default="", db_collation=BYTES)
    why = models.CharField(max_length=200)
    state = models.CharField(max_length=10, choices=[(state, state) for state in MOVE_STATES], default=MOVE_WAITING)
    revision = models.BigIntegerField(null=True)
    at = models.DateTimeField(null=True)

    class Meta:
        db_table = "control_move"
        default_permissions = NO_PERMISSIONS
        ordering = ["place"]
        constraints = [models.UniqueConstraint(fields=["plan", "place"], name="control_move_has_a_place")]

    def __str__(self) -> str:
        return f"{self.site}: {self.source or 'nowhere'} to {self.target or 'nowhere'}"


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
