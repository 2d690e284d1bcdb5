"""What other processes are asked to do: jobs, and what integrators are told."""

from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.utils import timezone

from wagtail_multihost.control.models.nodes import Node
from wagtail_multihost.control.models.registry import NO_PERMISSIONS, ManagedSite
from wagtail_multihost.nodeapi.jobs_v1 import HOLDER_LENGTH, RUNNERS, TAKEN, WAITING
from wagtail_multihost.nodeapi.jobs_v1 import STATES as JOB_STATES
from wagtail_multihost.nodeapi.webhooks_v1 import PROBLEM_LENGTH, PUBLIC_KEY_LENGTH


class Job(models.Model):
    """
    A wish that a node, the operator process or the courier does one of a closed list of things: its ``kind`` and typed
    ``parameters``. ``runner`` says who; ``node`` which one, None for any that has the site. ``request`` groups those of
    one wish. Whoever takes it has a ``lease`` and a ``fence``, which rises with each taking, so that one that was
    thought dead cannot report any more.
    """

    id = models.UUIDField(primary_key=True, default=uuid4)
    kind = models.CharField(max_length=40)
    runner = models.CharField(max_length=10, choices=[(runner, runner) for runner in RUNNERS])
    site = models.ForeignKey(ManagedSite, models.CASCADE, null=True, related_name="jobs")
    node = models.ForeignKey(Node, models.CASCADE, null=True, related_name="jobs")
    parameters = models.JSONField(default=dict)
    actor = models.CharField(max_length=80)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    request = models.UUIDField(default=uuid4, db_index=True)
    wanted_at = models.DateTimeField(default=timezone.now, db_index=True)
    deadline = models.DateTimeField()
    state = models.CharField(max_length=10, choices=[(state, state) for state in JOB_STATES], default=WAITING)
    lease = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    holder = models.CharField(max_length=HOLDER_LENGTH, blank=True, default="", editable=False)
    fence = models.BigIntegerField(default=0, editable=False)
    progress = models.CharField(max_length=200, blank=True, default="")
    log = models.TextField(blank=True, default="")
    problem = models.TextField(blank=True, default="")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "control_job"
        default_permissions = NO_PERMISSIONS
        ordering = ["-wanted_at", "-id"]
        indexes = [
            models.Index(
                fields=["runner", "node"], condition=models.Q(state__in=[WAITING, TAKEN]), name="control_job_open"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.wanted_at}"


class Webhook(models.Model):
    """
    An address that is told of events, by the courier, which signs what it sends. No ``types``: of all events. One that
    accepted nothing for a day is not active any more, and its ``problem`` says so. ``generation`` counts the changes of
    the three, by people and by the courier.
    """

    id = models.UUIDField(primary_key=True, default=uuid4)
    url = models.URLField(max_length=500)
    types = models.JSONField(default=list)
    is_active = models.BooleanField(default=True)
    generation = models.BigIntegerField(default=1)
    made_at = models.DateTimeField(default=timezone.now)
    actor = models.CharField(max_length=80)
    #: Events up to this revision have a delivery, or need none.
    queued = models.BigIntegerField()
    problem = models.CharField(max_length=PROBLEM_LENGTH, blank=True, default="")

    class Meta:
        db_table = "control_webhook"
        default_permissions = NO_PERMISSIONS
        ordering = ["made_at"]

    def __str__(self) -> str:
        return str(self.url)


class WebhookDelivery(models.Model):
    """An event that a webhook has to be told; those of one site in the order of their revisions."""

    id = models.UUIDField(primary_key=True, default=uuid4)
    webhook = models.ForeignKey(Webhook, models.CASCADE, related_name="deliveries")
    revision = models.BigIntegerField()
    site = models.UUIDField(null=True)
    body = models.JSONField()
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)
    lease = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    delivered_at = models.DateTimeField(null=True, db_index=True)
    problem = models.CharField(max_length=PROBLEM_LENGTH, blank=True, default="")

    class Meta:
        db_table = "control_webhook_delivery"
        default_permissions = NO_PERMISSIONS
        ordering = ["revision"]
        constraints = [models.UniqueConstraint(fields=["webhook", "revision"], name="control_webhook_delivery_is_one")]
        indexes = [
            models.Index(
                fields=["webhook", "due_at"], condition=models.Q(delivered_at=None), name="control_webhook_due"
            )
        ]

    def __str__(self) -> str:
        return f"{self.revision} to {self.webhook}"


class CourierKey(models.Model):
    """
    A public key that a courier signs messages to webhooks with, as it said itself. The web process cannot write it, but
    could show another one: whoever checks signatures compares it with what the courier prints.
    """

    public_key = models.CharField(max_length=PUBLIC_KEY_LENGTH, primary_key=True)
    seen_at = models.DateTimeField()

    class Meta:
        db_table = "control_courier_key"
        default_permissions = NO_PERMISSIONS
        ordering = ["-seen_at", "public_key"]

    def __str__(self) -> str:
        return str(self.public_key)
