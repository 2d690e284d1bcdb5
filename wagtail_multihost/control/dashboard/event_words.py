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
from wagtail_multihost.control.waves import ABANDONED, FINISHED, RESUMED
from wagtail_multihost.nodeapi.wave_ticks_v1 import ADVANCED, HAS_STOPPED, IS_DONE

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
}
#: So many changed keys are named.
NAMED = 8


def title_of(event: Event) -> str:
    """Return what happened; a type of a later version is called by its name."""
    return TITLES.get(event.type, event.type)


def keys_in_words(event: Event) -> str:
    """Return which keys changed; of a new site that is all that it has, and says nothing."""
    keys = [] if event.type == CREATED else event.metadata.get("changed", [])
    rest = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return ", ".join(map(str, keys[:NAMED])) + rest


def reason_of(event: Event) -> str:
    return str(event.metadata.get("reason", ""))
