"""
What nodes did about sites that did not answer there, and how much of it they may do. Functions in the database write
the steps, and an operator's SQL the budgets; the web process can read both.
"""

from __future__ import annotations

from uuid import uuid4

from django.db import models

from wagtail_multihost.control.models.registry import BYTES, NO_PERMISSIONS, ManagedSite
from wagtail_multihost.nodeapi.heal_steps import BEGUN, OUTCOMES, STEPS
from wagtail_multihost.spec.identifiers import NODE_LENGTH


class HealStep(models.Model):
    """
    A step that a ``node`` took for a ``site``, or, without one, for itself, and what became of it, as the node says.
    The node may be forgotten since.
    """

    id = models.UUIDField(primary_key=True, default=uuid4)
    site = models.ForeignKey(ManagedSite, models.CASCADE, null=True, related_name="heal_steps")
    node = models.CharField(max_length=NODE_LENGTH, db_collation=BYTES)
    step = models.CharField(max_length=10, choices=[(step, step) for step in STEPS])
    at = models.DateTimeField(db_index=True)
    outcome = models.CharField(max_length=10, choices=[(outcome, outcome) for outcome in OUTCOMES], default=BEGUN)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "control_heal_step"
        default_permissions = NO_PERMISSIONS
        ordering = ["-at"]
        indexes = [
            models.Index(fields=["node", "at"], name="control_heal_step_of_node"),
            models.Index(fields=["step", "at"], name="control_heal_step_of_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.step} of {self.site or self.node} at {self.at}"


class HealBudget(models.Model):
    """The one row of budgets, if an operator has stated any; what is null is as it is without it."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    is_on = models.BooleanField(default=True, db_default=True)
    site_restarts = models.PositiveIntegerField(null=True)
    node_restarts = models.PositiveIntegerField(null=True)
    fleet_restarts = models.PositiveIntegerField(null=True)
    node_seconds = models.PositiveIntegerField(null=True)
    same_node_seconds = models.PositiveIntegerField(null=True)
    most_share = models.PositiveIntegerField(null=True)

    class Meta:
        db_table = "control_heal_budget"
        default_permissions = NO_PERMISSIONS

    def __str__(self) -> str:
        return "Budgets of healing"
