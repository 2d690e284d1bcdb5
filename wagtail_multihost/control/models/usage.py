"""What sites use in a month, as nodes count and measure it, and which of them show the public how they are."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from wagtail_multihost.control.models.registry import BYTES, NO_PERMISSIONS, ManagedSite
from wagtail_multihost.spec.identifiers import NODE_LENGTH


class Usage(models.Model):
    """
    What a node has counted of a site in a ``month`` (its first day, in UTC): the ``requests`` of visitors, the
    ``bytes`` of answers, the ``cpu_seconds`` and the most ``memory`` of its processes, None where nobody counts them.
    A node that has lost what it had counted begins a new ``series``. A row stays when its node is forgotten.
    """

    site = models.ForeignKey(ManagedSite, models.DO_NOTHING, related_name="usages", db_constraint=False)
    month = models.DateField()
    node = models.CharField(max_length=NODE_LENGTH, db_collation=BYTES)
    series = models.UUIDField()
    requests = models.BigIntegerField(default=0)
    bytes = models.BigIntegerField(default=0)
    cpu_seconds = models.FloatField(null=True)
    memory = models.BigIntegerField(null=True)
    seen_at = models.DateTimeField()

    class Meta:
        db_table = "control_usage"
        default_permissions = NO_PERMISSIONS
        ordering = ["month", "site", "node"]
        constraints = [models.UniqueConstraint(fields=["site", "month", "node", "series"], name="control_usage_is_one")]

    def __str__(self) -> str:
        return f"{self.site_id} in {self.month:%Y-%m}"


class SiteSize(models.Model):
    """The size of a site's database and of its files, in bytes, as measured last in a ``month``; None: not measured."""

    site = models.ForeignKey(ManagedSite, models.DO_NOTHING, related_name="sizes", db_constraint=False)
    month = models.DateField()
    database = models.BigIntegerField(null=True)
    storage = models.BigIntegerField(null=True)
    measured_at = models.DateTimeField()

    class Meta:
        db_table = "control_site_size"
        default_permissions = NO_PERMISSIONS
        ordering = ["month", "site"]
        constraints = [models.UniqueConstraint(fields=["site", "month"], name="control_site_size_is_one")]

    def __str__(self) -> str:
        return f"{self.site_id} in {self.month:%Y-%m}"


class StatusPage(models.Model):
    """That the public may see how a site is (None: all sites that have such a page). There is none by default."""

    site = models.OneToOneField(ManagedSite, models.CASCADE, null=True, related_name="status_page")
    shown_since = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "control_status_page"
        default_permissions = NO_PERMISSIONS
        constraints = [
            models.UniqueConstraint(
                models.Value(1), condition=models.Q(site=None), name="control_status_page_of_platform_is_one"
            )
        ]

    def __str__(self) -> str:
        return str(self.site_id or "the platform")
