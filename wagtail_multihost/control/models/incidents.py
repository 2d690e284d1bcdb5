"""
What is wrong with sites, nodes and the processes that look after them; who is told of it, and who does not want to be.

The operator process and the courier write incidents and alerts; the web process reads them. It writes silences and
recipients, of which neither says where a message goes: that is in a file of the courier's own.
"""

from __future__ import annotations

from uuid import uuid4

from django.db import models
from django.utils import timezone

from wagtail_multihost.control.models.registry import BYTES, NO_PERMISSIONS, ManagedSite
from wagtail_multihost.nodeapi.alerts_v1 import LABEL_LENGTH, PROBLEM_LENGTH
from wagtail_multihost.nodeapi.incident_words import (
    CAUSES,
    KINDS,
    LINE_KINDS,
    LINE_LENGTH,
    SUBJECT_LENGTH,
    SUMMARY_LENGTH,
)
from wagtail_multihost.spec.identifiers import HOSTNAME_LENGTH, NODE_LENGTH


class Incident(models.Model):
    """
    Something that is wrong, of one ``site`` or of several that share its ``cause``; ``subject`` is the server or the
    node that is the cause. ``count`` is how many sites it has concerned. ``phase`` counts what people are to be told,
    and ``word`` is the last of it. One that another incident has taken in has it as ``folded``, and is not told any
    more. Those of one cause and subject are one at a time.
    """

    id = models.UUIDField(primary_key=True, default=uuid4)
    kind = models.CharField(max_length=20, choices=[(kind, kind) for kind in KINDS])
    cause = models.CharField(max_length=20, choices=[(cause, cause) for cause in CAUSES])
    subject = models.CharField(max_length=SUBJECT_LENGTH, blank=True, default="", db_collation=BYTES)
    site = models.ForeignKey(ManagedSite, models.CASCADE, null=True, related_name="incidents")
    since = models.DateTimeField()
    till = models.DateTimeField(null=True)
    summary = models.CharField(max_length=SUMMARY_LENGTH)
    count = models.PositiveIntegerField(default=0)
    phase = models.PositiveIntegerField(default=0)
    word = models.CharField(max_length=10, blank=True, default="")
    told_at = models.DateTimeField()
    folded = models.ForeignKey("self", models.SET_NULL, null=True, related_name="+")

    class Meta:
        db_table = "control_incident"
        default_permissions = NO_PERMISSIONS
        ordering = ["-since", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["cause", "subject"], condition=models.Q(till=None), name="control_incident_is_one"
            )
        ]
        indexes = [models.Index(fields=["-since", "-id"], name="control_incident_since")]

    def __str__(self) -> str:
        return str(self.summary)


class IncidentHostname(models.Model):
    """
    A hostname that an incident concerns, as it was seen from a ``place``. ``turns`` are the times at which it went bad,
    in seconds of the Unix epoch, and ``till`` is when it was good again.
    """

    incident = models.ForeignKey(Incident, models.CASCADE, related_name="hostnames")
    site = models.ForeignKey(ManagedSite, models.CASCADE, related_name="+")
    hostname = models.CharField(max_length=HOSTNAME_LENGTH, db_collation=BYTES)
    place = models.CharField(max_length=NODE_LENGTH, db_collation=BYTES)
    state = models.CharField(max_length=20)
    reason = models.CharField(max_length=30, blank=True, default="")
    code = models.IntegerField(null=True)
    turns = models.JSONField(default=list)
    since = models.DateTimeField()
    till = models.DateTimeField(null=True)

    class Meta:
        db_table = "control_incident_hostname"
        default_permissions = NO_PERMISSIONS
        ordering = ["hostname", "place"]
        constraints = [
            models.UniqueConstraint(fields=["incident", "hostname", "place"], name="control_incident_hostname_is_one")
        ]

    def __str__(self) -> str:
        return f"{self.hostname} from {self.place}"


class IncidentLine(models.Model):
    """What has happened in an incident, or was done about it."""

    incident = models.ForeignKey(Incident, models.CASCADE, related_name="lines")
    at = models.DateTimeField()
    kind = models.CharField(max_length=20, choices=[(kind, kind) for kind in LINE_KINDS])
    text = models.CharField(max_length=LINE_LENGTH)

    class Meta:
        db_table = "control_incident_line"
        default_permissions = NO_PERMISSIONS
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return str(self.text)


class Silence(models.Model):
    """
    Someone's wish that nobody is told of incidents until ``until``: of one ``site``, of the ``node`` with an id, or,
    with neither, of any. They are seen all the same. One that ``is_of_operator`` is ended by an operator of the
    platform alone.
    """

    id = models.UUIDField(primary_key=True, default=uuid4)
    site = models.ForeignKey(ManagedSite, models.CASCADE, null=True, related_name="silences")
    node = models.CharField(max_length=NODE_LENGTH, blank=True, default="", db_collation=BYTES)
    reason = models.CharField(max_length=500)
    actor = models.CharField(max_length=80)
    is_of_operator = models.BooleanField(default=True)
    since = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField()

    class Meta:
        db_table = "control_silence"
        default_permissions = NO_PERMISSIONS
        ordering = ["until"]

    def __str__(self) -> str:
        return f"{self.site or self.node or 'everything'} until {self.until}"


class Recipient(models.Model):
    """
    Someone who is told of incidents: a ``label`` of the courier's file, the uids of ``sites`` (None: all, and nodes and
    processes too) and ``kinds`` of incidents (none: all). The courier says when it last knew the label, and the
    ``problem`` with the last message. ``test_wanted_at`` asks for a message without an incident.
    """

    label = models.CharField(max_length=LABEL_LENGTH, primary_key=True, db_collation=BYTES)
    sites = models.JSONField(null=True)
    kinds = models.JSONField(default=list)
    is_active = models.BooleanField(default=True)
    generation = models.BigIntegerField(default=1)
    made_at = models.DateTimeField(default=timezone.now)
    actor = models.CharField(max_length=80)
    test_wanted_at = models.DateTimeField(null=True)
    known_at = models.DateTimeField(null=True, editable=False)
    problem = models.CharField(max_length=PROBLEM_LENGTH, blank=True, default="", editable=False)

    class Meta:
        db_table = "control_recipient"
        default_permissions = NO_PERMISSIONS
        ordering = ["label"]

    def __str__(self) -> str:
        return str(self.label)


class Alert(models.Model):
    """
    A message to a recipient: of a ``phase`` of an incident, or without one a test. ``lease`` is the id of the attempt
    that is being made. It ends when it was sent, or when it is given up.
    """

    id = models.UUIDField(primary_key=True, default=uuid4)
    incident = models.ForeignKey(Incident, models.CASCADE, null=True, related_name="alerts")
    recipient = models.ForeignKey(Recipient, models.CASCADE, related_name="alerts")
    phase = models.PositiveIntegerField(default=0)
    word = models.CharField(max_length=10)
    made_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField()
    lease = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    sent_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True, db_index=True)
    problem = models.CharField(max_length=PROBLEM_LENGTH, blank=True, default="")

    class Meta:
        db_table = "control_alert"
        default_permissions = NO_PERMISSIONS
        ordering = ["-made_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["incident", "recipient"], condition=models.Q(ended_at=None), name="control_alert_waits_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.word} to {self.recipient}"


class Heartbeat(models.Model):
    """When a process that all of this hangs on last said that it lives, which it does each ``period`` seconds."""

    process = models.CharField(max_length=20, primary_key=True)
    seen_at = models.DateTimeField()
    period = models.FloatField()

    class Meta:
        db_table = "control_heartbeat"
        default_permissions = NO_PERMISSIONS

    def __str__(self) -> str:
        return f"{self.process} at {self.seen_at}"
