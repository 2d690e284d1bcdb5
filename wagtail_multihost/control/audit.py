"""The audit log of what has no revision: rights, people and tokens. Registration logs its own changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.utils import timezone
from wagtail.models import ModelLogEntry

from wagtail_multihost.control.authority import Authority

GRANTED, REVOKED = "multihost.grant.given", "multihost.grant.taken"
GROUP_CREATED = "multihost.group.created"
ADMIN_MADE, ADMIN_UNMADE = "multihost.group.admin_made", "multihost.group.admin_unmade"
INVITED, WITHDRAWN, JOINED, REMOVED = (
    "multihost.group.invited",
    "multihost.group.invitation_withdrawn",
    "multihost.group.joined",
    "multihost.group.removed",
)
TOKEN_CREATED, TOKEN_REVOKED = "multihost.token.created", "multihost.token.revoked"
NODE_CHANGED, NODE_REMOVED = "multihost.node.changed", "multihost.node.removed"
NODE_GROUP_CHANGED, NODE_GROUP_REMOVED = "multihost.node_group.changed", "multihost.node_group.removed"
SITES_PLACED, SITES_DISPLACED = "multihost.placement.placed", "multihost.placement.taken"
PLAN_APPLIED, PLAN_CANCELLED = "multihost.plan.applied", "multihost.plan.cancelled"
WAVE_RESUMED, WAVE_FINISHED, WAVE_ABANDONED = (
    "multihost.wave.resumed",
    "multihost.wave.finished",
    "multihost.wave.abandoned",
)
JOB_WANTED, JOB_CANCELLED = "multihost.job.wanted", "multihost.job.cancelled"
WEBHOOK_SAVED, WEBHOOK_DELETED = "multihost.webhook.saved", "multihost.webhook.deleted"
MAINTENANCE_PLANNED, MAINTENANCE_CHANGED, MAINTENANCE_ENDED = (
    "multihost.maintenance.planned",
    "multihost.maintenance.changed",
    "multihost.maintenance.ended",
)
HELD, RELEASED = "multihost.hold.made", "multihost.hold.ended"
SILENCED, UNSILENCED = "multihost.silence.made", "multihost.silence.ended"
RECIPIENT_SAVED, RECIPIENT_DELETED = "multihost.recipient.saved", "multihost.recipient.deleted"
STATUS_PAGE_SHOWN, STATUS_PAGE_HIDDEN = "multihost.status_page.shown", "multihost.status_page.hidden"
LABELS = {
    JOB_WANTED: "Ask for a job",
    JOB_CANCELLED: "Cancel a job",
    WEBHOOK_SAVED: "Save the webhook",
    WEBHOOK_DELETED: "Delete the webhook",
    GRANTED: "Give a right",
    REVOKED: "Take a right",
    GROUP_CREATED: "Create the group",
    ADMIN_MADE: "Let someone invite to the group",
    ADMIN_UNMADE: "Let someone invite to the group no more",
    INVITED: "Invite someone",
    WITHDRAWN: "Withdraw an invitation",
    JOINED: "Join the group",
    REMOVED: "Remove someone from the group",
    TOKEN_CREATED: "Create the token",
    TOKEN_REVOKED: "Revoke the token",
    NODE_CHANGED: "Change the node",
    NODE_REMOVED: "Remove the node",
    NODE_GROUP_CHANGED: "Change the group of nodes",
    NODE_GROUP_REMOVED: "Remove the group of nodes",
    SITES_PLACED: "Place sites on the node",
    SITES_DISPLACED: "Take sites from the node",
    PLAN_APPLIED: "Apply the plan",
    PLAN_CANCELLED: "Cancel the plan",
    WAVE_RESUMED: "Let the wave go on",
    WAVE_FINISHED: "Give the wave's change to all nodes",
    WAVE_ABANDONED: "Put back what the wave holds",
    MAINTENANCE_PLANNED: "Plan maintenance",
    MAINTENANCE_CHANGED: "Change the maintenance",
    MAINTENANCE_ENDED: "End the maintenance",
    HELD: "Hold it",
    RELEASED: "End the hold",
    SILENCED: "Silence it",
    UNSILENCED: "End the silence",
    RECIPIENT_SAVED: "Save the recipient of alerts",
    RECIPIENT_DELETED: "Delete the recipient of alerts",
    STATUS_PAGE_SHOWN: "Show the status page",
    STATUS_PAGE_HIDDEN: "Show the status page no more",
}


def change_row(key: str, before: object, after: object) -> dict[str, object]:
    """Return a difference in the form in which registration logs those of records."""
    return {"key": key, "before": before, "after": after}


def log_change(
    authority: Authority, subject: Model, action: str, changes: Iterable[dict[str, object]] = (), **data: Any
) -> None:
    """Write that someone did ``action`` to ``subject``, with what ``changes``."""
    ModelLogEntry.objects.create(
        content_type=ContentType.objects.get_for_model(subject, for_concrete_model=False),
        object_id=str(subject.pk),
        label=str(subject)[:200],
        action=action,
        timestamp=timezone.now(),
        user_id=authority.user,
        content_changed=True,
        deleted=False,
        data={"actor": authority.actor, "changes": list(changes), **data},
    )
