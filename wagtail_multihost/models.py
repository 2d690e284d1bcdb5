"""The identity fuse's table: one row, in the database of each site."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

#: The primary key of the only row.
ONLY = 1


class EmptyManager(models.Manager["Identity"]):
    """An empty manager for ``dumpdata``: an identity belongs to a database and must not travel in a fixture."""

    def get_queryset(self) -> models.QuerySet[Identity]:
        return super().get_queryset().none()


class Identity(models.Model):
    """
    Whose database this is: ``platform``, ``environment`` and ``uid`` of the site, the highest ``revision`` of a
    registry that has reached it with the ``digest`` of that revision's places, and when it was claimed and retired.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY, editable=False)
    platform = models.CharField(max_length=63)
    environment = models.CharField(max_length=63)
    uid = models.UUIDField()
    revision = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64)
    retired_at = models.DateTimeField(null=True, blank=True)
    claimed_at = models.DateTimeField(default=timezone.now)

    # The first is the default manager, which dumpdata uses.
    dumped = EmptyManager()
    objects = models.Manager()

    class Meta:
        verbose_name_plural = "identities"
        default_permissions = ()
        # A permission belongs to a model, and this package has no other.
        permissions = [("view_health", "Can view the health report")]
        constraints = [
            models.CheckConstraint(condition=models.Q(id=ONLY), name="wagtail_multihost_one_identity"),
        ]

    def __str__(self) -> str:
        return f"{self.platform} {self.environment} {self.uid}"
