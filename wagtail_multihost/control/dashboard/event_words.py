"""Events in words."""

from __future__ import annotations

from wagtail_multihost.control.models import Event
from wagtail_multihost.nodeapi.event_types import EVENT_TYPES, PLACEMENT_CHANGED, SITE_CREATED
from wagtail_multihost.nodeapi.placements_v1 import LEAVE, PLACE, REMOVE, STAY
from wagtail_multihost.nodeapi.webhooks_v1 import TEST_TYPE

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
    title = EVENT_TYPES.get(event.type, event.type)
    words = PLACEMENTS.get(str(event.metadata.get("change"))) if event.type == PLACEMENT_CHANGED else None
    if words is not None:
        return words.format(node=event.metadata.get("node"))
    subject = event.metadata.get("group" if event.type.startswith("group.") else "node")
    return f"{title}: {subject}" if subject else title


def keys_in_words(event: Event) -> str:
    """Return which keys changed; of a new site that is all that it has, and says nothing."""
    keys = [] if event.type == SITE_CREATED else event.metadata.get("changed", [])
    rest = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return ", ".join(map(str, keys[:NAMED])) + rest


def reason_of(event: Event) -> str:
    return str(event.metadata.get("reason", ""))


def title_of_type(name: str) -> str:
    """Return what a type of events is called, also of the message that is of none."""
    return TEST if name == TEST_TYPE else EVENT_TYPES.get(name, name)
