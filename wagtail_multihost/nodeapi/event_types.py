"""
The closed list of the types of events. Control and the functions in the database write no other ones, and webhooks are
told of no other ones.
"""

from __future__ import annotations

from collections.abc import Mapping

SITE_CREATED, SITE_CHANGED, SITE_MOVED, SITE_RETIRED = "site.created", "site.changed", "site.moved", "site.retired"
SITE_ENABLED, SITE_DISABLED = "site.enabled", "site.disabled"
PLATFORM_CHANGED = "platform.changed"
WAVE_ADVANCED, WAVE_STOPPED, WAVE_DONE = "wave.advanced", "wave.stopped", "wave.done"
WAVE_RESUMED, WAVE_FINISHED, WAVE_ABANDONED = "wave.resumed", "wave.finished", "wave.abandoned"
GROUP_CHANGED, GROUP_REMOVED = "group.changed", "group.removed"
NODE_CHANGED, NODE_JOINED, NODE_DRAINING, NODE_LEFT = "node.changed", "node.joined", "node.draining", "node.left"
NODE_REMOVED, NODE_FORGOTTEN = "node.removed", "node.forgotten"
PLACEMENT_CHANGED, PLACEMENT_SERVING = "placement.changed", "placement.serving"
PLAN_APPLIED, PLAN_STOPPED, PLAN_DONE, PLAN_CANCELLED = "plan.applied", "plan.stopped", "plan.done", "plan.cancelled"
INCIDENT_OPENED, INCIDENT_CHANGED, INCIDENT_CLOSED = "incident.opened", "incident.changed", "incident.closed"
HEAL_RESTART, HEAL_NODE = "heal.restart", "heal.node"

#: Those of changes of records, which registration writes.
OF_RECORDS = (SITE_CREATED, SITE_CHANGED, SITE_ENABLED, SITE_DISABLED, SITE_MOVED, SITE_RETIRED, PLATFORM_CHANGED)
#: Those that can be of one site, and that its people see then.
OF_SITES = (
    *(SITE_CREATED, SITE_CHANGED, SITE_ENABLED, SITE_DISABLED, SITE_MOVED, SITE_RETIRED),
    PLACEMENT_CHANGED,
    *(INCIDENT_OPENED, INCIDENT_CHANGED, INCIDENT_CLOSED),
    HEAL_RESTART,
)
#: Each type, with what has happened.
EVENT_TYPES: Mapping[str, str] = {
    SITE_CREATED: "Site created",
    SITE_CHANGED: "Site changed",
    SITE_ENABLED: "Site enabled",
    SITE_DISABLED: "Site disabled",
    SITE_MOVED: "Site moved",
    SITE_RETIRED: "Site retired",
    PLATFORM_CHANGED: "Platform changed",
    WAVE_ADVANCED: "Wave went on",
    WAVE_STOPPED: "Wave stopped by itself",
    WAVE_DONE: "Wave done",
    WAVE_RESUMED: "Wave resumed",
    WAVE_FINISHED: "Wave finished at once",
    WAVE_ABANDONED: "Wave abandoned",
    GROUP_CHANGED: "Group of nodes changed",
    GROUP_REMOVED: "Group of nodes removed",
    NODE_CHANGED: "Node changed",
    NODE_JOINED: "Node joined",
    NODE_DRAINING: "Node drains",
    NODE_LEFT: "Node left",
    NODE_REMOVED: "Node forgotten",
    NODE_FORGOTTEN: "Node forgotten after it left",
    PLACEMENT_CHANGED: "Placement changed",
    PLACEMENT_SERVING: "Node serves sites that were placed on it",
    PLAN_APPLIED: "Plan of moves applied",
    PLAN_STOPPED: "Plan of moves stopped by itself",
    PLAN_DONE: "Plan of moves done",
    PLAN_CANCELLED: "Plan of moves ended",
    INCIDENT_OPENED: "Incident began",
    INCIDENT_CHANGED: "Incident changed",
    INCIDENT_CLOSED: "Incident over",
    HEAL_RESTART: "Node restarted a site that did not answer there",
    HEAL_NODE: "Node said that it is unhealthy, to be replaced",
}
