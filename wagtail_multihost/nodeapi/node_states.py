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
#: There are files of sites that the registry neither lists nor says are gone.
UNLISTED = "Unlisted"
#: Sites whose processes do not listen yet; of front servers: what they have no files for, and whom they do not ask.
STARTING, CERTIFICATE_MISSING, NODE_REFUSED = "Starting", "CertificateMissing", "NodeRefused"
#: Sites were changed on the node itself, and differ from what control says.
CHANGED_HERE = "ChangedHere"
#: The monitor beside the agent says nothing, or something that is not used.
MONITOR_SILENT, MONITOR_REFUSED = "MonitorSilent", "MonitorRefused"
#: Something is done for sites that do not answer here, or was; and the node says that it is to be replaced.
HEALING, UNHEALTHY = "Healing", "Unhealthy"
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
    UNLISTED,
    STARTING,
    CERTIFICATE_MISSING,
    NODE_REFUSED,
    CHANGED_HERE,
    MONITOR_SILENT,
    MONITOR_REFUSED,
    HEALING,
    UNHEALTHY,
)
TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"

#: Stages of a wave: one node, a tenth of them, the rest.
ONE, TENTH, REST = 0, 1, 2
RUNNING, STOPPED, DONE = "running", "stopped", "done"

#: What becomes of a plan of moves, and of each move: its states say what has been done and seen so far.
PLAN_PROPOSED, PLAN_RUNNING, PLAN_STOPPED, PLAN_DONE = "proposed", "running", "stopped", "done"
PLAN_CANCELLED = "cancelled"
PLAN_STATES = (PLAN_PROPOSED, PLAN_RUNNING, PLAN_STOPPED, PLAN_DONE, PLAN_CANCELLED)
PLAN_FILL, PLAN_REBALANCE, PLAN_DRAIN = "fill", "rebalance", "drain"
PLAN_KINDS = (PLAN_FILL, PLAN_REBALANCE, PLAN_DRAIN)
MOVE_WAITING, MOVE_PLACING, MOVE_SWITCHING, MOVE_REMOVING = "waiting", "placing", "switching", "removing"
MOVE_DONE, MOVE_SKIPPED = "done", "skipped"
MOVE_STATES = (MOVE_WAITING, MOVE_PLACING, MOVE_SWITCHING, MOVE_REMOVING, MOVE_DONE, MOVE_SKIPPED)
