"""The words of the managed fleet that control, nodes and the operator process share."""

from __future__ import annotations

#: What the nodes of a group hold.
ALL, PLACED, FRONT = "all", "placed", "front"
HOLDS = (ALL, PLACED, FRONT)
#: A node that has joined is asked once it has applied; one that drains is asked no longer, and is away afterwards.
JOINING, ACTIVE, DRAINING, AWAY = "joining", "active", "draining", "away"
STATES = (JOINING, ACTIVE, DRAINING, AWAY)
#: Seconds after which a silent node is unknown.
SILENT_AFTER = 90

#: What nodes report of themselves.
APPLIED, DRIFT, SITE_REFUSED, NO_BELL = "Applied", "Drift", "SiteRefused", "NoBell"
REGISTRY_UNREACHABLE, REGISTRY_WENT_BACK = "RegistryUnreachable", "RegistryWentBack"
IS_DRAINING, DISK, DUPLICATE_NODE, HELD = "Draining", "Disk", "DuplicateNode", "Held"
CONDITIONS = (
    APPLIED,
    DRIFT,
    SITE_REFUSED,
    NO_BELL,
    REGISTRY_UNREACHABLE,
    REGISTRY_WENT_BACK,
    IS_DRAINING,
    DISK,
    DUPLICATE_NODE,
    HELD,
)
TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"

#: Stages of a wave: one node, a tenth of them, the rest.
ONE, TENTH, REST = 0, 1, 2
RUNNING, STOPPED, DONE = "running", "stopped", "done"
