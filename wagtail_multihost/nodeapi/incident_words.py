"""
The closed lists of words of incidents: what kind one is, what causes it, and what people are told of it. No word in
them is a site's own.
"""

from __future__ import annotations

from collections.abc import Mapping

SITE_DOWN, WRONG_SITE, FLAPPING, SITES_DOWN = "site-down", "wrong-site", "flapping", "sites-down"
NODE_SILENT, DISK_FULL = "node-silent", "disk-full"
MONITOR_SILENT, OPERATOR_SILENT, COURIER_SILENT = "monitor-silent", "operator-silent", "courier-silent"
#: Each kind, with what it means.
KINDS: Mapping[str, str] = {
    SITE_DOWN: "A site does not answer as it should.",
    WRONG_SITE: "Another site answers under a site's hostname.",
    FLAPPING: "Hostnames go down and come back again and again.",
    SITES_DOWN: "Many sites do not answer as they should, for one reason.",
    NODE_SILENT: "A node does not report any more.",
    DISK_FULL: "A node's disk is full.",
    MONITOR_SILENT: "Nobody looks at sites from a place any more.",
    OPERATOR_SILENT: "The operator process does not work any more: no other incident is seen.",
    COURIER_SILENT: "The courier does not work any more: nobody is told of anything.",
}

OF_SITE, DATABASE, NODE, FRONT, MONITOR, MANY = "site", "database", "node", "front", "monitor", "many"
DISK, OPERATOR, COURIER = "disk", "operator", "courier"
#: Each cause, with how it is named for those who may not know which server or node it is.
CAUSES: Mapping[str, str] = {
    OF_SITE: "the site itself",
    DATABASE: "a database server that sites share",
    NODE: "a node",
    FRONT: "the front servers, or the way to them",
    MONITOR: "the monitor",
    MANY: "unknown: many sites at once",
    DISK: "a node's disk",
    OPERATOR: "the operator process",
    COURIER: "the courier",
}
#: Causes that sites share.
SHARED = (DATABASE, NODE, FRONT, MONITOR, MANY)

#: What people are told of an incident. Of one that ends because another one has its sites nothing is told.
OPENED, CHANGED, CLOSED = "opened", "changed", "closed"
WORDS = (OPENED, CHANGED, CLOSED)
#: A message that somebody has asked for, to see whether it arrives.
TEST = "test"

#: Lines of an incident. Those who heal write lines of the last kind.
NOTED, JOINED, FOLDED, REOPENED, HEALED = "noted", "joined", "folded", "reopened", "healed"
LINE_KINDS = (OPENED, CHANGED, CLOSED, NOTED, JOINED, FOLDED, REOPENED, HEALED)

SUBJECT_LENGTH, SUMMARY_LENGTH, LINE_LENGTH = 120, 300, 300
#: Seconds after which a process that says that it lives is thought dead: so many, or three of its own periods.
SILENT_AFTER, PERIODS = 180, 3
#: Seconds for which a recovery may last until the same again is another incident.
REOPENED_WITHIN = 600
