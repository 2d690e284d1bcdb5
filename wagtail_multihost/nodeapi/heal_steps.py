"""
The closed lists of healing: the steps of the ladder that a node goes up for a site, why the database refuses one, and
what became of one. No word of them is a site's own.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Read the site's record again, and apply it; compare the node with what it should be, and put right what differs;
#: stop the site's processes and start them; say that the node is unhealthy, so that whoever runs it replaces it; leave
#: it to people.
READ, APPLY, RESTART, NODE, STOP = "read", "apply", "restart", "node", "stop"
#: Each with what is told of it.
STEPS: Mapping[str, str] = {
    READ: "The record was read again and applied",
    APPLY: "The node was compared with what it should be, and put right",
    RESTART: "The site's processes were restarted",
    NODE: "The node said that it is unhealthy, so that it is replaced",
    STOP: "Healing has stopped: it is left to people",
}

GRANTED = "granted"
UNKNOWN_NODE, UNKNOWN_SITE = "unknown-node", "unknown-site"
NOT_ACTIVE, NODE_NOT_ACTIVE = "not-active", "node-not-active"
IS_HELD, IN_WAVE, DUPLICATE, TOO_OFTEN = "held", "wave", "duplicate", "too-often"
OFF, NO_PEER, MANY, LAST_NODE = "off", "no-peer", "many", "last-node"
SITE_BUDGET, NODE_BUDGET, FLEET_BUDGET = "site-budget", "node-budget", "fleet-budget"
#: Of the node itself, where the database cannot be asked.
UNREACHABLE = "unreachable"
#: Why a step is not taken, each as a sentence.
REFUSALS: Mapping[str, str] = {
    UNKNOWN_NODE: "The database does not know the node.",
    UNKNOWN_SITE: "The site is not on the node.",
    NOT_ACTIVE: "The site is disabled, suspended or in maintenance.",
    NODE_NOT_ACTIVE: "The node joins, drains or is away.",
    IS_HELD: "It is held.",
    IN_WAVE: "A change of it goes through the nodes in a wave.",
    DUPLICATE: "Two agents report under the node's id.",
    TOO_OFTEN: "The node has taken too many steps within an hour.",
    OFF: "An operator has switched it off.",
    NO_PEER: "No other node serves it well, so that the fault may be a shared one.",
    MANY: "Too many sites fail at once, so that the fault may be a shared one.",
    LAST_NODE: "No other healthy node of its group and zone is left.",
    SITE_BUDGET: "The site was restarted as often as it may be for now.",
    NODE_BUDGET: "Sites were restarted on the node as often as they may be for now, or it was replaced lately.",
    FLEET_BUDGET: "Sites were restarted, or nodes replaced, as often as they may be in the whole fleet for now.",
    UNREACHABLE: "The database cannot be asked.",
}

#: What became of a step. One that was only begun may be of a node that was replaced, or killed.
BEGUN, DONE, FAILED, HEALED = "begun", "done", "failed", "healed"
OUTCOMES: Mapping[str, str] = {
    BEGUN: "It was begun.",
    DONE: "It was done.",
    FAILED: "It could not be done.",
    HEALED: "The site answers again.",
}
#: Those that a node may say.
TOLD = (DONE, FAILED, HEALED)
