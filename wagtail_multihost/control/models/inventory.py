"""What sites run, as they say themselves through their nodes, and what is known of such versions."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from wagtail_multihost.control.models.nodes import Node
from wagtail_multihost.control.models.registry import BYTES, NO_PERMISSIONS, ManagedSite
from wagtail_multihost.nodeapi.version_file import NAME_LENGTH, VERSION_LENGTH

ADVISORY_LENGTH = 60
SUMMARY_LENGTH = 500


class Inventory(models.Model):
    """
    What a site runs on a node: the versions of ``python`` and of the ``packages`` by their names, as the node said at
    ``seen_at``; so many were ``dropped``. Only a function of the database writes it, for the node.
    """

    # The database removes them with the node, which no code of Django's does.
    site = models.ForeignKey(ManagedSite, models.DO_NOTHING, related_name="inventories", db_constraint=False)
    node = models.ForeignKey(Node, models.DO_NOTHING, related_name="+", db_constraint=False)
    python = models.CharField(max_length=VERSION_LENGTH, blank=True, default="")
    packages = models.JSONField(default=dict)
    dropped = models.PositiveIntegerField(default=0)
    seen_at = models.DateTimeField()

    class Meta:
        db_table = "control_inventory"
        default_permissions = NO_PERMISSIONS
        ordering = ["site", "node"]
        constraints = [models.UniqueConstraint(fields=["site", "node"], name="control_inventory_is_one")]

    def __str__(self) -> str:
        return f"{self.site_id} on {self.node_id}"


class Vulnerability(models.Model):
    """
    An advisory that an audit has found for one ``version`` of a ``package``; ``fixed_in`` are the versions without it.
    """

    package = models.CharField(max_length=NAME_LENGTH, db_collation=BYTES)
    version = models.CharField(max_length=VERSION_LENGTH, db_collation=BYTES)
    advisory = models.CharField(max_length=ADVISORY_LENGTH, db_collation=BYTES)
    aliases = models.JSONField(default=list)
    fixed_in = models.JSONField(default=list)
    summary = models.CharField(max_length=SUMMARY_LENGTH, blank=True, default="")
    imported_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "control_vulnerability"
        default_permissions = NO_PERMISSIONS
        ordering = ["package", "version", "advisory"]
        constraints = [
            models.UniqueConstraint(fields=["package", "version", "advisory"], name="control_vulnerability_is_one")
        ]

    def __str__(self) -> str:
        return f"{self.advisory} of {self.package} {self.version}"
