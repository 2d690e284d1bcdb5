"""Events in words."""

from __future__ import annotations

from wagtail_multihost.control.changes import (
    CHANGED,
    CREATED,
    DISABLED,
    ENABLED,
    MOVED,
    PLATFORM_CHANGED,
    REFRESH,
    RETIRED,
)
from wagtail_multihost.control.models import Event
from wagtail_multihost.control.nodes import GROUP_CHANGED, NODE_CHANGED, NODE_DRAINING
from wagtail_multihost.control.waves import ABANDONED, FINISHED, RESUMED
from wagtail_multihost.nodeapi.placements_v1 import LEAVE, PLACE, PLACEMENT_CHANGED, REMOVE, SERVING, STAY
from wagtail_multihost.nodeapi.wave_ticks_v1 import ADVANCED, HAS_STOPPED, IS_DONE
from wagtail_multihost.nodeapi.webhooks_v1 import TEST_TYPE

TITLES = {
    CREATED: "Site created",
    CHANGED: "Site changed",
    ENABLED: "Site enabled",
    DISABLED: "Site disabled",
    MOVED: "Site moved",
    RETIRED: "Site retired",
    PLATFORM_CHANGED: "Platform changed",
    REFRESH: "All nodes asked to read again",
    ADVANCED: "Wave went on",
    HAS_STOPPED: "Wave stopped by itself",
    IS_DONE: "Wave done",
    RESUMED: "Wave resumed",
    FINISHED: "Wave finished at once",
    ABANDONED: "Wave abandoned",
    GROUP_CHANGED: "Group of nodes changed",
    "group.removed": "Group of nodes removed",
    NODE_CHANGED: "Node changed",
    "node.joined": "Node joined",
    NODE_DRAINING: "Node drains",
    "node.left": "Node left",
    "node.removed": "Node forgotten",
    "node.forgotten": "Node forgotten after it left",
    PLACEMENT_CHANGED: "Placement changed",
    SERVING: "Node serves sites that were placed on it",
    "plan.applied": "Plan of moves applied",
    "plan.stopped": "Plan of moves stopped by itself",
    "plan.done": "Plan of moves done",
    "plan.cancelled": "Plan of moves ended",
}
#: Those that are of one site, and that its people see.
OF_SITES = (CREATED, CHANGED, ENABLED, DISABLED, MOVED, RETIRED, PLACEMENT_CHANGED)
#: What became of a placement, by the change that its event has.
PLACEMENTS = {
    PLACE: "Site placed on {node}",
    LEAVE: "Site is leaving {node}",
    STAY: "Site stays on {node}",
    REMOVE: "Site taken from {node}",
}
#: What is told to a webhook without an event.
TEST = "Test"
#: So many changed keys are named.
NAMED = 8


def title_of(event: Event) -> str:
    """Return what happened, to which node or group; a type of a later version is called by its name."""
    title = TITLES.get(event.type, event.type)
    words = PLACEMENTS.get(str(event.metadata.get("change"))) if event.type == PLACEMENT_CHANGED else None
    if words is not None:
        return words.format(node=event.metadata.get("node"))
    subject = event.metadata.get("group" if event.type.startswith("group.") else "node")
    return f"{title}: {subject}" if subject else title


def keys_in_words(event: Event) -> str:
    """Return which keys changed; of a new site that is all that it has, and says nothing."""
    keys = [] if event.type == CREATED else event.metadata.get("changed", [])
    rest = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return ", ".join(map(str, keys[:NAMED])) + rest


def reason_of(event: Event) -> str:
    return str(event.metadata.get("reason", ""))


def title_of_type(name: str) -> str:
    """Return what a type of events is called, also of the message that is of none."""
    return TEST if name == TEST_TYPE else TITLES.get(name, name)
