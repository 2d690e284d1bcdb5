"""
What monitors have concluded of hostnames, since when, and when they looked; and when a site was not meant to answer.

Monitors and nodes write all of it but maintenance, through functions of :mod:`wagtail_multihost.nodeapi`. The web
process reads it, so that one that was taken over can neither hide an outage nor make one up.
"""

from __future__ import annotations

from uuid import uuid4

from django.contrib.postgres.fields import ArrayField, DateTimeRangeField
from django.db import models

from wagtail_multihost.control.models.registry import BYTES, NO_PERMISSIONS, ManagedSite
from wagtail_multihost.spec.identifiers import HOSTNAME_LENGTH, NODE_LENGTH

WORD_LENGTH = 20
VERSION_LENGTH = 40


class Monitor(models.Model):
    """
    Who looks from a ``place``: ``outside``, or a node's id. ``seen_at`` is when it reported last, and ``coverage`` the
    row of when it looked that is extended. ``revision`` is that of the registry when it was last compared which
    hostnames the place has. The monitor outside has a lease, of which the ``fence`` rises with each holder.
    """

    place = models.CharField(max_length=NODE_LENGTH, primary_key=True, db_collation=BYTES)
    boot = models.UUIDField(null=True)
    seen_at = models.DateTimeField(null=True)
    version = models.CharField(max_length=VERSION_LENGTH, blank=True, default="", db_default="")
    coverage = models.BigIntegerField(null=True)
    revision = models.BigIntegerField(default=0, db_default=0)
    lease_until = models.DateTimeField(null=True)
    lease_boot = models.UUIDField(null=True)
    fence = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        db_table = "control_monitor"
        default_permissions = NO_PERMISSIONS
        ordering = ["place"]

    def __str__(self) -> str:
        return str(self.place)


class ProbeLatest(models.Model):
    """
    What was concluded of a hostname at a place last, and ``since`` when; it is written when it changes. Before
    ``first_at`` nobody looked at it from there. ``seen_uid`` is whose site answered instead. It ``has_proven`` whose it
    is once an answer was signed by its site. ``allowance`` is how many more changes are kept, as it was at
    ``noted_at``.
    """

    pk = models.CompositePrimaryKey("hostname", "place")
    hostname = models.CharField(max_length=HOSTNAME_LENGTH, db_collation=BYTES)
    place = models.CharField(max_length=NODE_LENGTH, db_collation=BYTES)
    site = models.ForeignKey(ManagedSite, models.CASCADE, related_name="+")
    state = models.CharField(max_length=WORD_LENGTH)
    code = models.PositiveSmallIntegerField(default=0)
    reason = models.CharField(max_length=WORD_LENGTH, blank=True, default="")
    since = models.DateTimeField()
    first_at = models.DateTimeField()
    seen_uid = models.UUIDField(null=True)
    certificate_until = models.DateTimeField(null=True)
    milliseconds = models.PositiveIntegerField(null=True)
    has_proven = models.BooleanField(default=False, db_default=False)
    allowance = models.FloatField()
    noted_at = models.DateTimeField()

    class Meta:
        db_table = "control_probe_latest"
        default_permissions = NO_PERMISSIONS
        indexes = [models.Index(fields=["place"], name="control_probe_latest_place")]

    def __str__(self) -> str:
        return f"{self.hostname} from {self.place}: {self.state}"


class ProbePeriod(models.Model):
    """A time in which a hostname was in a ``state`` that is not ``up``, as seen from a place; no end: it still is."""

    hostname = models.CharField(max_length=HOSTNAME_LENGTH, db_collation=BYTES)
    place = models.CharField(max_length=NODE_LENGTH, db_collation=BYTES)
    site = models.ForeignKey(ManagedSite, models.CASCADE, related_name="+")
    state = models.CharField(max_length=WORD_LENGTH)
    code = models.PositiveSmallIntegerField(default=0)
    reason = models.CharField(max_length=WORD_LENGTH, blank=True, default="")
    since = models.DateTimeField()
    till = models.DateTimeField(null=True)

    class Meta:
        db_table = "control_probe_period"
        default_permissions = NO_PERMISSIONS
        ordering = ["-since"]
        constraints = [
            models.UniqueConstraint(
                fields=["hostname", "place"], condition=models.Q(till=None), name="control_probe_period_one_is_open"
            )
        ]
        indexes = [
            models.Index(fields=["hostname", "place", "since"], name="control_probe_period_hostname"),
            models.Index(fields=["till"], condition=~models.Q(till=None), name="control_probe_period_till"),
        ]

    def __str__(self) -> str:
        return f"{self.hostname} from {self.place}: {self.state} since {self.since}"


class ProbeCoverage(models.Model):
    """A time in which every hostname of a ``place`` was looked at. It is extended as long as the monitor goes on."""

    place = models.CharField(max_length=NODE_LENGTH, db_collation=BYTES)
    during = DateTimeRangeField()

    class Meta:
        db_table = "control_probe_coverage"
        default_permissions = NO_PERMISSIONS
        # None on the range itself: an update of what no index has is much cheaper.
        indexes = [models.Index(fields=["place"], name="control_probe_coverage_place")]

    def __str__(self) -> str:
        return f"{self.place}: {self.during}"


class ProbeHour(models.Model):
    """How many answers took how long within an hour, by the buckets of ``nodeapi.probe_states``."""

    pk = models.CompositePrimaryKey("hostname", "place", "hour")
    hostname = models.CharField(max_length=HOSTNAME_LENGTH, db_collation=BYTES)
    place = models.CharField(max_length=NODE_LENGTH, db_collation=BYTES)
    hour = models.DateTimeField()
    histogram = ArrayField(models.IntegerField())

    class Meta:
        db_table = "control_probe_hour"
        default_permissions = NO_PERMISSIONS

    def __str__(self) -> str:
        return f"{self.hostname} from {self.place} at {self.hour}"


class Maintenance(models.Model):
    """
    A time in which a ``site``, or with none every site, need not answer: it counts neither as up nor as down. Those
    that are ``of_record`` say when a site's own record said so; a trigger writes them. One that ``is_of_operator`` is
    changed by operators of the platform alone.
    """

    id = models.UUIDField(primary_key=True, default=uuid4)
    site = models.ForeignKey(ManagedSite, models.CASCADE, null=True, related_name="maintenance")
    since = models.DateTimeField()
    till = models.DateTimeField(null=True)
    reason = models.CharField(max_length=500)
    actor = models.CharField(max_length=80, blank=True, default="")
    of_record = models.BooleanField(default=False, db_default=False)
    is_of_operator = models.BooleanField(default=True, db_default=True)

    class Meta:
        db_table = "control_maintenance"
        default_permissions = NO_PERMISSIONS
        ordering = ["since"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(till__gte=models.F("since")) | models.Q(till=None, of_record=True),
                name="control_maintenance_ends",
            ),
            models.UniqueConstraint(
                fields=["site"],
                condition=models.Q(of_record=True, till=None),
                name="control_maintenance_of_record_is_one",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.site or 'every site'} since {self.since}"
